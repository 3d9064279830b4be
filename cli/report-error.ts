import { DtkdError } from '../protocol/errors.ts';
import { escapeControls } from './output/escape.ts';

/** The lines that report an error to a person, and the exit status that reports it to a program. */
export function describeError(error: unknown): { lines: string[]; exitStatus: number } {
  if (error instanceof DtkdError) {
    const message = error.message.split('\n').map(escapeControls).join('\n');
    return {
      lines: [`error: ${message}`, ...(error.next === undefined ? [] : [`next: ${escapeControls(error.next)}`])],
      exitStatus: error.exitStatus,
    };
  }
  const text = error instanceof Error ? error.message : String(error);
  return { lines: [`error: ${escapeControls(text)}`], exitStatus: 1 };
}
