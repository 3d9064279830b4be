/** Names of the run directories of a part: they say which step wrote what is found there after a crash. Pure. */
import { basename, dirname, join } from 'node:path';
import { safeName } from '../install/safe-name.ts';

const MAX_COMMAND = 60;

/** `seq` makes it unique within the part. */
export function runName(seq: number, { step, command }: { step: number; command: string }): string {
  return `${seq}-${step}-${safeName(command.slice(0, MAX_COMMAND))}`;
}

/** Undefined if it is none. */
export function parseRunName(name: string): { seq: number; step: number; command: string } | undefined {
  const match = /^([0-9]{1,9})-([0-9]{1,9})-([A-Za-z0-9._~%-]+)$/.exec(name);
  if (match === null) return undefined;
  return { seq: Number(match[1]), step: Number(match[2]), command: commandOf(match[3] ?? '') };
}

function commandOf(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Where the text of a script is that has its process in that room. */
export function scriptBeside(room: string): string {
  return join(dirname(room), `script-${basename(room)}`);
}
