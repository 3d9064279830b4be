/**
 * Asks a member for its clock, and whether it can reach this node; answers the same questions. Bounds what an answer may cost and reveal:
 * only a few addresses from the asker's own hello are tried, and each member's only once in a while; until then the asker gets the earlier
 * answer. All failures look alike and take the same time, so that nobody can use a daemon as a port scanner. Does not decide what the
 * answers mean.
 */
import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import { type Address, formatAddress } from '../../../../protocol/peers/address.ts';
import {
  decodeReachClock,
  decodeReachQuestion,
  decodeReachTried,
  encodeReachClock,
  encodeReachQuestion,
  encodeReachTried,
  MAX_REACH_ADDRESSES,
  MAX_REACH_FRAME_BYTES,
  type ReachTried,
} from '../../../../protocol/peers/reach.ts';
import { FrameChannel } from '../host/frame-channel.ts';
import type { Host, Link } from '../host/host.types.ts';
import type { Probe } from '../mesh.types.ts';
import { resolveAddress } from './resolve.ts';

/** For all addresses of one try; what has not answered by then counts as not reached. Milliseconds. */
const TRY_MS = 3_000;
/** For one conversation: the try, and some time for a busy machine. Milliseconds. */
const REACH_TIMEOUT_MS = TRY_MS + 2_000;
/** How long the result for a member is repeated before it is tried again. Milliseconds. */
const KEPT_MS = 15_000;
/** Members that are tried at the same time. */
const MAX_TRIES = 4;
/** Addresses tried for one name. */
const MAX_RESOLVED = 2;

type Tried = ReachTried['tried'];

export interface ReachPorts {
  host: Pick<Host, 'dial'>;
  /** What the other side of a link announced in hello. */
  announced(link: Link): readonly Address[];
  now(): number;
  /** Replaces TRY_MS, for tests. */
  tryMs?: number;
  keptMs?: number;
}

export class ReachAnswers {
  readonly #ports: ReachPorts;
  readonly #found = new Map<PeerKey, { at: number; tried: Promise<Tried> }>();
  #running = 0;

  constructor(ports: ReachPorts) {
    this.#ports = ports;
  }

  /** Serves REACH_PROTOCOL. A failure harms only the asker. */
  async serve(stream: Duplex, link: Link): Promise<void> {
    const channel = open(stream);
    try {
      const { reach } = decodeReachQuestion(await receive(channel));
      await channel.sendBytes(encodeReachClock({ now: this.#ports.now() }));
      const tried = reach ? await this.#triedOf(link) : undefined;
      if (tried !== undefined) await channel.sendBytes(encodeReachTried({ tried }));
      channel.finish();
    } catch (error) {
      channel.fail(error);
    }
  }

  /** Undefined while too many other members are being tried. */
  async #triedOf(link: Link): Promise<Tried | undefined> {
    const { keptMs = KEPT_MS } = this.#ports;
    const at = performance.now();
    for (const [peer, found] of this.#found) if (at - found.at >= keptMs) this.#found.delete(peer);
    const known = this.#found.get(link.peer);
    if (known !== undefined) return known.tried;
    if (this.#running >= MAX_TRIES) return undefined;
    this.#running += 1;
    const tried = tryAddresses(this.#ports, link.peer, this.#ports.announced(link)).finally(() => {
      this.#running -= 1;
    });
    this.#found.set(link.peer, { at, tried });
    return tried;
  }
}

async function tryAddresses(
  { host, tryMs = TRY_MS }: Pick<ReachPorts, 'host' | 'tryMs'>,
  peer: PeerKey,
  announced: readonly Address[],
): Promise<Tried> {
  const limit = AbortSignal.timeout(tryMs);
  const late = new Promise<void>((resolve) => limit.addEventListener('abort', () => resolve(), { once: true }));
  const addresses = announced.slice(0, MAX_REACH_ADDRESSES);
  const tried = await Promise.all(
    addresses.map(async (address) => ({
      address: formatAddress(address, -1),
      reached: await Promise.race([reaches(host, peer, address, limit), late.then(() => false)]),
    })),
  );
  // Failures look the same whether they came at once or by timeout.
  if (tried.some(({ reached }) => !reached)) await late;
  return tried;
}

/** True if the member itself answers there. Closes the connection again; the members have another one. */
async function reaches(host: Pick<Host, 'dial'>, peer: PeerKey, address: Address, signal: AbortSignal): Promise<boolean> {
  const resolved = await resolveAddress(address).catch(() => []);
  for (const one of resolved.slice(0, MAX_RESOLVED)) {
    if (signal.aborted) return false;
    try {
      const link = await host.dial(one, peer, signal);
      link.abort('only to see whether it can be reached');
      return true;
    } catch {
      // Try the next address of the name.
    }
  }
  return false;
}

/** Asks the member at the other end. Errors: PEER_AWAY (also if it does not know the protocol), TIMEOUT, FRAME_INVALID. */
export async function askReach(stream: Duplex, { reach, now }: { reach: boolean; now(): number }): Promise<Probe> {
  const channel = open(stream);
  try {
    const asked = now();
    const began = performance.now();
    await channel.sendBytes(encodeReachQuestion({ reach }));
    const clock = decodeReachClock(await receive(channel));
    const roundTrip = performance.now() - began;
    // A member that is busy trying others ends the conversation here.
    const answer = reach ? await channel.read() : undefined;
    const tried = answer === undefined ? undefined : decodeReachTried(answer).tried;
    channel.finish();
    return { ...offsetOf({ asked, roundTrip, theirs: clock.now }), tried };
  } catch (error) {
    channel.fail(error);
    throw error;
  }
}

/** Estimates the other clock's offset. It was read at some moment of the round trip, so half of that bounds the error. Pure. */
export function offsetOf({ asked, roundTrip, theirs }: { asked: number; roundTrip: number; theirs: number }): {
  offsetMs: number;
  boundMs: number;
} {
  return { offsetMs: Math.round(theirs - (asked + roundTrip / 2)), boundMs: Math.ceil(roundTrip / 2) };
}

function open(stream: Duplex): FrameChannel {
  return new FrameChannel(stream, { maxFrameBytes: MAX_REACH_FRAME_BYTES, timeoutMs: REACH_TIMEOUT_MS, totalMs: REACH_TIMEOUT_MS });
}

async function receive(channel: FrameChannel): Promise<Uint8Array> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the peer ended the conversation');
  return frame;
}
