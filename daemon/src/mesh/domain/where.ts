/** Asks members where another one is whose address is unknown here, and answers that question. */
import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import { type Address, formatAddress } from '../../../../protocol/peers/address.ts';
import { MAX_PEER_ADDRESSES } from '../../../../protocol/peers/hello.ts';
import {
  decodeWhereAnswer,
  decodeWhereQuestion,
  encodeWhereAnswer,
  encodeWhereQuestion,
  MAX_WHERE_FRAME_BYTES,
  WHERE_PROTOCOL,
} from '../../../../protocol/peers/whereabouts.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Link } from '../host/host.types.ts';
import { type AddressBook, parseAddresses } from './address-book.ts';

/** One round trip between connected members; a request waits for it. */
const WHERE_TIMEOUT_MS = 2_000;

/**
 * Asks the other side of each link. Those that know nothing or do not answer in time add nothing. The most credible addresses come first.
 */
export async function askWhere(links: readonly Link[], key: PeerKey): Promise<Address[]> {
  return weigh(await Promise.all(links.map((link) => askOne(link, key).catch(() => []))));
}

/**
 * Orders addresses by how many name them, then by how early they are named. Few addresses are kept and tried, and a member that names many
 * wrong ones must not keep out the right one of another.
 */
export function weigh(answers: readonly (readonly Address[])[]): Address[] {
  const named = new Map<string, { address: Address; votes: number; place: number }>();
  for (const answer of answers) {
    const once = new Map(answer.map((address) => [formatAddress(address, -1), address]));
    for (const [place, [text, address]] of [...once].entries()) {
      const known = named.get(text) ?? { address, votes: 0, place };
      named.set(text, { address, votes: known.votes + 1, place: Math.min(known.place, place) });
    }
  }
  return [...named.values()].sort((a, b) => b.votes - a.votes || a.place - b.place).map(({ address }) => address);
}

async function askOne(link: Link, key: PeerKey): Promise<Address[]> {
  const channel = open(await link.open(WHERE_PROTOCOL, AbortSignal.timeout(WHERE_TIMEOUT_MS)));
  try {
    await channel.sendBytes(encodeWhereQuestion({ key }));
    const { addresses } = decodeWhereAnswer(await receive(channel));
    channel.finish();
    return parseAddresses(addresses);
  } catch (error) {
    channel.fail(error);
    throw error;
  }
}

/** Serves WHERE_PROTOCOL. Reveals nothing of a key that is not a present member's. */
export async function answerWhere(
  stream: Duplex,
  { book, isMember }: { book: AddressBook; isMember(key: PeerKey): boolean },
): Promise<void> {
  const channel = open(stream);
  try {
    const { key } = decodeWhereQuestion(await receive(channel));
    const addresses = isMember(key) ? book.of(key).slice(0, MAX_PEER_ADDRESSES) : [];
    await channel.sendBytes(encodeWhereAnswer({ addresses: addresses.map((address) => formatAddress(address, -1)) }));
    channel.finish();
  } catch (error) {
    // Only the asker is harmed.
    channel.fail(error);
  }
}

function open(stream: Duplex): FrameChannel {
  return new FrameChannel(stream, { maxFrameBytes: MAX_WHERE_FRAME_BYTES, timeoutMs: WHERE_TIMEOUT_MS, totalMs: WHERE_TIMEOUT_MS });
}

async function receive(channel: FrameChannel): Promise<Uint8Array> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the peer ended the conversation');
  return frame;
}
