/** Lines of a dispatch in the form of ControlTier's `ctl`. Pure. */
import type { LogLevel } from '../../protocol/orders/words.ts';
import type { TargetCommand } from './execution.ts';
import { optionWords, shellLine } from './shell-line.ts';

const LABELS: Readonly<Record<LogLevel, string>> = { debug: 'DEBUG', verbose: 'VERBOSE', info: 'INFO', warning: 'WARN', error: 'ERROR' };

export function connectingLine(node: string): string {
  return `Connecting to ${node} ...`;
}

/** The command that the target gets, as one would type it there. */
export function commandLine({ model, type, resource, command, options }: TargetCommand): string {
  return `cmd : ${shellLine(['ctl', '-p', model, '-t', type, '-r', resource, '-c', command, ...optionWords(options)])}`;
}

/** The prefix of each line of a remote target. `what`: `model.Type.name command`. */
export function remotePrefix(user: string, node: string, what: string, level: LogLevel): string {
  return `[${user}@${node} ${what}][${LABELS[level]}] `;
}

/** A user's name without its home node, as it stands before the `@` of a prefix. */
export function userName(user: string): string {
  return user.split('@')[0] || 'operator';
}
