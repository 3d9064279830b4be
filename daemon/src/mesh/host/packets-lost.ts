/** Recognises lost large packets: a connection is established, and the first answer on it does not come. */
import { DtkdError } from '../../../../protocol/errors.ts';

/** The other side gives up, and cuts the connection, after about this time. Milliseconds. */
const LATE_MS = 4_000;

/**
 * The first answer of join or hello, or PACKETS_LOST if none comes for long: small packets have passed both ways by then, and the first
 * frames do not fit into one.
 */
export async function firstAnswer<T>(answer: Promise<T>): Promise<T> {
  const began = performance.now();
  try {
    return await answer;
  } catch (cause) {
    const code = cause instanceof DtkdError ? cause.code : undefined;
    if (code !== 'TIMEOUT' && (code !== 'PEER_AWAY' || performance.now() - began < LATE_MS)) throw cause;
    throw new DtkdError(
      'PACKETS_LOST',
      'it accepts connections, but nothing of full size gets through: large packets seem to be lost on the way',
      {
        cause,
        next: 'Some link on the way, such as a tunnel, takes only smaller packets than both ends send (MTU). Let its router adapt connections (clamp the MSS to the path MTU), or lower the MTU here: ip link set dev DEVICE mtu 1280.',
      },
    );
  }
}
