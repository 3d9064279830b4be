import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../wait.ts';
import { message, type Site, Stage } from './site.ts';

const MIB = 1024 * 1024;
/** One body of this size each way, over the lane; smaller ones for the other paths. */
const LARGE = 256 * MIB;
const SMALL = 48 * MIB;
const CHUNK = Buffer.alloc(64 * 1024);
for (let at = 0; at < CHUNK.length; at += 4) CHUNK.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
/** Far below what passes through, far above what a garbage collector may leave lying about. */
const MAX_GROWTH = 160 * MIB;

interface Writer {
  write(chunk: Buffer): boolean;
  once(event: 'drain', listener: () => void): unknown;
  end(): unknown;
}

function pour(into: Writer, total: number): void {
  let left = total;
  const more = (): void => {
    while (left > 0) {
      left -= CHUNK.length;
      if (!into.write(CHUNK)) {
        into.once('drain', more);
        return;
      }
    }
    into.end();
  };
  more();
}

/** Checks a body against what `pour` writes, chunk by chunk. */
class Checker {
  seen = 0;
  wrong = 0;

  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const from = this.seen % CHUNK.length;
      const size = Math.min(CHUNK.length - from, chunk.length - at);
      if (chunk.compare(CHUNK, from, from + size, at, at + size) !== 0) this.wrong += 1;
      at += size;
      this.seen += size;
    }
  }

  get verdict(): string {
    return `${this.seen} bytes, ${this.wrong} wrong`;
  }
}

describe.each([{ lanes: false }, { lanes: true }])('large bodies, %o', ({ lanes }) => {
  let stage: Stage;
  let owner: Site;
  let caller: Site;

  beforeEach(async () => {
    stage = new Stage();
    owner = await stage.site('node0', ['d'], { lanes });
    caller = await stage.site('node1', ['d'], { lanes });
  });
  afterEach(() => stage.close());

  it.each(['length', 'chunked'])('come down whole in bounded memory (%s)', async (kind) => {
    const total = lanes && kind === 'length' ? LARGE : SMALL;
    const origin = await stage.origin((_request, response) => {
      response.writeHead(200, kind === 'length' ? { 'content-length': total } : {});
      pour(response, total);
    });
    const host = (await stage.expose(owner, { ports: [origin] }))['node1'] ?? '';
    const before = process.memoryUsage().rss;
    let peak = before;
    const checker = new Checker();
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest({ agent: false, host: '127.0.0.1', port: caller.port, headers: { host } }, (response) => {
        response.on('data', (chunk: Buffer) => {
          checker.take(chunk);
          if (checker.seen % (8 * MIB) < chunk.length) peak = Math.max(peak, process.memoryUsage().rss);
        });
        response.on('end', resolve);
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end();
    });
    expect(checker.verdict).toBe(`${total} bytes, 0 wrong`);
    expect(peak - before).toBeLessThan(MAX_GROWTH);
  });

  it.each(['length', 'chunked'])('go up whole in bounded memory (%s)', async (kind) => {
    const total = lanes && kind === 'chunked' ? LARGE : SMALL;
    const origin = await stage.origin((request, response) => {
      const checker = new Checker();
      request.on('data', (chunk: Buffer) => checker.take(chunk));
      request.on('end', () => response.end(checker.verdict));
    });
    const host = (await stage.expose(owner, { ports: [origin] }))['node1'] ?? '';
    const before = process.memoryUsage().rss;
    const answer = await new Promise<string>((resolve, reject) => {
      const headers = { host, ...(kind === 'length' ? { 'content-length': total } : {}) };
      const request = httpRequest({ agent: false, method: 'POST', host: '127.0.0.1', port: caller.port, headers }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
      pour(request, total);
    });
    expect(answer).toBe(`${total} bytes, 0 wrong`);
    expect(process.memoryUsage().rss - before).toBeLessThan(MAX_GROWTH);
  });

  it('wait for a reader that reads nothing', async () => {
    let sent = 0;
    let stalled = false;
    const origin = await stage.origin((_request, response) => {
      response.writeHead(200, { 'content-length': SMALL });
      const more = (): void => {
        while (sent < SMALL) {
          sent += CHUNK.length;
          if (!response.write(CHUNK)) {
            stalled = true;
            response.once('drain', () => {
              stalled = false;
              more();
            });
            return;
          }
        }
      };
      more();
    });
    const host = (await stage.expose(owner, { ports: [origin] }))['node1'] ?? '';
    const socket = connect(caller.port, '127.0.0.1');
    socket.on('error', () => undefined);
    stage.onClose(() => socket.destroy());
    socket.pause();
    socket.write(message('GET / HTTP/1.1', `Host: ${host}`));
    // Stalled, and still at the same place after a good many turns of the event loop.
    let last = -1;
    let turns = 0;
    await waitFor(
      () => {
        turns = stalled && sent === last ? turns + 1 : 0;
        last = sent;
        return turns > 8;
      },
      { what: 'the origin to be held back' },
    );
    // What lies in buffers of sockets and streams on the way.
    expect(sent).toBeLessThan(32 * MIB);
    let got = 0;
    socket.on('data', (chunk) => {
      got += chunk.length;
    });
    socket.resume();
    await waitFor(() => got > SMALL, { what: 'the rest' });
  });
});
