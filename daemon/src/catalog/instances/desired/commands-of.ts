/** Which command of a resource serves which purpose, by the conventions in docs/services.md. Pure. */
import type { ComponentType } from './copied-types.ts';

/** Names of the commands that can be requested, sorted. */
export function askedFor(type: ComponentType): string[] {
  return [...type.commands]
    .filter(([, command]) => command.private !== true)
    .map(([name]) => name)
    .sort();
}

/** The command that creates, converges, deletes or checks a resource. Undefined: nothing is run. */
export function commandFor(act: 'create' | 'converge' | 'delete' | 'check', commands: readonly string[]): string | undefined {
  if (commands.includes(act)) return act;
  return act === 'converge' && commands.includes('create') ? 'create' : undefined;
}
