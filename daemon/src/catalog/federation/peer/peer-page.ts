/** Requests one page of rows from one peer, limited in time and bytes. Failures are outcomes, never errors. */
import { z } from 'zod';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import { ROWS_MEDIA_TYPE } from '../../../../../protocol/peers/remote.ts';
import type { UserPrincipal } from '../../../../../protocol/rights/principal.ts';
import type { Selectors } from '../federation.types.ts';
import type { PeerApi, PeerNode, PeerResponse } from '../peer-api.types.ts';
import { deadline } from './deadline.ts';
import { peerPath } from './peer-path.ts';
import { type PeerRow, RowsDecoder } from './rows-decoder.ts';

/** Bytes of a refusal that are read, and characters of it that are reported. */
const MAX_REFUSAL_BYTES = 16 * 1024;
const MAX_REASON = 200;

export interface PageQuery extends Selectors {
  user: UserPrincipal;
  kind: Kind;
  limit: number;
  /** The peer's own token for where to go on; empty: from the beginning. */
  continue: string;
  /** Rows must come after this name. */
  after: string;
}

export interface PageBounds {
  timeoutMs: number;
  /** A page that is larger is cut off. */
  maxBytes: number;
  signal: AbortSignal;
}

export type PeerPage =
  | {
      outcome: 'page';
      rows: PeerRow[];
      resourceVersion: string;
      /** Empty: there are no more pages. */
      continue: string;
      /** True if the page was cut off for its size: `continue` is not known. */
      cut: boolean;
    }
  | { outcome: 'denied' | 'failed'; reason: string };

export async function peerPage(api: PeerApi, peer: PeerNode, query: PageQuery, bounds: PageBounds): Promise<PeerPage> {
  const time = deadline(bounds.timeoutMs, bounds.signal);
  try {
    const { labelSelector, fieldSelector, where } = query;
    const path = peerPath(query.kind, {
      limit: query.limit,
      ...(query.continue === '' ? {} : { continue: query.continue }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(where === undefined ? {} : { where }),
    });
    const response = await time.race(
      api.request(peer, {
        user: query.user,
        method: 'GET',
        path,
        accept: ROWS_MEDIA_TYPE,
        timeoutMs: bounds.timeoutMs,
        signal: time.signal,
      }),
    );
    const parts = response.body[Symbol.asyncIterator]();
    try {
      if (response.status !== 200) return await refusal(response, () => time.race(parts.next()));
      return await readPage(new RowsDecoder({ kind: query.kind, peer }, query), () => time.race(parts.next()), bounds.maxBytes);
    } finally {
      void parts.return?.()?.catch(() => undefined);
    }
  } catch (error) {
    return { outcome: 'failed', reason: reasonOf(error) };
  } finally {
    time.end();
  }
}

async function readPage(decoder: RowsDecoder, next: () => Promise<IteratorResult<Uint8Array>>, maxBytes: number): Promise<PeerPage> {
  while (decoder.end === undefined) {
    const part = await next();
    if (part.done === true) throw new DtkdError('PEER_AWAY', 'its answer broke off');
    decoder.push(part.value);
    if (decoder.bytes > maxBytes && decoder.end === undefined) break;
  }
  const { rows, resourceVersion = '', end } = decoder;
  return { outcome: 'page', rows, resourceVersion, continue: end?.continue ?? '', cut: end === undefined };
}

const statusObject = z.object({ message: z.string() });

/** Reads what a peer answers instead of rows. */
export async function refusal(
  response: Pick<PeerResponse, 'status'>,
  next: () => Promise<IteratorResult<Uint8Array>>,
): Promise<{ outcome: 'denied' | 'failed'; reason: string }> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await next(); part.done !== true && size < MAX_REFUSAL_BYTES; part = await next()) {
    parts.push(part.value);
    size += part.value.length;
  }
  const read = statusObject.safeParse(tryJson(Buffer.concat(parts).subarray(0, MAX_REFUSAL_BYTES).toString('utf8')));
  const said = read.success ? `: ${plain(read.data.message)}` : '';
  if (response.status === 401 || response.status === 403) {
    return { outcome: 'denied', reason: read.success ? plain(read.data.message) : 'it allows nothing of this kind' };
  }
  return { outcome: 'failed', reason: `it answered with status ${response.status}${said}` };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Makes one short line of plain characters from what a peer wrote, since it goes to terminals and headers. */
function plain(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, ' ').trim();
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON)}...` : line;
}

export function reasonOf(error: unknown): string {
  return error instanceof DtkdError ? plain(error.message) : 'it could not be asked';
}
