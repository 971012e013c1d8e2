export default {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/helpers/strip-types.js' },
  testEnvironment: '<rootDir>/test/helpers/environment.js',
  testSequencer: '<rootDir>/test/helpers/longest-first.js',
  // Only a test that fails reaches it, however busy the machine is.
  testTimeout: 240_000,
};
