import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadError, headEnd, parseRequestHead, parseResponseHead } from '../../../daemon/src/apps/http/head.ts';
import { judge } from './llhttp.ts';

function request(...lines: string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function statusOf(text: string): number {
  try {
    const bytes = Buffer.from(text, 'latin1');
    const end = headEnd(bytes, 0);
    if (end < 0) return 0;
    parseRequestHead(bytes.toString('latin1', 0, end));
    return 200;
  } catch (error) {
    if (error instanceof HeadError) return error.status;
    throw error;
  }
}

describe('a request head', () => {
  it('is read', () => {
    const head = parseRequestHead(request('POST /a?b=c HTTP/1.1', 'Host: App.Example:7702', 'X-Two:  a b \t', 'Content-Length: 5'));
    expect(head).toMatchObject({ method: 'POST', target: '/a?b=c', host: 'app.example', authority: 'App.Example:7702', contentLength: 5 });
    expect(head.fields.slice(2, 4)).toEqual(['X-Two', 'a b']);
  });

  it('takes absolute form only for the same authority', () => {
    expect(parseRequestHead(request('GET http://A.b:1/x HTTP/1.1', 'Host: a.b:1')).target).toBe('/x');
    expect(statusOf(request('GET http://a.b/x HTTP/1.1', 'Host: other'))).toBe(400);
    expect(statusOf(request('GET http://a.b@evil/x HTTP/1.1', 'Host: a.b'))).toBe(400);
    expect(statusOf(request('GET https://a.b/x HTTP/1.1', 'Host: a.b'))).toBe(400);
  });

  it.each<[string, number, string]>([
    ['both lengths', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Transfer-Encoding: chunked')],
    ['both lengths, the other way round', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Content-Length: 5')],
    ['two lengths', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Content-Length: 6')],
    ['two equal lengths', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5', 'content-length: 5')],
    ['a list of lengths', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5, 5')],
    ['a signed length', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: +5')],
    ['a hexadecimal length', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 0x5')],
    ['an empty length', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length:')],
    ['a length beyond numbers', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 99999999999999999999')],
    ['a length with a blank in it', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length: 5 5')],
    ['gzip, chunked', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: gzip, chunked')],
    ['chunked, chunked', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked, chunked')],
    ['chunked twice', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
    ['identity', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: identity')],
    ['a vertical tab before chunked', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: \x0bchunked')],
    ['quoted chunked', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: "chunked"')],
    ['chunked in HTTP/1.0', 400, request('POST / HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked')],
    ['a blank before the colon', 400, request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding : chunked')],
    ['a tab before the colon', 400, request('POST / HTTP/1.1', 'Host: a', 'Content-Length\t: 5')],
    ['a folded line', 400, request('GET / HTTP/1.1', 'Host: a', 'X: a', ' b')],
    ['a folded line by tab', 400, request('GET / HTTP/1.1', 'Host: a', 'X: a', '\tb')],
    ['a fold at the first line', 400, request('GET / HTTP/1.1', ' Host: a')],
    ['no colon', 400, request('GET / HTTP/1.1', 'Host: a', 'X')],
    ['no name', 400, request('GET / HTTP/1.1', 'Host: a', ': x')],
    ['a bare CR in a value', 400, request('GET / HTTP/1.1', 'Host: a', 'X: a\rContent-Length: 5')],
    ['a bare LF between lines', 400, 'GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'],
    ['bare LFs throughout', 400, 'GET / HTTP/1.1\nHost: a\n\n'],
    ['NUL in a value', 400, request('GET / HTTP/1.1', 'Host: a', 'X: a\0b')],
    ['no Host', 400, request('GET / HTTP/1.1', 'X: y')],
    ['an empty Host', 400, request('GET / HTTP/1.1', 'Host:')],
    ['two Hosts', 400, request('GET / HTTP/1.1', 'Host: a', 'Host: a')],
    ['a Host with a path', 400, request('GET / HTTP/1.1', 'Host: a/b')],
    ['a Host with a user', 400, request('GET / HTTP/1.1', 'Host: a@b')],
    ['a Host with a blank', 400, request('GET / HTTP/1.1', 'Host: a b')],
    ['a Host list', 400, request('GET / HTTP/1.1', 'Host: a, b')],
    ['an unknown method', 400, request('FOO / HTTP/1.1', 'Host: a')],
    ['a lower-case method', 400, request('get / HTTP/1.1', 'Host: a')],
    ['CONNECT', 405, request('CONNECT a:443 HTTP/1.1', 'Host: a')],
    ['TRACE', 405, request('TRACE / HTTP/1.1', 'Host: a')],
    ['no target', 400, request('GET HTTP/1.1', 'Host: a')],
    ['two blanks', 400, request('GET  / HTTP/1.1', 'Host: a')],
    ['a blank in the target', 400, request('GET /a b HTTP/1.1', 'Host: a')],
    ['a fragment', 400, request('GET /a#b HTTP/1.1', 'Host: a')],
    ['a relative target', 400, request('GET a HTTP/1.1', 'Host: a')],
    ['* for GET', 400, request('GET * HTTP/1.1', 'Host: a')],
    ['HTTP/0.9', 400, 'GET /\r\n\r\n'],
    ['HTTP/2.0', 505, request('GET / HTTP/2.0', 'Host: a')],
    ['HTTP/1.2', 505, request('GET / HTTP/1.2', 'Host: a')],
    ['a lower-case version', 400, request('GET / http/1.1', 'Host: a')],
    ['Connection naming Content-Length', 400, request('POST / HTTP/1.1', 'Host: a', 'Connection: content-length', 'Content-Length: 1')],
    ['Connection naming Host', 400, request('GET / HTTP/1.1', 'Host: a', 'Connection: close, host')],
    ['a target too long', 414, request(`GET /${'a'.repeat(9000)} HTTP/1.1`, 'Host: a')],
    ['too many fields', 431, request('GET / HTTP/1.1', 'Host: a', ...Array.from({ length: 100 }, (_, index) => `X-${index}: y`))],
  ])('is refused with %s', (_name, status, text) => {
    expect(statusOf(text)).toBe(status);
  });

  it('is never accepted where llhttp refuses it', () => {
    const piece = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('\r\n', '\r', '\n', ' ', '\t', ':', ',', ';', '\0', '\x0b', '\x7f', '\xa0', '/', '*', '#') },
      fc.constantFrom('GET', 'POST', 'SOURCE', 'PRI', 'HTTP/1.1', 'HTTP/1.0', 'http://a', 'Host', 'Host: a', 'a', '5', '0', '-1', '5,5'),
      fc.constantFrom('Content-Length', 'Content-Length: 3', 'Transfer-Encoding', 'Transfer-Encoding: chunked', 'chunked', 'gzip'),
      fc.constantFrom('Connection: close', 'Connection: upgrade', 'Upgrade: x', 'X-A: b', 'Expect: 100-continue'),
      fc.string({ maxLength: 6, unit: 'binary-ascii' }),
    );
    const valid = fc.constantFrom(
      request('GET / HTTP/1.1', 'Host: a', 'X-B: c'),
      request('POST /x HTTP/1.1', 'Host: a', 'Content-Length: 3'),
      request('POST /x HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'),
      request('OPTIONS * HTTP/1.0', 'Host: a', 'Connection: keep-alive'),
    );
    // A valid head with something put in, taken out, or put in the place of something.
    const mutated = fc.tuple(valid, fc.nat(), fc.nat(4), piece).map(([text, at, cut, put]) => {
      const index = at % text.length;
      return text.slice(0, index) + put + text.slice(index + cut);
    });
    const built = fc.array(piece, { maxLength: 16 }).map((pieces) => `GET / HTTP/1.1\r\nHost: a\r\n${pieces.join('')}\r\n\r\n`);
    let refused = 0;
    fc.assert(
      fc.property(fc.oneof(mutated, built), (text) => {
        const bytes = Buffer.from(text, 'latin1');
        let end: number;
        try {
          end = headEnd(bytes, 0);
          if (end < 0) return true;
          parseRequestHead(bytes.toString('latin1', 0, end));
        } catch {
          refused += 1;
          return true;
        }
        return judge(bytes.subarray(0, end)).accepted;
      }),
      { numRuns: 8_000 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});

describe('a response head', () => {
  it('is read', () => {
    const head = parseResponseHead('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\n\r\n');
    expect(head).toMatchObject({ status: 200, reason: 'OK', contentLength: 3, chunked: false });
    expect(parseResponseHead('HTTP/1.1 404 \r\n\r\n')).toMatchObject({ status: 404, reason: '' });
    expect(parseResponseHead('HTTP/1.0 200\r\n\r\n')).toMatchObject({ version: '1.0' });
  });

  it.each([
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n',
    'HTTP/2.0 200 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 600 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
  ])('is refused: %j', (text) => {
    expect(() => parseResponseHead(text)).toThrow(HeadError);
  });
});
