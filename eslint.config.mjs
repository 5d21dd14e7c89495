import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/**', 'data/**', 'coverage/**', 'examples/**/*.js'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['eslint.config.mjs', 'jest.config.js'] } },
    },
    rules: {
      // Interpolating a number is readable and safe; the rest of the rule stays.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-console': 'error',
      // winston's own transports are typed as interfaces, which the rule takes for strangers.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // What a text must not contain has to be named.
      'no-control-regex': 'off',
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['test/**', 'bench/**', 'examples/**', 'ops/**'],
    rules: {
      'max-lines-per-function': 'off',
      'no-console': 'off',
      // What a server answers is looked into freely; that it is what it should be is the test's affair.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
    },
  },
  {
    files: ['**/*.mjs', '*.js'],
    languageOptions: { globals: { module: 'writable' } },
    extends: [tseslint.configs.disableTypeChecked],
  },
);
