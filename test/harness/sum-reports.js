// Adds up vitest's JSON reports: `node sum-reports.js DIRECTORY [FAILED STEP…]`, with where and why each test failed, because of a long run
// often only the end is kept. Plain JavaScript: it also runs where installing has failed.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Lines and characters of one failure, and failures that are told in full: enough to find the cause, and no flood. */
const MAX_LINES = 15;
const MAX_LINE_LENGTH = 300;
const MAX_EXPLAINED = 20;

const [directory = '.', ...failedSteps] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;
let explained = 0;

/** The message, then where in this project it was thrown; a stack's frames in other people's code say little. */
function explain(messages) {
  explained += 1;
  if (explained > MAX_EXPLAINED) return;
  const lines = messages
    .flatMap((message) => stripVTControlCharacters(String(message)).split('\n'))
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !(/^\s+at /.test(line) && /node_modules|node:/.test(line)));
  for (const line of lines.slice(0, MAX_LINES)) console.log(`    ${line.slice(0, MAX_LINE_LENGTH)}`);
  if (lines.length > MAX_LINES) console.log(`    … ${lines.length - MAX_LINES} more lines`);
}

for (const name of readdirSync(directory)) {
  const report = JSON.parse(readFileSync(join(directory, name), 'utf8'));
  passed += report.numPassedTests;
  failed += report.numFailedTests;
  skipped += report.numPendingTests;
  for (const suite of report.testResults) {
    const file = relative(process.cwd(), suite.name ?? '');
    // A file that could not even be read, or whose hooks failed, has no tests to count.
    if (suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed')) {
      failed += 1;
      console.log(`failed: ${file}`);
      explain([suite.message ?? '']);
    }
    for (const test of suite.assertionResults) {
      if (test.status === 'failed') {
        console.log(`failed: ${file}: ${test.fullName}`);
        explain(test.failureMessages ?? []);
      }
      if (test.status === 'pending' || test.status === 'skipped') console.log(`skipped: ${test.fullName}`);
    }
  }
}
for (const step of failedSteps) console.log(`failed step: ${step}`);
// A step that failed without a test of its own (lint, types, build) counts as one.
const beyond = failed === 0 ? failedSteps.length : 0;
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed + beyond} failed`);
process.exitCode = failed + beyond === 0 ? 0 : 1;
