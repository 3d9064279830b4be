/** Work that is left once a task has succeeded. */
import type { TaskEnd } from '../tasks/tasks.types.ts';
import type { ConvergePorts } from './converge.types.ts';

/**
 * Queues `work` ahead of anything else that is done with the instance; run later, it would undo the effects of that. `failed`:
 * what is logged if it rejects.
 */
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
