/** Asks members where another one is, and answers that question: for a member of which this node knows no address. */
import type { Duplex } from 'node:stream';
import { type Address, formatAddress } from '../../../../protocol/address.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_PEER_ADDRESSES } from '../../../../protocol/hello.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import {
  decodeWhereAnswer,
  decodeWhereQuestion,
  encodeWhereAnswer,
  encodeWhereQuestion,
  MAX_WHERE_FRAME_BYTES,
  WHERE_PROTOCOL,
} from '../../../../protocol/whereabouts.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Link } from '../host/host.types.ts';
import { type AddressBook, parseAddresses } from './address-book.ts';

/** One round trip between two that are connected; a request waits for it. */
const WHERE_TIMEOUT_MS = 2_000;

/** Asks the other side of each link; those that know nothing, or do not answer, add nothing. */
export async function askWhere(links: readonly Link[], key: PeerKey): Promise<Address[]> {
  const answers = await Promise.all(links.map((link) => askOne(link, key).catch(() => [])));
  return answers.flat();
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

/** Serves WHERE_PROTOCOL. */
export async function answerWhere(stream: Duplex, book: AddressBook): Promise<void> {
  const channel = open(stream);
  try {
    const { key } = decodeWhereQuestion(await receive(channel));
    const addresses = book.of(key).slice(0, MAX_PEER_ADDRESSES);
    await channel.sendBytes(encodeWhereAnswer({ addresses: addresses.map((address) => formatAddress(address, -1)) }));
    channel.finish();
  } catch (error) {
    // It harms nobody but the asker.
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
