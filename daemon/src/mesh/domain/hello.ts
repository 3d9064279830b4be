/**
 * Hello, the first conversation on every connection: each side proves that it is a member, both make their facts equal, and only then do
 * they tell where they are and what they serve. Guarantees that no link is admitted unless its key is a member by everything that both
 * sides know. A removed node gets the proof of its removal; one whose admission became void gets the proof of that.
 */

import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import { MAX_ITEMS_BYTES } from '../../../../protocol/limits.ts';
import { itemBatches, PADDING, toRefusal } from '../../../../protocol/membership/join.ts';
import { encodeHello, HELLO_VERSION, type HelloAbout, MAX_HELLO_FRAME_BYTES } from '../../../../protocol/peers/hello.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Link } from '../host/host.types.ts';
import { firstAnswer } from '../host/packets-lost.ts';
import type { Membership, SignedItem } from '../membership/membership.types.ts';
import { exchangeFacts, receiveHello, sendItems, sizeOf, unexpected } from './facts-exchange.ts';

/** For each frame: verifying a chain and its fsync take milliseconds, on a busy machine some hundred. */
const HELLO_TIMEOUT_MS = 5_000;
/** For the whole hello: a dial counts as under way until its hello has ended, and their number is limited. */
const HELLO_TOTAL_MS = 15_000;

export interface HelloPorts {
  membership: Membership;
  about(link: Link): Promise<HelloAbout>;
}

/** The dialler's side. Resolves, with the link admitted, with what the other side tells of itself. */
export async function greet(stream: Duplex, link: Link, ports: HelloPorts): Promise<HelloAbout> {
  const channel = open(stream);
  try {
    const mine = await sendChain(channel, ports.membership);
    const theirs = await firstAnswer(receiveChain(channel, ports.membership));
    await judge(channel, link.peer, theirs.items, ports.membership);
    if (mine !== theirs.digest) await exchangeFacts(channel, ports.membership, true);
    await judge(channel, link.peer, theirs.items, ports.membership);
    const introduction = encodeHello(await ports.about(link));
    admit(link, ports.membership);
    await channel.sendBytes(introduction);
    const about = await receiveAbout(channel, ports.membership);
    channel.finish();
    return about;
  } catch (error) {
    channel.finish();
    throw error;
  }
}

/** The dialled side. Resolves once the link is admitted and the other side was told about this node. */
export async function answerHello(stream: Duplex, link: Link, ports: HelloPorts): Promise<HelloAbout> {
  const channel = open(stream);
  try {
    const theirs = await receiveChain(channel, ports.membership);
    await judge(channel, link.peer, theirs.items, ports.membership);
    const mine = await sendChain(channel, ports.membership);
    if (mine !== theirs.digest) await exchangeFacts(channel, ports.membership, false);
    const about = await receiveAbout(channel, ports.membership);
    const introduction = encodeHello(await ports.about(link));
    await judge(channel, link.peer, theirs.items, ports.membership);
    admit(link, ports.membership);
    await channel.sendBytes(introduction);
    channel.finish();
    return about;
  } catch (error) {
    channel.finish();
    throw error;
  }
}

function open(stream: Duplex): FrameChannel {
  return new FrameChannel(stream, { maxFrameBytes: MAX_HELLO_FRAME_BYTES, timeoutMs: HELLO_TIMEOUT_MS, totalMs: HELLO_TOTAL_MS });
}

/** Returns the digest that it sent. */
async function sendChain(channel: FrameChannel, membership: Membership): Promise<string> {
  const digest = membership.digest();
  const batches = itemBatches(membership.chainOf(membership.self));
  for (const [index, items] of batches.entries()) {
    const more = index < batches.length - 1;
    const { domain } = membership;
    const padded = index === 0 ? { padding: PADDING } : {};
    await channel.sendBytes(encodeHello({ type: 'chain', version: HELLO_VERSION, domain, digest, items, more, ...padded }));
  }
  return digest;
}

/** What a side sends first: the digest of all its items, and the items that make it a member. */
interface Chain {
  digest: string;
  items: readonly Uint8Array[];
}

/** Receives and stores the other side's chain. */
async function receiveChain(channel: FrameChannel, membership: Membership): Promise<Chain> {
  const items: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const message = await receiveHello(channel);
    if (message.type === 'items') {
      // The proof of our removal; the refusal follows.
      bytes += sizeOf(message.items);
      if (bytes > MAX_ITEMS_BYTES) throw tooMany();
      await membership.add(message.items);
      continue;
    }
    if (message.type !== 'chain') throw unexpected(message);
    if (message.domain !== membership.domain) {
      await refuse(channel, new DtkdError('NOT_A_MEMBER', 'this port does not serve that domain'));
    }
    bytes += sizeOf(message.items);
    if (bytes > MAX_ITEMS_BYTES) throw tooMany();
    await membership.add(message.items);
    items.push(...message.items);
    if (!message.more) return { digest: message.digest, items };
  }
}

async function receiveAbout(channel: FrameChannel, membership: Membership): Promise<HelloAbout> {
  let bytes = 0;
  for (;;) {
    const message = await receiveHello(channel);
    if (message.type === 'about') return message;
    if (message.type !== 'items') throw unexpected(message);
    bytes += sizeOf(message.items);
    if (bytes > MAX_ITEMS_BYTES) throw tooMany();
    await membership.add(message.items);
  }
}

/** Refuses a key that is not a live member, with the proof if it was one. */
async function judge(channel: FrameChannel, peer: PeerKey, chain: readonly Uint8Array[], membership: Membership): Promise<void> {
  const state = membership.state();
  const removed = state.removed.get(peer);
  if (removed !== undefined) {
    await sendItems(channel, proofOfRemoval(membership, removed.fact));
    await refuse(channel, new DtkdError('REMOVED', removed.left ? 'this key has left the domain' : 'this key was removed from the domain'));
  }
  if (state.members.has(peer)) return;
  const proof = await membership.proofOfFall(peer, chain);
  if (proof.length > 0) await sendItems(channel, proof);
  await refuse(channel, new DtkdError('NOT_A_MEMBER', 'this key is not a member of the domain'));
}

/** Checks the membership again and admits in one step, so that a member removed while `judge` was returning is not let in. */
function admit(link: Link, membership: Membership): void {
  if (!membership.state().members.has(link.peer)) throw new DtkdError('NOT_A_MEMBER', 'this key is no longer a member of the domain');
  link.admit();
}

function proofOfRemoval(membership: Membership, fact: string): SignedItem[] {
  const chain = membership.chainOf(membership.self);
  const proof = membership.items().filter(({ id }) => id === fact && !chain.some((item) => item.id === id));
  return [...chain, ...proof];
}

async function refuse(channel: FrameChannel, error: DtkdError): Promise<never> {
  await channel.sendBytes(encodeHello(toRefusal(error)));
  throw error;
}

function tooMany(): DtkdError {
  return new DtkdError('QUOTA_EXCEEDED', 'the peer sent more facts than a domain can have');
}
