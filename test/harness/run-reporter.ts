/**
 * A reporter for vitest: what has to be known of a run when only the end of its output is kept. Besides what failed it tells errors that belong
 * to no test (a worker that died, a promise that nobody waited for) and files that never came to their end: both fail a run without a test.
 */
import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Where the report goes; `sum-reports.js` reads it. */
const FILE = process.env['DTKD_TEST_REPORT'];

export interface RunReport {
  passed: number;
  /** Names of tests that were not run. */
  skipped: string[];
  failures: { what: string; messages: string[] }[];
}

function textOf({ message, stack, cause }: SerializedError): string {
  const why = cause !== null && typeof cause === 'object' && 'message' in cause ? `\ncaused by ${String(cause.message)}` : '';
  return `${stack?.includes(message) === true ? stack : `${message}\n${stack ?? ''}`}${why}`;
}

export default class RunReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const report: RunReport = { passed: 0, skipped: [], failures: [] };
    for (const module of modules) {
      const file = module.relativeModuleId;
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') report.passed += 1;
        else if (result.state === 'skipped') report.skipped.push(`${file}: ${test.fullName}`);
        else {
          failedHere += 1;
          const messages = result.state === 'failed' ? result.errors.map(textOf) : ['it did not come to its end'];
          report.failures.push({ what: `${file}: ${test.fullName}`, messages });
        }
      }
      // a file that could not even be read, or whose hooks failed, has no tests to count; one whose worker died has no state
      const state = module.state();
      if (state === 'failed' && failedHere === 0) report.failures.push({ what: file, messages: module.errors().map(textOf) });
      else if (state !== 'passed' && state !== 'skipped' && failedHere === 0) {
        report.failures.push({ what: file, messages: [`it did not come to its end (${state})`] });
      }
    }
    for (const error of unhandled) report.failures.push({ what: 'outside of all tests', messages: [textOf(error)] });
    if (FILE !== undefined) writeFileSync(FILE, JSON.stringify(report));
  }
}
