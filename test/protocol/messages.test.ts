import { globSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isAnswered } from '../../daemon/src/dispatch/carrying/answer-box.ts';
import { isCancelledBy, isDepositedBy } from '../../daemon/src/dispatch/hold/order-box.ts';
import { checkWitnessRequest, decodeWitnessed, encodeWitnessed, encodeWitnessRequest } from '../../protocol/audit/witness.ts';
import { moduleStatement, signedModule } from '../../protocol/definitions/module.ts';
import { decodeCbor, encodeCbor } from '../../protocol/encoding/cbor.ts';
import { encodeEnvelope } from '../../protocol/encoding/envelope.ts';
import { DtkdError } from '../../protocol/errors.ts';
import membership from '../../protocol/fixtures/membership.json' with { type: 'json' };
import messages from '../../protocol/fixtures/messages.json' with { type: 'json' };
import { hashHex, signingKeyFromSeed } from '../../protocol/keys/signing.ts';
import { decodeDigests, encodeDigests } from '../../protocol/log/compare.ts';
import { parseEntry } from '../../protocol/log/log-entry.ts';
import { decodeFacts, decodeSync, encodeFacts, encodeSync } from '../../protocol/log/sync.ts';
import { parseEnrolment } from '../../protocol/membership/certificate.ts';
import { parseItem } from '../../protocol/membership/facts.ts';
import { decodeJoinMessage, encodeJoinMessage } from '../../protocol/membership/join.ts';
import { answerBody } from '../../protocol/orders/answer.ts';
import { signedBundle } from '../../protocol/orders/bundle.ts';
import { carryAnswer, carryRequest } from '../../protocol/orders/carry.ts';
import { heldOrder, holdAnswer, holdRequest, sealedOrder } from '../../protocol/orders/hold.ts';
import { contentHead, contentRequest, dispatchEvent, dispatchGo, dispatchRequest } from '../../protocol/orders/messages.ts';
import { order, planEntry, planHeader, work } from '../../protocol/orders/order.ts';
import { part } from '../../protocol/orders/outcome.ts';
import { outputRecord } from '../../protocol/orders/records.ts';
import { parcelFrame } from '../../protocol/parcel/parcel.ts';
import { parcelSealBytes } from '../../protocol/parcel/writer.ts';
import { decodeHello, encodeHello } from '../../protocol/peers/hello.ts';
import {
  decodeReachClock,
  decodeReachQuestion,
  decodeReachTried,
  encodeReachClock,
  encodeReachQuestion,
  encodeReachTried,
} from '../../protocol/peers/reach.ts';
import { remoteRequestHead, remoteResponseHead } from '../../protocol/peers/remote.ts';
import { decodeLaneAnswer, decodeLaneRequest, decodeTunnelRequest } from '../../protocol/peers/tunnel.ts';
import { decodeWhereAnswer, decodeWhereQuestion, encodeWhereAnswer, encodeWhereQuestion } from '../../protocol/peers/whereabouts.ts';
import { misfit, parseRules, type Type, unknownNames } from './messages/cddl.ts';

const repository = new URL('../../', import.meta.url);
const document = readFileSync(new URL('protocol/PROTOCOL.md', repository), 'utf8');
const fences = [...document.matchAll(/^```cddl\n([\s\S]*?)^```$/gm)].map(([, rules = '']) => rules);
const rules = parseRules(fences.join('\n'));
const example: Record<string, string> = messages;

interface Codec {
  names: string[];
  read(bytes: Uint8Array): unknown;
  /** Where what was read is written again by the code itself. */
  written?(bytes: Uint8Array): Uint8Array;
}

const signature = new Uint8Array(64);
const by = (schema: z.ZodType, ...names: string[]): Codec => ({ names, read: (bytes) => decodeCbor(bytes, schema, 'a message') });
const both = <T>(read: (bytes: Uint8Array) => T, write: (value: T) => Uint8Array, ...names: string[]): Codec => ({
  names,
  read,
  written: (bytes) => write(read(bytes)),
});

const codecs: Codec[] = [
  {
    names: ['genesis', 'grant', 'revocation', 'binding', 'removal', 'free', 'clearance', 'rotation', 'leave', 'certificate'],
    read: (bytes) => parseItem(encodeEnvelope(bytes, signature)),
  },
  { names: ['fork'], read: (bytes) => parseItem(encodeEnvelope(bytes, new Uint8Array(0))) },
  { names: ['enrolment'], read: parseEnrolment },
  both(decodeJoinMessage, encodeJoinMessage, 'offer', 'proof', 'enrol', 'welcome', 'refusal'),
  both(decodeHello, encodeHello, 'chain', 'ids', 'items', 'about'),
  both(decodeSync, encodeSync, 'heads', 'pull', 'entries'),
  both(decodeFacts, encodeFacts, 'push', 'heard'),
  both(decodeDigests, encodeDigests, 'compare'),
  both(decodeWhereQuestion, encodeWhereQuestion, 'where-question'),
  both(decodeWhereAnswer, encodeWhereAnswer, 'where-answer'),
  both(decodeReachQuestion, encodeReachQuestion, 'reach-question'),
  both(decodeReachClock, encodeReachClock, 'reach-clock'),
  both(decodeReachTried, encodeReachTried, 'reach-tried'),
  both(checkWitnessRequest, encodeWitnessRequest, 'witness-question'),
  both(decodeWitnessed, encodeWitnessed, 'witnessed'),
  { names: ['entry-body'], read: (bytes) => parseEntry(encodeEnvelope(bytes, signature)) },
  { names: ['tunnel-request'], read: decodeTunnelRequest },
  { names: ['lane-request'], read: decodeLaneRequest },
  { names: ['lane-answer'], read: decodeLaneAnswer },
  by(remoteRequestHead, 'request-head'),
  by(remoteResponseHead, 'response-head'),
  by(planHeader, 'plan-header'),
  by(planEntry, 'plan-entry'),
  by(work, 'command-work', 'exec-work', 'put-work', 'get-work'),
  by(order, 'order'),
  by(dispatchRequest, 'order-request', 'prepare-request', 'attach-request', 'abort-request', 'find-request'),
  by(dispatchGo, 'go'),
  by(dispatchEvent, 'part-event', 'records-event', 'error-event', 'prepared-event', 'end-event'),
  by(part, 'part'),
  by(outputRecord, 'record'),
  by(signedBundle, 'signed-bundle'),
  by(signedModule, 'signed-module'),
  by(moduleStatement, 'module-statement'),
  by(contentRequest, 'content-request'),
  by(contentHead, 'content-head'),
  by(holdRequest, 'deposit', 'deliver', 'cancel'),
  by(holdAnswer, 'hold-answer'),
  by(sealedOrder, 'sealed-order'),
  by(heldOrder, 'held-order'),
  by(carryRequest, 'carry-request', 'carry-deliver'),
  by(carryAnswer, 'carried-order', 'answer', 'carry-refused'),
  by(answerBody, 'answer-body'),
  by(parcelFrame, 'parcel-head', 'parcel-section', 'parcel-domain', 'parcel-module', 'parcel-piece', 'parcel-sum', 'parcel-end'),
];

/** Fields that may be absent only together with others, or in other entries than the example. */
const CONDITIONAL: Record<string, string[]> = { 'entry-body': ['lineage', 'open'] };

const text = (ascii: string): string => Buffer.from(ascii).toString('hex');
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const fieldsOf = (bytes: Uint8Array) => decodeCbor(bytes, z.record(z.string(), z.unknown()), 'an example');

function fieldsIn(name: string): [string, { optional: boolean }][] {
  const type: Type | undefined = rules.get(name);
  if (type?.is === 'any of') return [];
  if (type?.is !== 'map') throw new Error(`${name} is no rule for a map`);
  return [...type.fields];
}

/** What a rule says that is signed, written as the protocol says: the fields in its order. */
function signedAs(name: string, fields: Record<string, unknown>): Uint8Array {
  return encodeCbor(Object.fromEntries(fieldsIn(name).map(([field]) => [field, fields[field]])));
}

describe('messages as the protocol says them', () => {
  it('refer to rules that are there, and are all read here', () => {
    expect(fences.length).toBeGreaterThan(0);
    expect(unknownNames(rules)).toEqual([]);
    expect(codecs.flatMap(({ names }) => names).sort()).toEqual(Object.keys(messages).sort());
  });

  it.each(codecs.flatMap(({ names, ...codec }) => names.map((name) => ({ name, ...codec }))))('$name', ({ name, read, written }) => {
    const bytes = bytesOf(example[name] ?? '');
    const fields = fieldsOf(bytes);
    read(bytes);
    if (written !== undefined) expect(Buffer.from(written(bytes)).toString('hex')).toBe(example[name]);
    expect(misfit(rules, { is: 'named', name }, fields)).toBeUndefined();
    for (const [field, { optional }] of fieldsIn(name)) {
      expect(fields, `the example has all fields`).toHaveProperty([field]);
      if (CONDITIONAL[name]?.includes(field) === true) continue;
      const { [field]: _gone, ...others } = fields;
      const attempt = (): unknown => read(encodeCbor(others));
      if (optional) expect(attempt, `${field} may be absent`).not.toThrow();
      else expect(attempt, `${field} may not be absent`).toThrow();
    }
    // Of a proof without a signature there is one form.
    if (name !== 'fork') expect(() => read(encodeCbor({ ...fields, unheardOf: 1 })), 'an unknown field is let through').not.toThrow();
  });

  it('name every purpose for which something is signed, and no other', () => {
    const [, said = ''] = /\*\*Contexts\*\* of signatures: (.*)/.exec(document) ?? [];
    const used = globSync(['protocol/**/*.ts', 'daemon/src/**/*.ts'], { cwd: repository }).flatMap((file) => {
      const code = readFileSync(new URL(file, repository), 'utf8');
      return [...code.matchAll(/(?:\.sign|verifySignature)\((?:[^()']|\([^()']*\))*'([a-z]+)'/g)].map(([, context]) => context);
    });
    expect([...said.matchAll(/`([a-z]+)`/g)].map(([, context]) => context).sort()).toEqual([...new Set(used)].sort());
  });

  it('and what is in a token', () => {
    const bytes = Buffer.from(membership.token, 'base64url');
    expect(misfit(rules, { is: 'named', name: 'token-body' }, fieldsOf(Uint8Array.from(bytes.subarray(3, -4))))).toBeUndefined();
  });

  describe('of which only the signature travels', () => {
    const key = signingKeyFromSeed(new Uint8Array(32).fill(1));
    const [domain, id, target] = ['ab', 'cd', 'ef'].map((byte) => byte.repeat(32)) as [string, string, string];
    const sealed = Uint8Array.of(1, 2, 3);
    const name = { domain, starter: key.publicKey, target, id, index: 3 };
    const notAfter = 0x19b76daa800;

    it('an order that others may carry, and its cancellation', () => {
      const deposit = signedAs('deposit-signed', { hold: true, ...name, notAfter, sealed: hashHex(sealed) });
      expect(isDepositedBy(name, notAfter, sealed, key.sign('order', deposit))).toBe(true);
      expect(isCancelledBy(name, key.sign('order', signedAs('cancel-signed', { cancel: true, ...name })))).toBe(true);
      expect(Buffer.from(deposit).toString('hex')).toBe(
        `a764686f6c64f566646f6d61696e7840${text(domain)}667461726765747840${text(target)}6269647840${text(id)}65696e64657803686e6f744166746572fb4279b76daa800000667365616c65647840${text(hashHex(sealed))}`,
      );
    });

    it('an answer', () => {
      const answer = { starter: domain, target: key.publicKey, id, index: 3, until: notAfter, final: false };
      const signed = signedAs('answer-signed', { answer: true, domain, ...answer, sealed: hashHex(sealed) });
      expect(isAnswered(domain, { type: 'answer', ...answer, sealed, signature: key.sign('answer', signed) })).toBe(true);
    });

    it('a parcel', () => {
      expect(parcelSealBytes({ domain, digest: id })).toEqual(signedAs('parcel-signed', { domain, digest: id }));
    });
  });
});

describe('messages that were altered', () => {
  const alter = fc.record({
    at: fc.nat(),
    length: fc.nat({ max: 8 }),
    by: fc.uint8Array({ maxLength: 8 }),
    other: fc.nat(),
    how: fc.nat({ max: 3 }),
  });
  const altered = (
    bytes: Uint8Array,
    { at, length, by, other, how }: { at: number; length: number; by: Uint8Array; other: number; how: number },
  ) => {
    const start = at % (bytes.length + 1);
    const [head, piece, tail] = [bytes.subarray(0, start), bytes.subarray(start, start + length), bytes.subarray(start + length)];
    if (how === 0) return Uint8Array.from(Buffer.concat([head, by, tail]));
    if (how === 1) return Uint8Array.from(Buffer.concat([head, piece, piece, tail]));
    if (how === 2) return Uint8Array.from(head);
    const to = other % (bytes.length + 1);
    return Uint8Array.from(Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]));
  };

  it.each(codecs.flatMap(({ names, ...codec }) => names.map((name) => ({ name, ...codec }))))('$name', ({ name, read, written }) => {
    fc.assert(
      fc.property(fc.array(alter, { minLength: 1, maxLength: 3 }), (steps) => {
        const bytes = steps.reduce(altered, bytesOf(example[name] ?? ''));
        let value: unknown;
        try {
          value = read(bytes);
        } catch (error) {
          // refused, with a code that says whose fault it is
          expect(error).toBeInstanceOf(DtkdError);
          expect(error).not.toMatchObject({ code: 'INTERNAL' });
          return;
        }
        // or read as what it says
        if (written !== undefined) expect(read(written(bytes))).toEqual(value);
      }),
    );
  });
});
