/** How scripts run other programs. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The programs print whole pages, so the limit is high. Bytes. */
const MAX_OUTPUT = 16 * 1024 * 1024;

/** The standard output of a program. Errors: a status other than 0; the message contains its error output. */
export async function output(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { stdout } = await run(command, [...args], { cwd, env, maxBuffer: MAX_OUTPUT });
  return stdout;
}

/**
 * The time of the last commit, in seconds since 1970, which becomes the time of every file of a package. SOURCE_DATE_EPOCH takes
 * precedence.
 */
export async function commitTime(root: string): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  const text = given ?? (await output('git', ['log', '-1', '--format=%ct'], root).catch(() => ''));
  const time = Number.parseInt(text, 10);
  if (Number.isSafeInteger(time) && time >= 0) return time;
  throw new Error('it is not known when this version was made: set SOURCE_DATE_EPOCH to seconds since 1970, or build it in a git checkout');
}
