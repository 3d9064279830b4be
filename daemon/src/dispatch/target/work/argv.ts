/** How a script is started. Pure. */
import type { Script } from '../../../../../protocol/definitions/commands.ts';

const SHELL = '/bin/sh';
/** As much as the kernel reads. */
const MAX_FIRST_LINE = 255;

/** The program and argument in the first line of a file (`#!…`), split as the kernel does; undefined if there is none. */
export function namedInterpreter(content: Uint8Array): string[] | undefined {
  const head = Buffer.from(content.subarray(0, MAX_FIRST_LINE)).toString('utf8');
  const match = /^#![ \t]*([^\s]+)(?:[ \t]+([^\r\n]*))?/.exec(head);
  if (match === null) return undefined;
  const argument = match[2]?.trim() ?? '';
  return [match[1] ?? SHELL, ...(argument === '' ? [] : [argument])];
}

/**
 * The command line for a script. `path`: the file with its text; `content`: the beginning of that. A file that has no `#!` line and is
 * not executable is run by the shell.
 */
export function argvOf(
  script: Pick<Script, 'interpreter' | 'args'>,
  { path, content, executable }: { path: string; content: Uint8Array; executable: boolean },
): string[] {
  const interpreter = script.interpreter ?? namedInterpreter(content) ?? (executable ? [] : [SHELL]);
  return [...interpreter, path, ...(script.args ?? [])];
}

/** The variables of the daemon's own environment that commands see. */
export function allowedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  allowed: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    allowed.flatMap((name) => {
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
