/**
 * Tunnels: how one member reaches another's dtApp. A tunnel opens with one frame in each direction; after a positive answer the stream
 * carries the app's bytes (or, if the owner authenticates each request, HTTP/1.1 that the owner reads).
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { encodeFrame } from '../encoding/frames.ts';
import { DtkdError, isErrorCode } from '../errors.ts';
import { objectName } from '../objects/objects.ts';
import { uid } from '../rights/principal.ts';

export const TUNNEL_PROTOCOL = '/dtkd/tunnel/1.0.0';
export const LANE_PROTOCOL = '/dtkd/lane/1.0.0';

/** A tunnel's frames are small. */
export const MAX_TUNNEL_FRAME_BYTES = 4 * 1024;

export const TICKET_BYTES = 32;
/** How long a lane ticket is valid: enough for a slow handshake over a slow link. */
export const TICKET_TTL_MS = 10_000;
/** ALPN name that distinguishes a lane's TLS connection from any other. */
export const LANE_ALPN = 'dtkd-lane/1';

const bytes32 = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === 32, 'must be 32 bytes');

const tunnelRequest = z.object({
  /** uid of the dtApp at its owner. */
  app: z.string().min(1).max(64),
  /** The app's name at its owner, for the owner's messages. */
  name: z.string().min(1).max(253),
  /** The caller's user on whose behalf this tunnel is used, for apps that require a capability. The caller vouches for it. */
  user: z.object({ name: objectName, uid }).exactOptional(),
});
export type TunnelRequest = z.infer<typeof tunnelRequest>;

const tunnelAnswer = z.union([
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), code: z.string().max(64), message: z.string().max(1_024) }),
]);

const laneRequest = z.object({
  /** SHA-256 of the certificate (DER) that the caller will present. */
  certificate: bytes32,
});
export type LaneRequest = z.infer<typeof laneRequest>;

const laneAnswer = z.union([
  z.object({
    ok: z.literal(true),
    /** SHA-256 of the owner's certificate. */
    certificate: bytes32,
    /** Sent first over TLS; valid once. */
    ticket: bytes32,
  }),
  z.object({ ok: z.literal(false), code: z.string().max(64), message: z.string().max(1_024) }),
]);
export interface LaneGrant {
  certificate: Uint8Array;
  ticket: Uint8Array;
}

export function encodeTunnelRequest(request: TunnelRequest): Uint8Array {
  const { app, name, user } = request;
  return encodeFrame(encodeCbor({ app, name, ...(user === undefined ? {} : { user: { name: user.name, uid: user.uid } }) }));
}

export function decodeTunnelRequest(bytes: Uint8Array): TunnelRequest {
  return decodeCbor(bytes, tunnelRequest, 'the tunnel request');
}

/** Encodes the refusal of a tunnel or lane request. */
export function encodeRefusal(error: DtkdError): Uint8Array {
  return encodeFrame(encodeCbor({ ok: false, code: error.code, message: error.message.slice(0, 1_024) }));
}

export function encodeTunnelAccepted(): Uint8Array {
  return encodeFrame(encodeCbor({ ok: true }));
}

/** Returns if the owner accepted; throws its refusal otherwise. */
export function checkTunnelAnswer(bytes: Uint8Array): void {
  const answer = decodeCbor(bytes, tunnelAnswer, 'the tunnel answer');
  if (!answer.ok) throw refusalError(answer);
}

export function encodeLaneRequest(request: LaneRequest): Uint8Array {
  return encodeFrame(encodeCbor({ certificate: request.certificate }));
}

export function decodeLaneRequest(bytes: Uint8Array): LaneRequest {
  return decodeCbor(bytes, laneRequest, 'the lane request');
}

export function encodeLaneGrant(grant: LaneGrant): Uint8Array {
  return encodeFrame(encodeCbor({ ok: true, certificate: grant.certificate, ticket: grant.ticket }));
}

export function decodeLaneAnswer(bytes: Uint8Array): LaneGrant {
  const answer = decodeCbor(bytes, laneAnswer, 'the lane answer');
  if (!answer.ok) throw refusalError(answer);
  return { certificate: answer.certificate, ticket: answer.ticket };
}

/** Turns a peer's refusal into an error. Takes over its code if that is one of ours; its sentence is only for people. */
function refusalError(refusal: { code: string; message: string }): DtkdError {
  return new DtkdError(isErrorCode(refusal.code) ? refusal.code : 'UNAVAILABLE', refusal.message);
}
