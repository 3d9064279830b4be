/**
 * Checks whether a parcel may be imported: it must be whole and unaltered, and its maker must be a member of each domain to be imported.
 * Changes nothing, so that a refused parcel leaves no trace.
 */
import { createReadStream } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { DtkdError } from '../../../protocol/errors.ts';
import { peerIdOf } from '../../../protocol/ids.ts';
import { MAX_ITEMS_BYTES } from '../../../protocol/limits.ts';
import type { FrameOf } from '../../../protocol/parcel/parcel.ts';
import { type ReadFrame, readParcel } from '../../../protocol/parcel/reader.ts';
import type { ParcelDomain, ParcelsOptions, Refused } from './parcels.types.ts';

/** Overhead counted for each item, so that empty ones are not free. */
const ITEM_OVERHEAD_BYTES = 100;

export interface CheckedDomain {
  domain: ParcelDomain;
  frame: FrameOf<'domain'>;
  /** The number of facts that are new here, and the facts rejected. */
  preview: { added: number; rejected: readonly Refused[] };
  /** Whether a key would be a member's, given these facts. */
  isMember(key: string): boolean;
}

export interface CheckedParcel {
  id: string;
  made: number;
  domains: CheckedDomain[];
  /** Names of the domains that this node is not in. */
  skipped: string[];
}

/** The frames of a file. Yields to the event loop after each, since thousands of small ones may come from the disk at once. */
export async function* framesOf(path: string): AsyncGenerator<ReadFrame> {
  for await (const read of readParcel(createReadStream(path, { highWaterMark: 1024 * 1024 }))) {
    yield read;
    await turn();
  }
}

/** Reads and checks a whole parcel. Errors: PARCEL_INVALID, PARCEL_ALTERED, VERSION_TOO_OLD, NOT_A_MEMBER, NOT_FOUND, QUOTA_EXCEEDED. */
export async function checkParcel(
  path: string,
  { domain: domainNamed }: Pick<ParcelsOptions, 'domain'>,
  signal: AbortSignal,
): Promise<CheckedParcel> {
  let head: FrameOf<'head'> | undefined;
  const frames: FrameOf<'domain'>[] = [];
  const items = new Map<string, Uint8Array[]>();
  let bytes = 0;
  for await (const { frame, section } of framesOf(path)) {
    signal.throwIfAborted();
    if (frame.type === 'head') head = frame;
    if (frame.type === 'domain') {
      frames.push(frame);
      bytes = 0;
    }
    if (frame.type === 'items' && section?.domain !== undefined && isHere(domainNamed, section.domain, frames.at(-1)?.name)) {
      bytes += frame.items.reduce((sum, item) => sum + item.length + ITEM_OVERHEAD_BYTES, 0);
      if (bytes > MAX_ITEMS_BYTES) throw new DtkdError('QUOTA_EXCEEDED', 'the bundle has more facts than a domain can have');
      const those = items.get(section.domain) ?? [];
      for (const item of frame.items) those.push(item);
      items.set(section.domain, those);
    }
  }
  if (head === undefined) throw new DtkdError('PARCEL_INVALID', 'the bundle has no head');
  const domains: CheckedDomain[] = [];
  const skipped: string[] = [];
  for (const frame of frames) {
    const domain = domainNamed(frame.name);
    if (domain?.id === frame.domain) domains.push(await judgeMaker(domain, frame, items.get(frame.domain) ?? []));
    else skipped.push(frame.name);
  }
  if (domains.length === 0) throw notHere(frames, domainNamed);
  return { id: head.id, made: head.made, domains, skipped };
}

function isHere(domainNamed: ParcelsOptions['domain'], id: string, name: string | undefined): boolean {
  return name !== undefined && domainNamed(name)?.id === id;
}

async function judgeMaker(domain: ParcelDomain, frame: FrameOf<'domain'>, items: readonly Uint8Array[]): Promise<CheckedDomain> {
  const { standing, added, rejected } = await domain.preview(items);
  const how = standing(frame.maker);
  if (how !== 'member') {
    const who = `the maker of the bundle (id ${peerIdOf(frame.maker)})`;
    const what = how === 'removed' ? 'was removed from' : 'is not a member of';
    throw new DtkdError('NOT_A_MEMBER', `${who} ${what} the domain "${frame.name}"`, {
      next: 'Use a bundle that a current member of the domain has exported.',
      details: { domain: frame.name, maker: peerIdOf(frame.maker) },
    });
  }
  return { domain, frame, preview: { added, rejected }, isMember: (key) => standing(key as FrameOf<'domain'>['maker']) === 'member' };
}

function notHere(frames: readonly FrameOf<'domain'>[], domainNamed: ParcelsOptions['domain']): DtkdError {
  const [first] = frames;
  if (first === undefined) return new DtkdError('PARCEL_INVALID', 'the bundle belongs to no domain');
  const names = frames.map(({ name }) => `"${name}"`).join(', ');
  const other = frames.find(({ name }) => domainNamed(name) !== undefined);
  if (other !== undefined) {
    return new DtkdError('NOT_A_MEMBER', `the bundle belongs to another domain with the name "${other.name}"`, {
      next: 'Use a bundle that a member of this domain has exported.',
    });
  }
  return new DtkdError('NOT_A_MEMBER', `this node is not in ${frames.length === 1 ? 'the domain' : 'any of the domains'} ${names}`, {
    next: 'A bundle only keeps members up to date. To become a member, join with an invite through a member that answers ("dtkd domain join").',
  });
}
