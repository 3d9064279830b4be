/**
 * Bundle files: `POST …/daemon/parcel/export` answers with a new one, `POST …/daemon/parcel` imports one. Both are streamed.
 * `ApiParcels` decides for which domains a user may do so.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_PARCEL_REQUEST_BYTES } from '../../../../protocol/parcel/request.ts';
import type { ApiParcels } from '../api.types.ts';
import { begin } from '../deciding/deciding.ts';
import { DAEMON_GROUP } from '../discovery/discovery.ts';
import { linkSignals } from '../flow/linked-signal.ts';
import { allowLong } from '../request/body-patience.ts';
import { assertJson } from '../request/media.ts';
import { type Api, type ApiContext, answerJson, assertNoTrial, isDryRun, readJson } from '../request/request.ts';
import { isRemote } from '../views/visibility.ts';
import { answerMade } from './made-bytes.ts';

const NAME = 'parcel';

/** Streams a new bundle at the client's pace. */
export async function exportParcel(api: Api, c: ApiContext): Promise<Response> {
  const parcels = open(api, c, 'export');
  assertJson(c.req.header('content-type'));
  const request = await readJson(c, MAX_PARCEL_REQUEST_BYTES);
  return answerMade(api, c, { what: 'bundle', type: 'application/octet-stream' }, (signal) =>
    parcels.export(c.get('principal'), request, signal),
  );
}

/** Imports a bundle, and answers with the result. */
export async function importParcel(api: Api, c: ApiContext): Promise<Response> {
  const parcels = open(api, c, 'import');
  const incoming = c.env?.incoming;
  if (incoming !== undefined) allowLong(incoming);
  const source = incoming === undefined ? (c.req.raw.body ?? []) : incoming.iterator({ destroyOnReturn: false });
  const { signal, release } = linkSignals([c.req.raw.signal, api.closing]);
  try {
    return answerJson(c, await parcels.import(c.get('principal'), bytesOf(source), { dryRun: isDryRun(c), signal }));
  } finally {
    release();
  }
}

/** The chunks of a body. Throws if it breaks off. */
async function* bytesOf(source: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of source) if (chunk instanceof Uint8Array) yield chunk;
  } catch (cause) {
    throw cause instanceof DtkdError
      ? cause
      : new DtkdError('BAD_REQUEST', 'the connection ended before the whole bundle had arrived', { cause });
  }
}

function open(api: Api, c: ApiContext, what: 'export' | 'import'): ApiParcels {
  c.set('about', { group: DAEMON_GROUP, kind: 'daemon', name: NAME });
  begin(c, `POST ${NAME} ${what}`, { kind: { group: DAEMON_GROUP, plural: 'daemon' }, namespace: '', name: NAME });
  if (what === 'export') assertNoTrial(c, `"${NAME}/export"`);
  const principal = c.get('principal');
  if (isRemote(principal))
    throw new DtkdError('FORBIDDEN', 'bundles are for users of this node only', {
      next: 'Send the request to that node, with a token of that node.',
    });
  c.get('note').because = principal.type === 'operator' ? 'the operator of this node' : 'decided for each domain';
  if (api.parcels === undefined) throw new DtkdError('UNAVAILABLE', 'this node makes no bundles');
  return api.parcels;
}
