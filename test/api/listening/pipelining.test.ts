import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SERVICES, serviceBody, startTestApi, type TestApi, TOKEN } from '../fixtures.ts';

let api: TestApi;
let running = 0;
let atOnce = 0;
let begun: string[] = [];
let go: PromiseWithResolvers<void>;

beforeEach(async () => {
  running = 0;
  atOnce = 0;
  begun = [];
  go = Promise.withResolvers();
  api = await startTestApi({
    actions: {
      wait: async ({ query }) => {
        begun.push(query.get('n') ?? '');
        running += 1;
        atOnce = Math.max(atOnce, running);
        await go.promise;
        running -= 1;
        return {};
      },
    },
  });
});

afterEach(() => api.close());

const get = (path: string, ...lines: string[]) =>
  `${[`GET ${path} HTTP/1.1`, 'host: localhost', `authorization: Bearer ${TOKEN}`, ...lines].join('\r\n')}\r\n\r\n`;
const wait = (n: number) => get(`/apis/dtkd.dev/v1/daemon/wait?n=${n}`);

/** Sends bytes as they are; what has come back, once the connection is closed. */
async function raw(text: string, then: () => unknown = () => {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: api.server.port, rejectUnauthorized: false });
  let answer = '';
  socket.on('data', (part) => {
    answer += part.toString();
  });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', resolve));
  await once(socket, 'secureConnect');
  socket.write(text);
  await then();
  await closed;
  return answer;
}

function bodyOf(answer: string): { code: number; details: { code: string } } {
  return JSON.parse(answer.slice(answer.lastIndexOf('\r\n\r\n')));
}

describe('requests that are sent ahead', () => {
  it('are answered one after the other', async () => {
    const requests = Array.from({ length: 20 }, (_, n) => wait(n)).join('');
    const answers = await raw(`${requests}${get('/livez', 'connection: close')}`, async () => {
      // a request on another connection: by then all that came before has been read
      await api.ask('GET', '/livez');
      go.resolve();
    });
    expect(answers.match(/HTTP\/1\.1 200 /g)).toHaveLength(21);
    expect(begun).toEqual(Array.from({ length: 20 }, (_, n) => String(n)));
    expect(atOnce).toBe(1);
  });

  it('are refused when they are many, and what was not begun never runs', async () => {
    const answer = await raw(Array.from({ length: 100 }, (_, n) => wait(n)).join(''));
    expect(answer).toMatch(/^HTTP\/1\.1 429 [\s\S]*\r\nConnection: close\r\n/);
    expect(bodyOf(answer)).toMatchObject({ code: 429, details: { code: 'TOO_MANY_REQUESTS' } });
    go.resolve();
    expect((await api.ask('GET', '/livez')).text).toBe('ok');
    expect(begun).toEqual(['0']);
  });

  it('do not run behind an answer that ends the connection', async () => {
    const body = JSON.stringify(serviceBody('late'));
    const post = (length: number, text: string) =>
      `POST ${SERVICES} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${text}`;
    const large = 1024 * 1024 + 1;
    expect(await raw(`${post(large, ' '.repeat(large))}${post(body.length, body)}`)).toMatch(/^HTTP\/1\.1 413 /);
    expect((await api.ask('GET', `${SERVICES}/late`)).status).toBe(404);
  });
});

describe('what is no request', () => {
  it.each([
    ['GET nonsense\r\n\r\n', 400, 'BAD_REQUEST'],
    [`GET /api HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'TOO_LARGE'],
    ['POST /api HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 400, 'BAD_REQUEST'],
    ['CONNECT localhost:22 HTTP/1.1\r\nhost: localhost\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
    ['POST /api HTTP/1.1\r\nhost: localhost\r\nexpect: 200-ok\r\ncontent-length: 1\r\n\r\nx', 417, 'BAD_REQUEST'],
  ])('is refused with a code: %.40j', async (text, http, code) => {
    const answer = await raw(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${http} `));
    expect(bodyOf(answer)).toMatchObject({ kind: 'Status', code: http, details: { code } });
  });
});

describe('documents for everybody', () => {
  it('are written in pieces, since TLS copies what is written at once', async () => {
    for (const encoding of ['identity', 'gzip']) {
      const request = new Request('https://localhost/reference/rapidoc-min.js', { headers: { 'accept-encoding': encoding } });
      const answer = await api.server.answer(request, { own: { principal: { type: 'operator', name: 'operator' } } });
      const sizes: number[] = [];
      for await (const piece of answer.body ?? []) sizes.push(piece.length);
      expect(sizes.reduce((sum, size) => sum + size)).toBe(Number(answer.headers.get('content-length')));
      expect(sizes.length).toBeGreaterThan(1);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
    }
  });
});
