import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { DomainId } from '../../../../protocol/ids.ts';
import { createLaneIdentity, type LaneIdentity } from './certificate.ts';

/** AES-GCM by AES-NI is several times as fast as ChaCha20; 128 bits are the lane's strength anyway (X25519). */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

/** Bytes that may wait in each direction of a lane before its source is paused: enough to keep both processes busy. */
export const LANE_BUFFER_BYTES = 512 * 1024;

/** TLS 1.3 with the certificate of this node and no authority: the other side is known by the hash of its certificate. */
export function laneContext(identity: LaneIdentity): SecureContext {
  return createSecureContext({
    key: identity.key,
    cert: identity.certificate,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ciphers: CIPHERS,
    ecdhCurve: 'X25519',
  });
}

/** What this node is on the lanes of one domain. */
export interface DomainLane {
  /** SHA-256 of its certificate. */
  hash: Buffer;
  context: SecureContext;
}

/** One identity for each domain: whoever sees the certificates of two must not tell by them that they are of one machine. */
export class LaneIdentities {
  private readonly lanes = new Map<DomainId, DomainLane>();

  of(domain: DomainId): DomainLane {
    const known = this.lanes.get(domain);
    if (known !== undefined) return known;
    const identity = createLaneIdentity();
    const lane = { hash: identity.hash, context: laneContext(identity) };
    this.lanes.set(domain, lane);
    return lane;
  }
}

/** SHA-256 of the certificate that the other side proved to hold; empty if it showed none. */
export function peerCertificateHash(socket: TLSSocket): Buffer {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? Buffer.alloc(0) : createHash('sha256').update(certificate.raw).digest();
}
