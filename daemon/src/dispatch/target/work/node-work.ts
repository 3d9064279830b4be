/** Prepares and does work on the node itself: any program, a file to put in place, a file to read. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ExecWork, Work } from '../../../../../protocol/orders/order.ts';
import { within } from '../../../signals/within.ts';
import { failed, ofScript, resultOf } from '../../commands/ended.ts';
import { putFile, takeFile } from '../../content/files.ts';
import type { Content } from '../../dispatch.types.ts';
import type { ReadyWork, WorkPlace, WorkResult } from './work.types.ts';

export interface NodeWorkOptions {
  node: string;
  content: Content;
  now(): number;
}

/** The most bytes of a file that is read. */
const MAX_FILE_BYTES = 64 * 1024 * 1024 * 1024;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Errors: INVALID, FORBIDDEN. */
export function readyExec(work: ExecWork, { processes }: WorkPlace, { node, now }: NodeWorkOptions): ReadyWork {
  const texts = [...work.argv, ...Object.values(work.env), work.directory ?? ''];
  if (texts.some((text) => text.includes('\0')) || Object.keys(work.env).some((name) => !VARIABLE.test(name))) {
    throw new DtkdError('INVALID', 'the command or its environment contains a NUL character or an invalid variable name');
  }
  processes.assertAllowed(work.user);
  const source = { step: 1, command: 'exec' };
  return {
    plain: true,
    secrets: [],
    pins: {},
    run: ({ signal, deadline }) =>
      outcomeOf(async () => {
        const room = await processes.room(source);
        const order = { source, argv: work.argv, env: { DTKD_NODE: node, ...work.env }, cwd: work.directory, user: work.user, secrets: [] };
        return resultOf(ofScript(await processes.run(order, room, { timeoutMs: deadline - now(), signal })));
      }),
  };
}

/** Undefined if the content would have to be fetched and may not be. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT. */
export async function readyPut(
  work: Extract<Work, { type: 'put' }>,
  { from, signal, mayFetch }: WorkPlace,
  { content }: NodeWorkOptions,
): Promise<ReadyWork | undefined> {
  const { digest, size, path, mode } = work;
  assertPath(path);
  let source = await content.path(digest);
  if (source === undefined) {
    if (!mayFetch) return undefined;
    source = await content.fetch(digest, { size, ...(from === undefined ? {} : { from: { domain: from.domain, key: from.key } }), signal });
  }
  const file = { source, path, mode, digest, size };
  return {
    plain: false,
    secrets: [],
    pins: {},
    run: () =>
      outcomeOf(async () => {
        await putFile(file);
        return { ok: true, exitStatus: 0 };
      }),
  };
}

export function readyGet(
  work: Extract<Work, { type: 'get' }>,
  { from, notAfter }: WorkPlace,
  { content, now }: NodeWorkOptions,
): ReadyWork {
  assertPath(work.path);
  return {
    plain: false,
    secrets: [],
    pins: {},
    run: ({ signal, deadline }) =>
      outcomeOf(async () => {
        const time = within(Math.max(0, Math.min(deadline - now(), 2 ** 31 - 1)), signal);
        const file = await takeFile(work.path, content, { limit: MAX_FILE_BYTES, signal: time });
        if (from !== undefined)
          await content.allow(file.digest, [{ domain: from.domain, key: from.key }], Math.max(notAfter, now() + KEEP_FILE_MS));
        return { ok: true, exitStatus: 0, file };
      }),
  };
}

function assertPath(path: string): void {
  if (path.includes('\0')) throw new DtkdError('INVALID', 'the path contains a NUL character');
}

/** How long a file that was read is available to the starter at least. */
const KEEP_FILE_MS = 3_600_000;

/** Turns errors into failures: the work had begun, so it cannot be refused. */
async function outcomeOf(work: () => Promise<WorkResult>): Promise<WorkResult> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    return resultOf(failed(error.code, error.next === undefined ? error.message : `${error.message}. ${error.next}`));
  }
}
