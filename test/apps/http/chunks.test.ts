import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkError, ChunkScanner } from '../../../daemon/src/apps/http/chunks.ts';
import { judge } from './llhttp.ts';

interface Read {
  out: string;
  trailers: string;
  rest: string;
  done: boolean;
}

/** Feeds a wire in pieces of the given sizes (the last repeated). */
function read(wire: string, framed: boolean, sizes: readonly number[] = [1 << 20]): Read {
  const scanner = new ChunkScanner(framed);
  const out: Buffer[] = [];
  const bytes = Buffer.from(wire, 'latin1');
  let at = 0;
  let index = 0;
  while (at < bytes.length && !scanner.done) {
    const size = Math.max(1, sizes[Math.min(index, sizes.length - 1)] ?? 1);
    index += 1;
    const piece = bytes.subarray(at, at + size);
    at += scanner.scan(piece, 0, (part) => out.push(part));
  }
  return { out: Buffer.concat(out).toString('latin1'), trailers: scanner.trailers, rest: bytes.toString('latin1', at), done: scanner.done };
}

const extension = fc.constantFrom('', ';a', ';a=b', ';a="b c"', ';a=b;c');
const chunk = fc.tuple(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), extension);
const trailers = fc.constantFrom('', 'X-A: b\r\n', 'X-A: b\r\nX-C: d\r\n');

describe('the chunked coding', () => {
  it('comes through whole, however it is cut', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 6 }), trailers, sizes, (chunks, tail, cuts) => {
        const data = chunks.map(([text]) => text).join('');
        const wire = `${chunks.map(([text, ext]) => `${text.length.toString(16)}${ext}\r\n${text}\r\n`).join('')}0\r\n${tail}\r\n`;
        const plain = read(`${wire}NEXT`, false, cuts);
        expect(plain).toMatchObject({ out: data, trailers: tail, done: true });
        expect('NEXT'.endsWith(plain.rest) || plain.rest.endsWith('NEXT')).toBe(true);
        const framed = read(`${wire}NEXT`, true, cuts);
        expect(framed).toMatchObject({ trailers: tail, done: true });
        // What is passed on is chunked again, says the same, and holds no extension.
        expect(read(`${framed.out}0\r\n\r\n`, false).out).toBe(data);
        if (chunks.every(([text]) => !text.includes(';'))) expect(framed.out).not.toContain(';');
      }),
    );
  });

  it.each([
    '5\nhello\r\n',
    '5\r\nhelloX\r\n',
    '5\r\nhello\r0\r\n',
    '5\r\nhello\n0\r\n',
    '5 \r\nhello\r\n',
    ' 5\r\nhello\r\n',
    '+5\r\nhello\r\n',
    '0x5\r\nhello\r\n',
    '-1\r\n',
    '\r\n',
    'g\r\n',
    '5;\nhello\r\n',
    '5;a\rb\r\nhello\r\n',
    '5;a b\r\nhello\r\n',
    '5;;\r\nhello\r\n',
    '5;a="\r\n"\r\nhello\r\n',
    '11111111111111\r\n',
    `5;${'a'.repeat(2000)}\r\nhello\r\n`,
    '0\r\nX: y\n\r\n',
    '0\r\nX: y\rZ: a\r\n\r\n',
    `0\r\n${'X: y\r\n'.repeat(3000)}\r\n`,
  ])('refuses %#', (wire) => {
    expect(() => read(wire, true)).toThrow(ChunkError);
    expect(() => read(wire, true, [1])).toThrow(ChunkError);
    expect(() => read(wire, false)).toThrow(ChunkError);
  });

  it('is never accepted where llhttp refuses it', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '5',
        '0',
        'a',
        'F',
        '\r\n',
        '\r',
        '\n',
        ';',
        '=',
        '"',
        ' ',
        '\t',
        'hello',
        'X: y',
        ':',
        '\0',
        '5\r\nhello\r\n',
        '0\r\n\r\n',
      ),
      fc.string({ maxLength: 3, unit: 'binary-ascii' }),
    );
    const valid = fc.constantFrom(
      '5\r\nhello\r\n0\r\n\r\n',
      '5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
      'a\r\n0123456789\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    const mutated = fc.tuple(valid, fc.nat(), fc.nat(3), piece).map(([text, at, cut, put]) => {
      const index = at % text.length;
      return text.slice(0, index) + put + text.slice(index + cut);
    });
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
        ),
        (wire) => {
          let result: Read;
          try {
            result = read(wire, true);
          } catch {
            return true;
          }
          if (!result.done) return true;
          const used = wire.slice(0, wire.length - result.rest.length);
          const verdict = judge(Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${used}`, 'latin1'));
          // A trailer line that is no field is refused by the proxy when it reads the block.
          return (verdict.accepted && verdict.messages === 1) || result.trailers !== '';
        },
      ),
      { numRuns: 8_000 },
    );
  });
});
