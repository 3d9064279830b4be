// Adds up the reports of `run-reporter.ts`: `node sum-reports.js DIRECTORY [FAILED STEP…]`, with where and why each test failed, because of a
// long run often only the end is kept. Plain JavaScript: it also runs where installing has failed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** Lines and characters of one failure, and failures that are told in full: enough to find the cause, and no flood. */
const MAX_LINES = 15;
const MAX_LINE_LENGTH = 300;
const MAX_EXPLAINED = 20;

const [directory = '.', ...failedSteps] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;

/** The message, then where in this project it was thrown; a stack's frames in other people's code say little. */
function explain(messages) {
  const lines = messages
    .flatMap((message) => stripVTControlCharacters(String(message)).split('\n'))
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !(/^\s+at /.test(line) && /node_modules|node:/.test(line)));
  for (const line of lines.slice(0, MAX_LINES)) console.log(`    ${line.slice(0, MAX_LINE_LENGTH)}`);
  if (lines.length > MAX_LINES) console.log(`    … ${lines.length - MAX_LINES} more lines`);
}

for (const name of readdirSync(directory)) {
  const report = JSON.parse(readFileSync(join(directory, name), 'utf8'));
  passed += report.passed;
  skipped += report.skipped.length;
  for (const test of report.skipped) console.log(`skipped: ${test}`);
  for (const { what, messages } of report.failures) {
    failed += 1;
    console.log(`failed: ${what}`);
    if (failed <= MAX_EXPLAINED) explain(messages);
  }
}
for (const step of failedSteps) console.log(`failed step: ${step}`);
// A step that failed without a test of its own (lint, types, build) counts as one.
const beyond = failed === 0 ? failedSteps.length : 0;
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${failed + beyond} failed`);
process.exitCode = failed + beyond === 0 ? 0 : 1;
