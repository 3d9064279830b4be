import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { findApp } from '../../client/apps.ts';
import { ingressOf, loginOf, requestApp } from '../../client/ingress.ts';
import { textAt } from '../../json.ts';

/** As in curl: the exit status if --fail is given and the status of the answer is 400 or above. */
const EXIT_HTTP_ERROR = 22;

const EXAMPLES = `
Examples:
  dtkd app curl wiki
  dtkd app curl wiki '/search?q=x' -i
  dtkd app curl api /items -d '{"name":"x"}' -H 'content-type: application/json'
  dtkd app curl api /upload -X PUT -d @file.bin

The request goes to this node's ingress with the app's name in it, so it works without DNS. An app for users
gets the user token that the command runs with: dtkd --token @ops.token app curl desk`;

interface CurlFlags {
  request?: string;
  data?: string;
  header?: string[];
  include?: boolean;
  head?: boolean;
  fail?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<app>', 'NAME, OWNER/NAME, or the name of its copy here')
    .argument('[path]', 'path with query', '/')
    .option('-X, --request <method>', 'method (default: GET, with -d POST)')
    .option('-d, --data <data>', 'body: the text itself, @FILE, or @- for standard input')
    .option('-H, --header <header>', 'header; may be repeated', (header: string, all: string[] = []) => [...all, header])
    .option('-i, --include', 'print the response headers, too')
    .option('-I, --head', 'request the headers only')
    .option('-f, --fail', `exit with status ${EXIT_HTTP_ERROR} and print nothing on 400 and above`)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, path: string, flags: CurlFlags) => {
      const client = await cli.client();
      const [app, body] = await Promise.all([findApp(client, name), bodyOf(flags.data)]);
      if (app.uri === undefined) throw new DtkdError('UNAVAILABLE', `${app.app} has no URI yet`, { next: `See "dtkd app show ${name}".` });
      const method = flags.request ?? (flags.head === true ? 'HEAD' : body === undefined ? 'GET' : 'POST');
      const given = headersOf(flags.header ?? [], body);
      const [ingress, login] = await Promise.all([ingressOf(client, app.uri), loginOf(client, app)]);
      const headers = { ...login, ...given };
      const answer = await requestApp(ingress, {
        uri: app.uri,
        path: path.startsWith('/') ? path : `/${path}`,
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      if (flags.fail === true && (answer.statusCode ?? 0) >= 400) {
        answer.resume();
        cli.out.note(`error: ${app.app} answered with status ${answer.statusCode}`);
        cli.exitWith(EXIT_HTTP_ERROR);
        return;
      }
      if (flags.include === true || flags.head === true) process.stdout.write(headOf(answer));
      await pipeline(answer, process.stdout, { end: false });
    });
}

async function bodyOf(data: string | undefined): Promise<Buffer | undefined> {
  if (data === undefined) return undefined;
  if (!data.startsWith('@')) return Buffer.from(data);
  try {
    return await readFile(data === '@-' ? '/dev/stdin' : data.slice(1));
  } catch (error) {
    throw new DtkdError('BAD_REQUEST', `cannot read ${data.slice(1)} (${textAt(error, 'code') ?? 'error'})`, { cause: error });
  }
}

/** Parses `Name: value` lines as headers; repeated names keep all values. Pure. */
export function headersOf(lines: readonly string[], body: Buffer | undefined): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = body === undefined ? {} : { 'content-length': String(body.length) };
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined)
      throw new DtkdError('BAD_REQUEST', `"${line.slice(0, 80)}" is not a header; write Name: value`);
    const key = name.toLowerCase();
    const before = headers[key];
    headers[key] = before === undefined || key === 'content-length' || key === 'host' ? value : [before, value].flat();
  }
  return headers;
}

function headOf(answer: IncomingMessage): string {
  const lines: string[] = [];
  for (let index = 0; index < answer.rawHeaders.length; index += 2)
    lines.push(`${answer.rawHeaders[index]}: ${answer.rawHeaders[index + 1]}`);
  return `HTTP/${answer.httpVersion} ${answer.statusCode} ${answer.statusMessage}\n${lines.join('\n')}\n\n`;
}
