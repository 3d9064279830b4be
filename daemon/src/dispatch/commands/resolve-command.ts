/** Finds the command that a name means: the nearest type that defines it wins, as with everything that types inherit. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { nearMiss } from '../../../../protocol/text/near-miss.ts';
import type { CommandType, ResolvedCommand } from './commands.types.ts';

/** How many commands a refusal lists. */
const MAX_NAMED = 50;

/**
 * Returns the command of this name in a chain of types, nearest first. Names are case-sensitive. Errors: NOT_FOUND, which lists the
 * existing commands; FORBIDDEN for a private command, unless the caller is itself a command (`inside`).
 */
export function resolveCommand(chain: readonly CommandType[], name: string, { inside = false } = {}): ResolvedCommand {
  const found = find(chain, name);
  if (found === undefined) throw unknownCommand(chain, name, inside);
  if (found.command.private === true && !inside) {
    throw new DtkdError('FORBIDDEN', `the command "${name}" of ${found.type} is private: it can only be a step of other commands`, {
      next: `Run one of these instead: ${named(listCommands(chain))}.`,
    });
  }
  return found;
}

/** Returns all commands that are not private, each as the nearest type defines it, sorted by name. */
export function listCommands(chain: readonly CommandType[]): ResolvedCommand[] {
  return allCommands(chain).filter(({ command }) => command.private !== true);
}

function find(chain: readonly CommandType[], name: string): ResolvedCommand | undefined {
  for (const { name: type, commands, code } of chain) {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command !== undefined) return { name, command, type, code };
  }
  return undefined;
}

function allCommands(chain: readonly CommandType[]): ResolvedCommand[] {
  const byName = new Map<string, ResolvedCommand>();
  for (const { name: type, commands, code } of chain) {
    for (const [name, command] of Object.entries(commands)) if (!byName.has(name)) byName.set(name, { name, command, type, code });
  }
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function unknownCommand(chain: readonly CommandType[], name: string, inside: boolean): DtkdError {
  const there = inside ? allCommands(chain) : listCommands(chain);
  const type = chain[0]?.name ?? 'no type';
  const names = there.map((one) => one.name);
  const near = nearMiss(name, names);
  const meant = near === undefined ? '' : `Did you mean "${near}"? `;
  return new DtkdError('NOT_FOUND', `${type} has no command "${name}"`, {
    next: names.length === 0 ? `${type} has no commands at all.` : `${meant}There are: ${named(there)}.`,
    details: { type, command: name, commands: names.slice(0, MAX_NAMED), ...(near === undefined ? {} : { near }) },
  });
}

function named(commands: readonly ResolvedCommand[]): string {
  const names = commands.slice(0, MAX_NAMED).map(({ name }) => name);
  return `${names.join(', ')}${commands.length > MAX_NAMED ? ` and ${commands.length - MAX_NAMED} more` : ''}`;
}
