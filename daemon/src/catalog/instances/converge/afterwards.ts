/** What is left to be done once a task has succeeded. */
import type { TaskEnd } from '../tasks/tasks.types.ts';
import type { ConvergePorts } from './converge.types.ts';

/** Does it before anything else is done with the instance: later it would undo what that has brought about. `failed`: what is logged if it cannot be done. */
export function afterSuccess(
  { turns, logger }: Pick<ConvergePorts, 'turns' | 'logger'>,
  name: string,
  work: () => Promise<void>,
  failed: string,
): (end: TaskEnd) => void {
  return ({ state }) => {
    if (state !== 'succeeded') return;
    turns.alone(name, work).catch((err: unknown) => logger.warn({ err, service: name }, failed));
  };
}
