/**
 * Every test talks to a real PostgreSQL, started once for the run (`test/setup/global-setup.ts`).
 * @type {import('jest').Config}
 */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // `npm run test:long` runs those.
  testPathIgnorePatterns: ['/node_modules/', '\\.long\\.test\\.ts$'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } }],
    // Node itself can require it; jest's own loader cannot yet.
    'node_modules/jose/.+\\.js$': ['@swc/jest', { jsc: { target: 'es2022' }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!jose/)'],
  globalSetup: '<rootDir>/test/setup/global-setup.ts',
  globalTeardown: '<rootDir>/test/setup/global-teardown.ts',
  // Most of a test's time is waiting: for PostgreSQL, for argon2, for processes.
  maxWorkers: '100%',
  // A machine with other work takes several times as long.
  testTimeout: 120_000,
};
