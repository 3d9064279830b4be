/**
 * Reads reviews in the protobuf encoding of Kubernetes, as kubectl sends them. They are all that kubectl sends to this API in it,
 * and it accepts the answers in JSON. Pure and bounded: lengths are checked against the bytes that are there, and fields that are
 * not needed are skipped.
 */
import { DtkdError } from '../../../../protocol/errors.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** The start of every document: `k8s` and a zero byte. */
const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
/** Maximum number of fields in a message; no review has more. */
const MAX_FIELDS = 256;

/** The fields of a message that are bytes, by their numbers. */
type Message = ReadonlyMap<number, Uint8Array>;

/** The names of a message's fields, and their numbers. An array describes a nested message. */
interface Shape {
  readonly [name: string]: number | readonly [number, Shape];
}

/** The fields of the specs; numbers from k8s.io/api/authorization/v1/generated.proto. */
const SPECS: Readonly<Record<string, Shape>> = {
  SelfSubjectAccessReview: {
    resourceAttributes: [1, { namespace: 1, verb: 2, group: 3, version: 4, resource: 5, subresource: 6, name: 7 }],
    nonResourceAttributes: [2, { path: 1, verb: 2 }],
  },
  SelfSubjectRulesReview: { namespace: 1 },
};

/** Decodes a review. Errors: BAD_REQUEST. */
export function parseReview(bytes: Uint8Array): Record<string, unknown> {
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) throw unreadable();
  const envelope = messageOf(bytes.subarray(MAGIC.length));
  const type = messageOf(envelope.get(1) ?? new Uint8Array());
  const kind = textOf(type.get(2));
  const object = messageOf(envelope.get(2) ?? new Uint8Array());
  const shape = Object.hasOwn(SPECS, kind) ? SPECS[kind] : undefined;
  const spec = shape === undefined ? undefined : object.get(2);
  return { apiVersion: textOf(type.get(1)), kind, ...(spec === undefined || shape === undefined ? {} : { spec: shaped(spec, shape) }) };
}

function shaped(bytes: Uint8Array, shape: Shape): Record<string, unknown> {
  const message = messageOf(bytes);
  const found: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(shape)) {
    const value = message.get(typeof field === 'number' ? field : field[0]);
    if (value !== undefined) found[name] = typeof field === 'number' ? textOf(value) : shaped(value, field[1]);
  }
  return found;
}

function messageOf(bytes: Uint8Array): Message {
  const message = new Map<number, Uint8Array>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    // a larger number cannot be a length
    for (let shift = 0; shift < 49; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw unreadable();
  };
  const skip = (length: number) => {
    if (length > bytes.length - at) throw unreadable();
    at += length;
    return bytes.subarray(at - length, at);
  };
  for (let count = 0; at < bytes.length; count++) {
    if (count === MAX_FIELDS) throw unreadable();
    const key = varint();
    switch (key % 8) {
      case 0:
        varint();
        break;
      case 1:
        skip(8);
        break;
      case 2:
        message.set(Math.floor(key / 8), skip(varint()));
        break;
      case 5:
        skip(4);
        break;
      default:
        throw unreadable();
    }
  }
  return message;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return '';
  try {
    return decoder.decode(bytes);
  } catch {
    throw unreadable();
  }
}

function unreadable(): DtkdError {
  return new DtkdError('BAD_REQUEST', 'the body is not a document in the protobuf form of Kubernetes', { next: 'Send application/json.' });
}
