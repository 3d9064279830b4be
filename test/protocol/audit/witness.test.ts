import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalBytes, signAuditHead, verifyAuditHead } from '../../../protocol/audit/heads.ts';
import {
  checkWitnessRequest,
  decodeWitnessed,
  encodeWitnessed,
  encodeWitnessRequest,
  MAX_WITNESSED_HEADS,
} from '../../../protocol/audit/witness.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';

const KEY = generateSigningKey();
const HEAD = signAuditHead(KEY, { seq: 7, hash: 'a'.repeat(64), time: '2026-01-01T00:00:00.000Z' });

describe('a head of an audit log', () => {
  it('verifies as it was signed, and in no other way', () => {
    expect(verifyAuditHead(HEAD)).toBe(true);
    expect(verifyAuditHead({ ...HEAD, seq: 8 })).toBe(false);
    expect(verifyAuditHead({ ...HEAD, time: '' })).toBe(false);
    expect(verifyAuditHead(HEAD, 7)).toBe(false);
    expect(verifyAuditHead({ ...HEAD, key: signAuditHead(generateSigningKey(), HEAD).key })).toBe(false);
    expect(verifyAuditHead(signAuditHead(KEY, HEAD, 3), 3)).toBe(true);
    expect(verifyAuditHead(signAuditHead(KEY, HEAD, 3), 4)).toBe(false);
  });

  it('is refused without a word when it is garbage', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (key, signature) => {
        expect(verifyAuditHead({ ...HEAD, key })).toBe(false);
        expect(verifyAuditHead({ ...HEAD, signature })).toBe(false);
      }),
    );
  });

  it('has one text for each signature', () => {
    const last = HEAD.signature.length - 3;
    const other = String.fromCharCode(HEAD.signature.charCodeAt(last) + 1);
    expect(canonicalBytes(HEAD.signature, 64)).toBeDefined();
    expect(canonicalBytes(`${HEAD.signature.slice(0, last)}${other}==`, 64)).toBeUndefined();
    expect(canonicalBytes(HEAD.signature.replace('==', ''), 64)).toBeUndefined();
  });
});

describe('/dtkd/witness', () => {
  it('comes through as it was said', () => {
    expect(() => checkWitnessRequest(encodeWitnessRequest())).not.toThrow();
    const heads = [
      { head: HEAD, seen: 5 },
      { head: { ...HEAD, seq: 9 }, seen: 6 },
    ];
    expect(decodeWitnessed(encodeWitnessed(heads))).toEqual(heads);
  });

  it('refuses anything else with a coded error', () => {
    const hostile = [
      encodeCbor({ type: 'witnessed', heads: 'all' }),
      encodeCbor({ type: 'witnessed', heads: [{ seq: -1 }] }),
      encodeCbor({ type: 'witnessed', heads: Array.from({ length: MAX_WITNESSED_HEADS + 1 }, () => ({})) }),
    ];
    for (const frame of hostile) expect(() => decodeWitnessed(frame)).toThrow(DtkdError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (frame) => {
        for (const read of [decodeWitnessed, checkWitnessRequest]) {
          try {
            read(frame);
          } catch (error) {
            expect(error).toMatchObject({ code: 'FRAME_INVALID' });
          }
        }
      }),
    );
  });
});
