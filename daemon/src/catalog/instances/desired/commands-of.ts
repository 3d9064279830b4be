/** Which of a resource's commands does what: pure. By convention, see docs/services.md. */
import type { ComponentType } from './copied-types.ts';

/** Commands that can be asked for, in the order of their names. */
export function askedFor(type: ComponentType): string[] {
  return [...type.commands]
    .filter(([, command]) => command.private !== true)
    .map(([name]) => name)
    .sort();
}

/** What brings a resource up, follows a change of it, takes it down or looks at it; undefined: there is nothing to run. */
export function commandFor(act: 'create' | 'converge' | 'delete' | 'check', commands: readonly string[]): string | undefined {
  if (commands.includes(act)) return act;
  return act === 'converge' && commands.includes('create') ? 'create' : undefined;
}
