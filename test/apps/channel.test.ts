import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel, ChannelSink } from '../../daemon/src/apps/channel/channel.ts';
import { LaneChannel } from '../../daemon/src/apps/channel/lane-channel.ts';
import { pump } from '../../daemon/src/apps/channel/pump.ts';
import { StreamChannel } from '../../daemon/src/apps/channel/stream-channel.ts';
import { waitFor } from '../wait.ts';
import { streamPair } from './memory-mesh.ts';

const RAW = { destroyed: true, resetAndDestroy: () => RAW };

/** Takes what a lane writes and keeps it; gives it what a test says. */
function wire(): { duplex: Duplex; written: () => Buffer } {
  const parts: Buffer[] = [];
  const duplex = new Duplex({
    allowHalfOpen: false,
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      parts.push(Buffer.from(chunk));
      done();
    },
  });
  return { duplex, written: () => Buffer.concat(parts) };
}

class Recorder implements ChannelSink {
  readonly parts: Buffer[] = [];
  readonly events: string[] = [];
  onChunk: () => void = () => undefined;

  onData(chunk: Buffer): void {
    this.parts.push(Buffer.from(chunk));
    this.onChunk();
  }
  onEnd(): void {
    this.events.push('end');
  }
  onDrain(): void {}
  onClose(): void {
    this.events.push('close');
  }
  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

function record(channel: Channel): Recorder {
  const sink = new Recorder();
  channel.attach(sink);
  channel.resume();
  return sink;
}

/** As `wire`, and tells what each write brought. */
function writes(): { duplex: Duplex; each: string[] } {
  const each: string[] = [];
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      each.push(chunk.toString('latin1'));
      done();
    },
    writev: (chunks: { chunk: Buffer }[], done) => {
      each.push(Buffer.concat(chunks.map(({ chunk }) => chunk)).toString('latin1'));
      done();
    },
  });
  return { duplex, each };
}

describe.each([
  ['a stream', (duplex: Duplex) => new StreamChannel(duplex), (...parts: string[]) => parts.join('')],
  [
    'a lane',
    (duplex: Duplex) => new LaneChannel(duplex, RAW),
    (...parts: string[]) => parts.map((part) => `\0\0\0${String.fromCharCode(part.length)}${part}`).join(''),
  ],
])('what is written to %s', (_name, channelOf, framed) => {
  it('goes out in one write, once all that has come in this turn has been read', async () => {
    const { duplex, each } = writes();
    const channel = channelOf(duplex);
    channel.write(Buffer.from('a'));
    channel.write(Buffer.from('b'));
    await Promise.resolve();
    expect(each).toEqual([]);
    expect(channel.pending).toBe(framed('a', 'b').length);
    await new Promise((resolve) => setImmediate(resolve));
    expect(each).toEqual([framed('a', 'b')]);
    expect(channel.pending).toBe(0);
    channel.write(Buffer.from('c'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(each).toEqual([framed('a', 'b'), framed('c')]);
  });
});

it('what a stream was given goes out before its end, even if the stream is discarded in the same turn', async () => {
  const { duplex, each } = writes();
  const channel = new StreamChannel(duplex);
  channel.write(Buffer.from('no'));
  channel.end();
  channel.discard();
  await new Promise((resolve) => setImmediate(resolve));
  expect(each).toEqual(['no']);
});

describe('a lane', () => {
  it('carries bytes whole, in order, with their end, however the wire is cut', async () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 4_000, max: 40_000 })), { maxLength: 8 });
    const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1_000, max: 20_000 })), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(sizes, cuts, fc.boolean(), async (lengths, steps, stutter) => {
        const out = wire();
        const sender = new LaneChannel(out.duplex, RAW);
        const sent = lengths.map((length, index) => Buffer.alloc(length, index + 1));
        for (const chunk of sent) sender.write(Buffer.from(chunk));
        sender.end();
        await new Promise((resolve) => setImmediate(resolve));
        const bytes = out.written();
        const back = wire();
        const receiver = new LaneChannel(back.duplex, RAW);
        const sink = record(receiver);
        if (stutter) {
          // A receiver that pauses at every chunk and goes on later gets the same.
          sink.onChunk = () => {
            receiver.pause();
            setImmediate(() => receiver.resume());
          };
        }
        for (let at = 0, step = 0; at < bytes.length; step += 1) {
          const size = steps[step % steps.length] ?? 1;
          back.duplex.push(Buffer.from(bytes.subarray(at, at + size)));
          at += size;
        }
        await waitFor(() => sink.events.includes('end'), { what: 'the end' });
        expect(sink.events).toEqual(['end']);
        return sink.bytes.equals(Buffer.concat(sent));
      }),
      { numRuns: 150 },
    );
  });

  it('that closes before its end was aborted', async () => {
    const { duplex } = wire();
    const sink = record(new LaneChannel(duplex, RAW));
    duplex.push(Buffer.from([0, 0, 0, 3, 1, 2]));
    duplex.push(null);
    await waitFor(() => sink.events.includes('close'), { what: 'the close' });
    expect(sink.events).toEqual(['close']);
    expect([...sink.bytes]).toEqual([1, 2]);
  });

  it.each([
    ['a frame that is too long', [0x7f, 0xff, 0xff, 0xff]],
    ['bytes after the end', [0, 0, 0, 0, 0]],
  ])('is closed by %s', async (_name, bytes) => {
    const { duplex } = wire();
    const sink = record(new LaneChannel(duplex, RAW));
    duplex.push(Buffer.from(bytes));
    await waitFor(() => sink.events.includes('close'), { what: 'the close' });
    expect(sink.events).toEqual(['close']);
  });

  it('gives what a receiver returns to the next one, before the rest', async () => {
    const { duplex } = wire();
    const channel = new LaneChannel(duplex, RAW);
    const first = record(channel);
    first.onChunk = () => {
      channel.pause();
      channel.unshift(Buffer.from(first.bytes.subarray(2)));
    };
    duplex.push(Buffer.from([0, 0, 0, 4, 1, 2, 3, 4]));
    duplex.push(Buffer.from([0, 0, 0, 2, 5, 6, 0, 0, 0, 0]));
    await waitFor(() => first.parts.length === 1, { what: 'the first chunk' });
    const second = record(channel);
    await waitFor(() => second.events.includes('end'), { what: 'the end' });
    expect([...second.bytes]).toEqual([3, 4, 5, 6]);
  });
});

describe('a pump', () => {
  function pumped() {
    const [outer, left] = streamPair();
    const [right, far] = streamPair();
    let closed = 0;
    pump(new StreamChannel(left), new StreamChannel(right), () => {
      closed += 1;
    });
    return { near: new StreamChannel(outer), far: new StreamChannel(far), closed: () => closed };
  }

  it('carries each half-close by itself', async () => {
    const { near, far, closed } = pumped();
    const [atNear, atFar] = [record(near), record(far)];
    near.write(Buffer.from('ping'));
    near.end();
    await waitFor(() => atFar.events.includes('end'), { what: 'the first end' });
    expect(atNear.events).toEqual([]);
    far.write(Buffer.from('pong'));
    far.end();
    await waitFor(() => closed() === 1, { what: 'the pump to close' });
    expect([atFar.bytes.toString(), atNear.bytes.toString()]).toEqual(['ping', 'pong']);
    await waitFor(() => atNear.events.includes('close') && atFar.events.includes('close'), { what: 'both ends to close' });
    expect([atNear.events, atFar.events]).toEqual([
      ['end', 'close'],
      ['end', 'close'],
    ]);
  });

  it('makes an abort on one side one on the other, also after a half-close', async () => {
    for (const halfClosed of [false, true]) {
      const { near, far, closed } = pumped();
      const [, atFar] = [record(near), record(far)];
      if (halfClosed) {
        near.end();
        await waitFor(() => atFar.events.includes('end'), { what: 'the half-close' });
      }
      near.abort();
      await waitFor(() => closed() === 1 && atFar.events.includes('close'), { what: 'the abort' });
      expect(atFar.events).toEqual(halfClosed ? ['end', 'close'] : ['close']);
    }
  });
});
