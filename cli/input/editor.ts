import { spawn } from 'node:child_process';
import { DtkdError } from '../../protocol/errors.ts';
import { userPreferences } from '../config.ts';

/**
 * Runs the person's editor, which may be a command with arguments, on the terminal. `otherwise`: advice if that fails. Errors: BAD_REQUEST.
 */
export function runEditor(file: string, otherwise: string): Promise<void> {
  const { editor } = userPreferences();
  const failed = (why: string): DtkdError => new DtkdError('BAD_REQUEST', `the editor "${editor}" ${why}`, { next: otherwise });
  return new Promise((resolve, reject) => {
    // The shell splits the setting, as it is meant to; the file name is passed as an argument, never inside the script.
    const child = spawn('/bin/sh', ['-c', `exec ${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
    child.on('error', () => reject(failed('cannot be started')));
    child.on('exit', (status) => (status === 0 ? resolve() : reject(failed('ended with an error'))));
  });
}
