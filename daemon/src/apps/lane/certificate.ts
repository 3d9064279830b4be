import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/**
 * A fresh self-signed certificate for the fast lane. It names nobody and proves nothing by itself: the other side checks its hash, which it
 * has learnt over Noise. This writer of the one shape needed starts in a millisecond, where a certificate library takes a hundred.
 */
export interface LaneIdentity {
  /** PEM. */
  key: string;
  /** PEM. */
  certificate: string;
  /** SHA-256 of the certificate's DER. */
  hash: Buffer;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_ID = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const EXPLICIT_0 = 0xa0;

/** 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex');
/** 2.5.4.3 */
const COMMON_NAME = Buffer.from('550403', 'hex');

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(body.length);
  const length = body.length < 0x100 ? Buffer.from([0x81, body.length]) : Buffer.concat([Buffer.from([0x82]), size]);
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

/** Makes a key and its certificate. */
export function createLaneIdentity(): LaneIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = der(SEQUENCE, der(OBJECT_ID, ECDSA_WITH_SHA256));
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8_STRING, Buffer.from('dtkd')))));
  const serial = randomBytes(16);
  // Positive and without leading zeros, as DER requires of an INTEGER.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  // The identity lives as long as the process. Its validity must not depend on another machine's clock.
  const validity = der(SEQUENCE, der(UTC_TIME, Buffer.from('200101000000Z')), der(GENERALIZED_TIME, Buffer.from('99991231235959Z')));
  const tbs = der(
    SEQUENCE,
    der(EXPLICIT_0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serial),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
  );
  const signature = sign('sha256', tbs, privateKey);
  const certificate = der(SEQUENCE, tbs, algorithm, der(BIT_STRING, Buffer.from([0]), signature));
  const lines = certificate.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    hash: createHash('sha256').update(certificate).digest(),
  };
}
