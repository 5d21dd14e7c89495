/**
 * The tests that take long: kill -9, floods, processes, random histories. `npm run test:long` runs them.
 * @type {import('jest').Config}
 */
module.exports = {
  ...require('./jest.config.js'),
  testMatch: ['**/*.long.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
};
