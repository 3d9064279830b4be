import { DtkdError } from '../../protocol/errors.ts';

/** Parses an execution's id or a prefix of it, alone or in the form that lists of names use: `execution.dtkd.dev/ID`. */
export function requireId(text: string): string {
  const id = text.slice(text.lastIndexOf('/') + 1).toLowerCase();
  if (/^[0-9a-f]{6,64}$/.test(id)) return id;
  throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 80)}" is not the id of an execution`, {
    next: 'It has 64 hexadecimal digits; the first 6 or more are enough. See "dtkd executions ls".',
  });
}

/** The path of a daemon action on an execution. */
export function executionPath(id: string, action?: string): string {
  return `executions/${requireId(id)}${action === undefined ? '' : `/${action}`}`;
}
