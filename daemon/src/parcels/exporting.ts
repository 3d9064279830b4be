/** Makes a parcel. Reads each frame's contents only when the frame is requested, and holds one frame at a time. Writes nothing to disk. */
import { randomBytes } from 'node:crypto';
import { DtkdError } from '../../../protocol/errors.ts';
import { itemBatches } from '../../../protocol/membership/join.ts';
import { PARCEL_PIECE_BYTES, type ParcelHead } from '../../../protocol/parcel/parcel.ts';
import type { ParcelRequest } from '../../../protocol/parcel/request.ts';
import { ParcelWriter } from '../../../protocol/parcel/writer.ts';
import type { CarriedModule, ParcelDomain, ParcelModules, ParcelsOptions } from './parcels.types.ts';

export interface ExportPlan {
  id: string;
  domains: { domain: ParcelDomain; heads: ParcelHead[]; theirs: readonly ParcelHead[]; partial: boolean }[];
  modules: CarriedModule[];
  orders: boolean;
}

export function newParcelId(): string {
  return randomBytes(16).toString('hex');
}

/** The bytes of a parcel. */
export async function* writeParcel(
  { id, domains, modules, orders }: ExportPlan,
  { orders: carried, program, now }: Pick<ParcelsOptions, 'orders' | 'program' | 'now'>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const writer = new ParcelWriter();
  yield writer.begin({ id, made: now(), program });
  if (modules.length > 0) yield writer.frame({ type: 'section', name: 'modules' });
  for (const module of modules) yield* moduleFrames(writer, module);
  for (const { domain, heads, theirs, partial } of domains) {
    yield writer.frame({ type: 'section', name: 'facts', domain: domain.id });
    const { id: of, name, self: maker, selfName: makerName } = domain;
    yield writer.frame({ type: 'domain', domain: of, name, maker, makerName, heads, partial });
    for (const items of itemBatches(domain.items())) {
      if (items.length > 0) yield writer.frame({ type: 'items', items: [...items] });
    }
    yield writer.frame({ type: 'section', name: 'logs', domain: domain.id });
    for await (const entries of domain.entries(theirs)) {
      signal.throwIfAborted();
      yield writer.frame({ type: 'entries', entries });
    }
    if (!orders) continue;
    yield writer.frame({ type: 'section', name: 'orders', domain: domain.id });
    for await (const order of carried.orders({ domain: of, self: maker }, signal)) yield writer.frame(order);
    yield writer.frame({ type: 'section', name: 'answers', domain: domain.id });
    for await (const answer of carried.answers({ domain: of, self: maker }, signal)) yield writer.frame(answer);
  }
  signal.throwIfAborted();
  const byId = new Map(domains.map(({ domain }) => [domain.id, domain]));
  yield writer.end((of, bytes) => {
    const domain = byId.get(of.domain);
    if (domain === undefined) throw new DtkdError('INTERNAL', 'a domain without a maker');
    return domain.seal(bytes);
  });
}

async function* moduleFrames(
  writer: ParcelWriter,
  { digest, size, statement, signature, bytes }: CarriedModule,
): AsyncGenerator<Uint8Array> {
  yield writer.frame({ type: 'module', digest, size, statement, signature });
  let left = size;
  for await (const chunk of bytes()) {
    for (let at = 0; at < chunk.length; at += PARCEL_PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PARCEL_PIECE_BYTES);
      left -= piece.length;
      yield writer.frame({ type: 'piece', bytes: piece });
    }
  }
  if (left !== 0)
    throw new DtkdError('CONTENT_ALTERED', `the archive of a module (${digest.slice(0, 12)}…) was altered on this node's disk`);
}

/**
 * The requested modules, without those that the other side has. `mayRead` decides whether the principal may export a module that is neither
 * offered to nor needed by these domains. Errors: NOT_FOUND.
 */
export async function chooseModules(
  modules: ParcelModules,
  wanted: ParcelRequest['modules'],
  {
    domains,
    have,
    mayRead,
  }: { domains: readonly Pick<ParcelDomain, 'id' | 'name'>[]; have: ReadonlySet<string>; mayRead(module: CarriedModule): Promise<boolean> },
): Promise<CarriedModule[]> {
  if (wanted === 'none') return [];
  const names = new Set(domains.map(({ name }) => name));
  const waiting = modules.waiting(new Set(domains.map(({ id }) => id)));
  const lacking = (module: CarriedModule) => !have.has(module.digest);
  const all: CarriedModule[] = [];
  for (const module of await modules.list()) {
    const isNeeded = module.inDomains.some((name) => names.has(name)) || waiting.has(module.digest);
    if (isNeeded || (wanted !== 'needed' && (await mayRead(module)))) all.push(module);
  }
  if (wanted === 'needed' || wanted === 'all') return all.filter(lacking);
  const chosen = new Map<string, CarriedModule>();
  for (const name of wanted) {
    const found = all.filter((module) => module.name === name || `${module.name}:${module.version}` === name || module.digest === name);
    if (found.length === 0) {
      throw new DtkdError('NOT_FOUND', `there is no module "${name.slice(0, 120)}" on this node`, { next: 'See "dtkd module ls".' });
    }
    for (const module of found) if (lacking(module)) chosen.set(module.digest, module);
  }
  return [...chosen.values()];
}
