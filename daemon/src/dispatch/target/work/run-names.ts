/** Names of the run directories of a part, which say after a crash which step wrote what is there. Pure. */
import { basename, dirname, join } from 'node:path';
import { safeName } from '../install/safe-name.ts';

const MAX_COMMAND = 60;

/** `seq` makes the name unique within the part. */
export function runName(seq: number, { step, command }: { step: number; command: string }): string {
  return `${seq}-${step}-${safeName(command.slice(0, MAX_COMMAND))}`;
}

/** Undefined if it is not such a name. */
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

/** The path of the script's text for the process in a room. */
export function scriptBeside(room: string): string {
  return join(dirname(room), `script-${basename(room)}`);
}
