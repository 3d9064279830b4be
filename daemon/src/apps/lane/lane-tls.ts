import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { DomainId } from '../../../../protocol/ids.ts';
import { createLaneIdentity, type LaneIdentity } from './certificate.ts';

/** AES-GCM with AES-NI is several times as fast as ChaCha20, and 128 bits are the lane's strength anyway (X25519). */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

/** Bytes that may wait in each direction of a lane before its source is paused: enough to keep the processes at both ends busy. */
export const LANE_BUFFER_BYTES = 512 * 1024;

/** TLS 1.3 with this node's certificate and no authority: each side recognises the other by the hash of its certificate. */
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

/** This node's identity on the lanes of one domain. */
export interface DomainLane {
  /** SHA-256 of its certificate. */
  hash: Buffer;
  context: SecureContext;
}

/** One identity per domain, so that certificates seen in two domains do not reveal that they belong to one machine. */
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

/** SHA-256 of the certificate whose key the other side has proved to hold. Empty if it presented none. */
export function peerCertificateHash(socket: TLSSocket): Buffer {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? Buffer.alloc(0) : createHash('sha256').update(certificate.raw).digest();
}
