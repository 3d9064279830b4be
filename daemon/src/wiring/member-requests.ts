import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';
import { type ChannelLimits, FrameChannel } from '../mesh/host/frame-channel.ts';
import type { Mesh } from '../mesh/mesh.types.ts';

/** A members-only protocol of one frame each way, for parts that do not know streams. */
export interface MemberRequests {
  /** Sends a frame to a member and resolves with its answer. Errors: PEER_AWAY, TIMEOUT, FRAME_INVALID, FRAME_TOO_LARGE. */
  ask(to: { domain: DomainId; key: PeerKey }, request: Uint8Array): Promise<Uint8Array>;
  /** Answers requests. What `answer` throws ends the stream. */
  serve(answer: (from: PeerKey, request: Uint8Array) => Promise<Uint8Array>): void;
}

/** Creates such a protocol over mesh streams, one stream per request. */
export function memberRequests(mesh: Pick<Mesh, 'openStream' | 'handle'>, protocol: string, limits: ChannelLimits): MemberRequests {
  const converse = async <T>(stream: Duplex, talk: (channel: FrameChannel) => Promise<T>): Promise<T> => {
    // Errors that occur while nothing is awaited have no other listener.
    stream.on('error', () => undefined);
    const channel = new FrameChannel(stream, limits);
    try {
      return await talk(channel);
    } catch (error) {
      channel.fail(error);
      throw error;
    } finally {
      channel.finish();
    }
  };
  return {
    async ask({ domain, key }, request) {
      const stream = await mesh.openStream(domain, key, protocol, AbortSignal.timeout(limits.timeoutMs));
      return converse(stream, async (channel) => {
        await channel.sendBytes(request);
        return frameOf(channel);
      });
    },
    serve(answer) {
      mesh.handle(protocol, (stream, { peer }) => {
        const talk = converse(stream, async (channel) => {
          await channel.sendBytes(await answer(peer, await frameOf(channel)));
        });
        // A fault of the peer or of the network: closing the stream is all there is to do.
        talk.catch(() => undefined);
      });
    },
  };
}

async function frameOf(channel: FrameChannel): Promise<Uint8Array> {
  const frame = await channel.read();
  if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the peer ended the stream before its answer was complete');
  return frame;
}
