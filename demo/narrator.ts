/** Prints the demo: headings, what a user would type, and the results. Colours only on a terminal. */
import type { Site } from '../test/harness/site.ts';
import type { SiteUser } from '../test/harness/user.ts';

const COLOURS = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
/** Longer answers are cut: readers can repeat the commands. */
const MAX_LINES = 40;
const MAX_WIDTH = 160;

function paint(code: number, text: string): string {
  return COLOURS ? `\u001b[${code}m${text}\u001b[0m` : text;
}

let step = 0;
const began = performance.now();

export function heading(text: string): void {
  step += 1;
  console.log(`\n${paint(1, `${step}. ${text}`)}`);
}

export function say(text: string): void {
  console.log(paint(2, `   ${text}`));
}

export function command(where: string, line: string): void {
  console.log(`   ${paint(36, `${where}$`)} ${paint(1, line)}`);
}

export function result(text: string): void {
  const lines = text.trimEnd().split('\n');
  for (const line of lines.slice(0, MAX_LINES)) console.log(`     ${line.length > MAX_WIDTH ? `${line.slice(0, MAX_WIDTH)}…` : line}`);
  if (lines.length > MAX_LINES) console.log(`     … ${lines.length - MAX_LINES} more lines`);
}

export function checked(text: string): void {
  console.log(`   ${paint(32, '✓')} ${text}`);
}

export function failed(text: string): void {
  console.error(`\n${paint(31, '✗')} ${text}`);
}

export function elapsed(): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}

export interface Shown {
  /** Arguments to show in place of the real ones, without values of this run. */
  shown?: readonly string[];
  status?: 'ok' | 'refused';
  stdin?: string;
}

/** Runs the command line at a site, and shows it as a user there would type it. Throws if its status is not the expected one. */
export async function dtkd(site: Site, args: readonly string[], options: Shown = {}): Promise<string> {
  const { stdin } = options;
  return narrated(site.name, args, options, () => site.cliWith(stdin === undefined ? {} : { stdin }, ...args));
}

/** The same, as a user of the site. */
export async function dtkdAs(user: SiteUser, args: readonly string[], options: Shown = {}): Promise<string> {
  return narrated(user.display, args, options, () => user.cli(...args));
}

async function narrated(
  where: string,
  args: readonly string[],
  { shown = args, status = 'ok' }: Shown,
  work: () => Promise<{ code: number; stdout: string; stderr: string }>,
): Promise<string> {
  command(where, ['dtkd', ...shown].map(quoted).join(' '));
  const { code, stdout, stderr } = await work();
  result(`${stdout}${stderr}`.trim() === '' ? '(no output)' : `${stdout}${stderr}`);
  if ((code === 0) !== (status === 'ok'))
    throw new Error(`"dtkd ${args.join(' ')}" at ${where} ended with ${code}; it should have been ${status}`);
  return stdout;
}

function quoted(word: string): string {
  return /^[\w./:@=,-]+$/.test(word) ? word : `'${word}'`;
}
