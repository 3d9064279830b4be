/**
 * Makes two members' sets of membership items equal: each side lists what it has, then sends what the other lacks. The membership verifies
 * everything received; the total is bounded.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_ITEMS_BYTES } from '../../../../protocol/limits.ts';
import { fromRefusal, itemBatches } from '../../../../protocol/membership/join.ts';
import { decodeHello, encodeHello, type HelloMessage, MAX_IDS_PER_FRAME } from '../../../../protocol/peers/hello.ts';
import type { FrameChannel } from '../host/frame-channel.ts';
import type { Membership } from '../membership/membership.types.ts';

/** Ids that a peer may list: more than the limits of a domain allow it to have. */
const MAX_IDS = 65_536;

/** Runs the exchange on an open conversation; the dialler (`first`) lists its ids first. */
export async function exchangeFacts(channel: FrameChannel, membership: Membership, first: boolean): Promise<void> {
  let theirs: Set<string>;
  if (first) {
    await sendIds(channel, membership);
    theirs = await receiveIds(channel, membership);
  } else {
    theirs = await receiveIds(channel, membership);
    await sendIds(channel, membership);
  }
  const lacking = membership.items().filter(({ id }) => !theirs.has(id));
  // Both at once: otherwise each side's window could fill while neither reads.
  await Promise.all([sendItems(channel, lacking), receiveItems(channel, membership)]);
}

export async function sendItems(channel: FrameChannel, items: readonly { bytes: Uint8Array }[]): Promise<void> {
  const batches = itemBatches(items);
  for (const [index, batch] of batches.entries()) {
    await channel.sendBytes(encodeHello({ type: 'items', items: batch, more: index < batches.length - 1 }));
  }
}

async function receiveItems(channel: FrameChannel, membership: Membership): Promise<void> {
  let bytes = 0;
  for (let more = true; more; ) {
    const message = await receiveHello(channel);
    if (message.type !== 'items') throw unexpected(message);
    bytes += sizeOf(message.items);
    if (bytes > MAX_ITEMS_BYTES) throw new DtkdError('QUOTA_EXCEEDED', 'the peer sent more facts than a domain can have');
    if (message.items.length > 0) await membership.add(message.items);
    more = message.more;
  }
}

async function sendIds(channel: FrameChannel, membership: Membership): Promise<void> {
  const ids = membership.items().map(({ id }) => id);
  let at = 0;
  do {
    const part = ids.slice(at, at + MAX_IDS_PER_FRAME);
    at += MAX_IDS_PER_FRAME;
    await channel.sendBytes(encodeHello({ type: 'ids', ids: part, more: at < ids.length }));
  } while (at < ids.length);
}

async function receiveIds(channel: FrameChannel, membership: Membership): Promise<Set<string>> {
  const ids = new Set<string>();
  let bytes = 0;
  for (;;) {
    const message = await receiveHello(channel);
    if (message.type === 'items') {
      // The proof of our removal, in place of its ids. The refusal follows.
      bytes += sizeOf(message.items);
      if (bytes > MAX_ITEMS_BYTES) throw new DtkdError('QUOTA_EXCEEDED', 'the peer sent more facts than a domain can have');
      await membership.add(message.items);
      continue;
    }
    if (message.type !== 'ids') throw unexpected(message);
    for (const id of message.ids) ids.add(id);
    if (ids.size > MAX_IDS) throw new DtkdError('QUOTA_EXCEEDED', 'the peer named more facts than a domain can have');
    if (!message.more) return ids;
  }
}

export function sizeOf(items: readonly Uint8Array[]): number {
  return items.reduce((sum, item) => sum + item.length, 0);
}

/** The next message of hello. A refusal is thrown as the error that it carries. */
export async function receiveHello(channel: FrameChannel): Promise<Exclude<HelloMessage, { type: 'refusal' }>> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the peer ended the hello');
  const message = decodeHello(frame);
  if (message.type === 'refusal') throw fromRefusal(message);
  return message;
}

export function unexpected(message: HelloMessage): DtkdError {
  return new DtkdError('FRAME_INVALID', `a message of type ${message.type} came where it does not belong`);
}
