/** What a hostile member says at `/dtkd/api`: invalid answers, and requests that no honest node sends. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { FrameChannel } from '../../../daemon/src/mesh/host/frame-channel.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import type { PeerKey } from '../../../protocol/ids.ts';
import {
  MAX_REMOTE_HEAD_BYTES,
  REMOTE_API_PROTOCOL,
  REMOTE_BODY_CHUNK_BYTES,
  ROWS_MEDIA_TYPE,
  remoteResponseHead,
} from '../../../protocol/peers/remote.ts';
import type { HostilePeer } from './hostile-peer.ts';

const TIMEOUT_MS = 60_000;
/** The pace of an answer that never comes to its end. */
const TRICKLE_MS = 50;

export interface Row {
  apiVersion: string;
  kind: string;
  metadata: Record<string, unknown>;
  [field: string]: unknown;
}

export function row(name: string, namespace: string, more: Partial<Row> = {}): Row {
  const metadata = {
    name,
    namespace,
    uid: '00000000-0000-4000-8000-000000000000',
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata, spec: {}, ...more };
}

export function answerHead(more: Record<string, unknown> = {}): Uint8Array {
  return encodeFrame(encodeCbor({ version: 1, status: 200, contentType: ROWS_MEDIA_TYPE, warnings: [], ...more }));
}

function lines(...values: unknown[]): Uint8Array {
  return encodeFrame(Buffer.from(values.map((value) => `${typeof value === 'string' ? value : JSON.stringify(value)}\n`).join('')));
}

/** A proper page of these rows. */
export function page(rows: readonly unknown[], end: unknown = { end: {} }): Uint8Array {
  return lines({ metadata: { resourceVersion: '1' } }, ...rows, end);
}

function writeEndlessly(stream: Duplex, next: () => Uint8Array): void {
  const go = (): void => {
    while (!stream.destroyed && stream.write(next()));
    if (!stream.destroyed) stream.once('drain', go);
  };
  go();
}

function trickle(stream: Duplex, bytes: Uint8Array): void {
  let at = 0;
  const timer = setInterval(() => {
    if (stream.destroyed) clearInterval(timer);
    else stream.write(bytes.subarray(at % bytes.length, (at % bytes.length) + 1));
    at += 1;
  }, TRICKLE_MS);
  stream.once('close', () => clearInterval(timer));
}

/** Every way to answer a list of Models badly. `honest` is another node, `own` the name of the liar. */
export function badAnswers(honest: string, own: string): Record<string, (stream: Duplex) => void> {
  const whole =
    (...frames: Uint8Array[]) =>
    (stream: Duplex) =>
      void stream.end(Buffer.concat(frames));
  let counter = 0;
  return {
    'says nothing at all': () => undefined,
    'hangs up at once': (stream) => stream.destroy(),
    'ends without an answer': (stream) => void stream.end(),
    'sends bytes that are no frame': whole(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')),
    'announces a frame of four gigabytes': (stream) => void stream.write(Buffer.alloc(4, 0xff)),
    'sends half a frame and no more': (stream) => void stream.write(answerHead().subarray(0, 9)),
    'sends a head that is none': whole(encodeFrame(encodeCbor({ version: 1, status: 'fine' }))),
    'sends a head that is too large': whole(encodeFrame(new Uint8Array(MAX_REMOTE_HEAD_BYTES + 1))),
    'sends a frame that is too large': whole(answerHead(), encodeFrame(new Uint8Array(REMOTE_BODY_CHUNK_BYTES + 1))),
    'sends rows that are no JSON': whole(answerHead(), lines({ metadata: { resourceVersion: '1' } }, '{"apiVersion":')),
    'sends rows without a head': whole(answerHead(), lines(row('forged', own), { end: {} })),
    'sends rows without an end': whole(answerHead(), lines({ metadata: { resourceVersion: '1' } }, row('forged', own))),
    'sends another media type': whole(answerHead({ contentType: 'text/html' }), lines('<html>')),
    'sends rows of another node': whole(answerHead(), page([row('forged', honest)])),
    'sends rows of another node after its own': whole(answerHead(), page([row('a-forged', own), row('b-forged', honest)])),
    'sends rows of another kind': whole(answerHead(), page([row('forged', own, { kind: 'Capability' })])),
    'sends rows without a name': whole(answerHead(), page([row('', own)])),
    'sends a row twice': whole(answerHead(), page([row('forged', own), row('forged', own)])),
    'sends rows with a prototype': whole(
      answerHead(),
      page([`{"__proto__":{"forged":1},${JSON.stringify(row('../forged', own)).slice(1)}`]),
    ),
    'sends rows nested without end': whole(
      answerHead(),
      page([JSON.stringify(row('forged', own, { spec: 0 })).replace('"spec":0', `"spec":${'['.repeat(9_000)}${']'.repeat(9_000)}`)]),
    ),
    'says that there is more and sends nothing': whole(answerHead(), page([], { end: { continue: 'more' } })),
    'sends one line without end': (stream) => {
      stream.write(Buffer.concat([answerHead(), lines({ metadata: { resourceVersion: '1' } })]));
      const frame = encodeFrame(Buffer.alloc(REMOTE_BODY_CHUNK_BYTES, 'x'));
      writeEndlessly(stream, () => frame);
    },
    'sends rows without end': (stream) => {
      stream.write(Buffer.concat([answerHead(), lines({ metadata: { resourceVersion: '1' } })]));
      writeEndlessly(stream, () => {
        counter += 1;
        return lines(row(`forged-${String(counter).padStart(12, '0')}`, own, { spec: { description: 'x'.repeat(60_000) } }));
      });
    },
    'sends a byte now and then': (stream) => {
      stream.write(answerHead());
      trickle(stream, encodeFrame(Buffer.alloc(REMOTE_BODY_CHUNK_BYTES, ' ')));
    },
    'sends its head a byte at a time': (stream) => trickle(stream, answerHead()),
  };
}

export interface ApiReply {
  status: number;
  body: string;
}

/** Asks an honest node's API, with whatever head; fails if the stream is cut without an answer. */
export async function ask(liar: HostilePeer, peer: PeerKey, head: Record<string, unknown>, body = new Uint8Array()): Promise<ApiReply> {
  const stream = await liar.open(peer, REMOTE_API_PROTOCOL);
  const request = {
    version: 1,
    method: 'GET',
    accept: 'application/json',
    contentType: body.length === 0 ? '' : 'application/json',
    bodyBytes: body.length,
    ...head,
  };
  stream.end(Buffer.concat([encodeFrame(encodeCbor(request)), ...(body.length === 0 ? [] : [encodeFrame(body)])]));
  return replyOf(stream);
}

export async function replyOf(stream: Duplex): Promise<ApiReply> {
  const channel = new FrameChannel(stream, {
    maxFrameBytes: Math.max(MAX_REMOTE_HEAD_BYTES, REMOTE_BODY_CHUNK_BYTES),
    timeoutMs: TIMEOUT_MS,
  });
  const frame = await channel.read();
  if (frame === undefined) throw new Error('no answer');
  const { status } = decodeCbor(frame, remoteResponseHead, 'the head of an answer');
  let text = '';
  for (let part = await channel.read(); part !== undefined; part = await channel.read()) text += Buffer.from(part).toString('utf8');
  channel.finish();
  return { status, body: text };
}

/** Invalid requests, each as raw bytes on its own stream. */
export function badRequests(): Uint8Array[] {
  const request = (more: Record<string, unknown>) =>
    encodeFrame(
      encodeCbor({
        version: 1,
        user: { name: 'x', uid: 'x' },
        method: 'GET',
        path: '/apis/dtkd.dev/v1/namespaces/default/models',
        accept: '',
        contentType: '',
        bodyBytes: 0,
        ...more,
      }),
    );
  return [
    new Uint8Array(0),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(4, 0xff),
    request({}).subarray(0, 20),
    encodeFrame(new Uint8Array(MAX_REMOTE_HEAD_BYTES + 1)),
    encodeFrame(new Uint8Array(64).fill(0x81)),
    request({ version: 2 }),
    request({ method: 'CONNECT' }),
    request({ path: '//elsewhere.example/' }),
    request({ path: `/apis/${'x'.repeat(16_384)}` }),
    request({ user: { name: '../ops', uid: 'x' } }),
    request({ user: 'operator' }),
    request({ principal: { type: 'operator', name: 'operator' }, user: undefined }),
    request({ bodyBytes: 2 ** 40 }),
    request({ bodyBytes: -1 }),
    request({ method: 'POST', bodyBytes: 1_000_000 }),
    Buffer.concat([request({ method: 'POST', bodyBytes: 4 }), encodeFrame(new Uint8Array(60_000))]),
  ];
}

/** Opens as many streams as the other side lets it, each with half a request; resolves with how many. */
export async function hold(liar: HostilePeer, peer: PeerKey, wanted: number): Promise<Duplex[]> {
  const streams: Duplex[] = [];
  for (let count = 0; count < wanted; count += 1) {
    const stream = await liar.open(peer, REMOTE_API_PROTOCOL).catch(() => undefined);
    if (stream === undefined) break;
    stream.on('error', () => undefined).resume();
    stream.write(Buffer.from([0, 0, 1, 0, 0xa7]));
    streams.push(stream);
  }
  return streams;
}

/** Resolves when the other side has let a stream go. */
export async function letGo(stream: Duplex): Promise<void> {
  if (!stream.destroyed) await once(stream, 'close');
}
