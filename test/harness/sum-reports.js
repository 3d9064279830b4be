// Adds up vitest's JSON reports: `node sum-reports.js DIRECTORY [FAILED STEP…]`. Plain JavaScript: it also runs where installing has failed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory = '.', ...failedSteps] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;

for (const name of readdirSync(directory)) {
  const report = JSON.parse(readFileSync(join(directory, name), 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests;
  for (const suite of report.testResults) {
    // A file that could not even be read has no tests to count.
    if (suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed')) failed += 1;
    for (const test of suite.assertionResults) if (test.status === 'failed') console.log(`failed: ${test.fullName}`);
    for (const test of suite.assertionResults)
      if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
  }
}
for (const step of failedSteps) console.log(`failed step: ${step}`);
// A step that failed without a test of its own (lint, types, build) counts as one.
const beyond = failed === 0 ? failedSteps.length : 0;
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed + beyond} failed`);
process.exitCode = failed + beyond === 0 ? 0 : 1;
