/** The exit status for a task. Pure. */
import { EXIT } from '../dispatch/summary.ts';
import { leavesOf, type TaskView } from './task.ts';

/** The start of messages of failed steps whose command was not delivered, or whose outcome is unknown: the outcome of their execution. */
const UNTOLD = /^(unreachable|skipped)\b/;
const UNKNOWN = /^unknown\b/;

export const TASK_EXIT_HELP = `Exit status: 0 if every step succeeded; ${EXIT.failed} if one failed, or the task was cancelled; ${EXIT.unknown} if it is not known what became of one;
${EXIT.untold} if all that failed are of nodes that could not be reached; 25 if there are violations, and nothing was started; 130 after Ctrl-C, and the
task goes on; others if nothing was started (1: you said no, 2: not understood, 4: not allowed, 5: not found, 6: in conflict, 7, 9: no answer).`;

export function taskExitStatus(task: TaskView, ending: 'ended' | 'running'): number {
  if (ending === 'running') return EXIT.unknown;
  if (task.state === 'succeeded') return EXIT.succeeded;
  const said = leavesOf(task)
    .filter(({ state }) => state === 'failed')
    .map(({ message = '' }) => message);
  if (task.state !== 'failed' || said.length === 0) return EXIT.failed;
  if (said.every((message) => UNTOLD.test(message))) return EXIT.untold;
  return said.every((message) => UNTOLD.test(message) || UNKNOWN.test(message)) ? EXIT.unknown : EXIT.failed;
}
