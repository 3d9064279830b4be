/**
 * The joining side: finds a member at the given address (or the hints in the token), verifies that it is one, and asks for admission.
 * Stores nothing; the items that it returns make this node a member.
 */
import { randomBytes } from 'node:crypto';
import { DtkdError, type ErrorCode } from '../../../../protocol/errors.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { MAX_JOIN_FRAME_BYTES } from '../../../../protocol/limits.ts';
import {
  decodeJoinMessage,
  encodeJoinMessage,
  fromRefusal,
  ItemCollector,
  type JoinMessage,
} from '../../../../protocol/membership/join.ts';
import type { Token } from '../../../../protocol/membership/token.ts';
import { type Address, formatAddress, parseAddress } from '../../../../protocol/peers/address.ts';
import { within } from '../../signals/within.ts';
import { resolveAddress } from '../domain/resolve.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Host, Link } from '../host/host.types.ts';
import { isUnserved, UPGRADE_OLDER } from '../host/other-version.ts';
import { firstAnswer } from '../host/packets-lost.ts';
import { checkProof, makeEnrolment, makeOffer } from '../membership/join-attempt.ts';
import { JOIN_PROTOCOL, REDIRECT_PORT } from './join-server.ts';

/** For negotiating the protocol on an established connection. */
const OPEN_TIMEOUT_MS = 5_000;
/** For each frame: the admitter verifies, writes and syncs, and the items of a full domain are large. */
const JOIN_TIMEOUT_MS = 15_000;
/** How often a busy admitter is asked, with a wait that doubles. */
const BUSY_TRIES = 4;
const BUSY_WAIT_MS = 500;

/** Errors after which the next address is worth a try: nobody there, or nobody that could help. */
const TRY_ELSEWHERE: readonly ErrorCode[] = [
  'ADDRESS_UNREACHABLE',
  'NOT_DTKD',
  'VERSION_TOO_OLD',
  'PEER_AWAY',
  'TIMEOUT',
  'PACKETS_LOST',
  'TOO_MANY_REQUESTS',
  'INTERNAL',
];

export interface JoinRequest {
  host: Host;
  self: SigningKey;
  token: Token;
  address: Address;
  nodeName: string;
  replace: string | undefined;
  now(): number;
  /** Keys of this node's own hosts. */
  isOwnKey(key: PeerKey): boolean;
  /** Kept by the caller while the attempt lasts, so that a node recognises its own offer. */
  nonce: Uint8Array;
  /** `asking` is awaited before an enrolment is sent; `refused` is called when a member refused it. */
  pending: { asking(): Promise<void>; refused(): void };
  signal: AbortSignal;
}

export interface Joined {
  items: Uint8Array[];
  link: Link;
  /** The address where it was admitted if not the given one, and what was wrong with that one. */
  elsewhere?: { address: string; failure: string };
}

export function makeNonce(): Uint8Array {
  return Uint8Array.from(randomBytes(16));
}

/** Tries the address, then the token's hints. Throws the error of the given address, unless a member refused. */
export async function joinDomain(request: JoinRequest): Promise<Joined> {
  let failure: unknown;
  for (const candidate of candidates(request)) {
    try {
      const joined = await tryAddress(request, candidate);
      return failure instanceof DtkdError
        ? { ...joined, elsewhere: { address: formatAddress(candidate), failure: failure.message } }
        : joined;
    } catch (error) {
      request.signal.throwIfAborted();
      failure ??= error;
      if (!(error instanceof DtkdError) || !TRY_ELSEWHERE.includes(error.code)) throw error;
    }
  }
  throw failure;
}

function candidates({ address, token }: JoinRequest): Address[] {
  const hints = token.hints.flatMap((hint) => {
    try {
      return [parseAddress(hint)];
    } catch {
      return [];
    }
  });
  return [address, ...hints.filter(({ host, port }) => host !== address.host || port !== address.port)];
}

async function tryAddress(request: JoinRequest, named: Address): Promise<Joined> {
  let failure: unknown;
  for (const address of await resolveAddress(named)) {
    try {
      return await tryHost(request, address);
    } catch (error) {
      request.signal.throwIfAborted();
      failure ??= error;
      if (!(error instanceof DtkdError) || !TRY_ELSEWHERE.includes(error.code)) throw error;
    }
  }
  throw failure;
}

async function tryHost(request: JoinRequest, address: Address): Promise<Joined> {
  let wait = BUSY_WAIT_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await converse(request, address);
    } catch (error) {
      const port = redirectOf(error);
      if (port !== undefined && port !== address.port) return converse(request, { host: address.host, port });
      if (!(error instanceof DtkdError) || error.code !== 'TOO_MANY_REQUESTS' || attempt >= BUSY_TRIES) throw error;
      await pause(wait, request.signal);
      wait *= 2;
    }
  }
}

function redirectOf(error: unknown): number | undefined {
  const port = error instanceof DtkdError && error.code === 'TOKEN_WRONG_DOMAIN' ? error.details?.[REDIRECT_PORT] : undefined;
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port <= 65_535 ? port : undefined;
}

async function converse(request: JoinRequest, address: Address): Promise<Joined> {
  const { host, self, token, nodeName, replace, now, isOwnKey, nonce, signal } = request;
  const link = await host.dial(address, undefined, signal);
  try {
    if (isOwnKey(link.peer)) {
      throw new DtkdError('OURSELVES', 'the address leads back to this node itself', {
        next: 'Give the address of another node of the domain.',
      });
    }
    const channel = new FrameChannel(await open(link, address, signal), {
      maxFrameBytes: MAX_JOIN_FRAME_BYTES,
      timeoutMs: JOIN_TIMEOUT_MS,
    });
    await channel.sendBytes(encodeJoinMessage(makeOffer(token, now(), nonce)));
    await checkProof(token, await firstAnswer(gather(channel, 'proof')), link.peer);
    const enrolment = encodeJoinMessage(makeEnrolment(token, self, { name: nodeName, replace }));
    await request.pending.asking();
    await channel.sendBytes(enrolment);
    const items = await gather(channel, 'welcome', () => request.pending.refused());
    channel.finish();
    return { items, link };
  } catch (error) {
    link.abort('the join failed');
    throw error;
  }
}

async function open(link: Link, address: Address, signal: AbortSignal) {
  try {
    return await link.open(JOIN_PROTOCOL, within(OPEN_TIMEOUT_MS, signal));
  } catch (cause) {
    if (isUnserved(cause)) {
      const where = `what listens at ${address.host}, port ${address.port}`;
      throw new DtkdError('VERSION_TOO_OLD', `${where}, runs another version of dtkd, without ${JOIN_PROTOCOL}, or is something else`, {
        cause,
        next: `${UPGRADE_OLDER} Check that the port is the mesh port, 7701 unless set otherwise.`,
      });
    }
    throw new DtkdError('NOT_DTKD', `what listens at ${address.host}, port ${address.port}, does not admit nodes to a domain`, {
      cause,
      next: 'Check the address and the port: it must be the mesh port, 7701 unless set otherwise.',
    });
  }
}

/** Collects the items of all frames of one kind. A refusal is thrown as the error that it carries. */
async function gather(channel: FrameChannel, type: 'proof' | 'welcome', onRefusal: () => void = () => {}): Promise<Uint8Array[]> {
  const collector = new ItemCollector();
  for (;;) {
    const message = await receive(channel);
    if (message.type === 'refusal') {
      const refusal = fromRefusal(message);
      // After an internal failure, the member may have admitted us all the same.
      if (refusal.code !== 'INTERNAL') onRefusal();
      throw refusal;
    }
    if (message.type !== type) throw new DtkdError('FRAME_INVALID', `a message of type ${message.type} came in place of ${type}`);
    if (collector.add(message)) return collector.items;
  }
}

async function receive(channel: FrameChannel): Promise<JoinMessage> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the connection to the member was lost while this node was joining');
  return decodeJoinMessage(frame);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
