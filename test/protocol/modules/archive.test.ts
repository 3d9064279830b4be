import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_MODULE_BYTES, MAX_MODULE_FILES } from '../../../protocol/definitions/module.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { digestOf, type ModuleFile, packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { codeOf } from '../../code-of.ts';

const MANIFEST: ModuleFile = { path: 'dtk.module.yaml', executable: false, data: Buffer.from('module: a/b') };

function file(path: string, text = ''): ModuleFile {
  return { path, executable: false, data: Buffer.from(text) };
}

/** An archive that no `packArchive` would make. */
function raw(files: unknown, more: object = {}): Uint8Array {
  return encodeCbor({ version: 1, files, ...more });
}

describe('an archive', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_é☃-][a-zA-Z0-9._é☃-]{0,8}$/);
  const files = fc
    .uniqueArray(
      fc.record({
        path: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `f/${parts.join('/')}`),
        executable: fc.boolean(),
        data: fc.uint8Array({ maxLength: 60 }),
      }),
      { selector: ({ path }) => path, maxLength: 12 },
    )
    .filter((all) => !all.some(({ path }) => all.some((other) => other.path.startsWith(`${path}/`))));

  it('comes back as it was packed, and has the same digest whatever the order of its files', () => {
    fc.assert(
      fc.property(files, fc.func(fc.integer()), (some, order) => {
        const all = [MANIFEST, ...some];
        const bytes = packArchive(all);
        const shuffled = [...all].sort((a, b) => order(a.path) - order(b.path));
        expect(digestOf(packArchive(shuffled))).toBe(digestOf(bytes));
        const { files: back } = unpackArchive(bytes);
        const plain = (one: ModuleFile) => [one.path, one.executable, Buffer.from(one.data).toString('hex')];
        expect(back.map(plain)).toEqual([...all].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))).map(plain));
      }),
      { numRuns: 60 },
    );
  });

  it('is refused with a code, whatever the bytes are', () => {
    const good = packArchive([MANIFEST, file('bin/start', '#!/bin/sh')]);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 80 }),
          fc.nat(good.length - 1).map((end) => good.subarray(0, end)),
        ),
        (bytes) => {
          expect(codeOf(() => unpackArchive(bytes))).toBe('CONTENT_ALTERED');
        },
      ),
    );
  });

  it.each([
    ['/etc/passwd'],
    ['../up'],
    ['a/../../up'],
    ['a/./b'],
    ['a//b'],
    ['a/'],
    ['.'],
    ['a\\b'],
    ['a\0b'],
    ['a\nb'],
    [''],
    ['x'.repeat(513)],
    [`a/${'x'.repeat(256)}`],
  ])('cannot have a file at %j', (path) => {
    expect(codeOf(() => packArchive([MANIFEST, file(path)]))).toBe('INVALID');
    const sorted = [MANIFEST, file(path)].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
    expect(codeOf(() => unpackArchive(raw(sorted)))).toBe('CONTENT_ALTERED');
  });

  it('has each path once, in order, and no file that is a directory', () => {
    expect(codeOf(() => packArchive([MANIFEST, file('a'), file('a')]))).toBe('INVALID');
    expect(codeOf(() => packArchive([MANIFEST, file('a'), file('a/b')]))).toBe('INVALID');
    expect(codeOf(() => packArchive([MANIFEST, file('a'), file('a-'), file('a/b')]))).toBe('INVALID');
    expect(codeOf(() => unpackArchive(raw([MANIFEST, file('a')])))).toBe('CONTENT_ALTERED');
    expect(codeOf(() => unpackArchive(raw([file('a'), file('a'), MANIFEST])))).toBe('CONTENT_ALTERED');
    expect(codeOf(() => packArchive([file('a')]))).toBe('INVALID');
  });

  it('has nothing but plain files, so that no link can be in it', () => {
    const link = { path: 'link', executable: false, link: '/etc/passwd' };
    expect(codeOf(() => unpackArchive(raw([MANIFEST, link])))).toBe('CONTENT_ALTERED');
    expect(codeOf(() => unpackArchive(raw([MANIFEST, { ...MANIFEST, path: 'x', executable: 1 }])))).toBe('CONTENT_ALTERED');
  });

  it('is bounded in files and bytes', () => {
    const many = Array.from({ length: MAX_MODULE_FILES }, (_, index) => file(`f/${String(index).padStart(5, '0')}`));
    expect(codeOf(() => packArchive([MANIFEST, ...many]))).toBe('TOO_LARGE');
    expect(codeOf(() => unpackArchive(raw([MANIFEST, ...many])))).toBe('CONTENT_ALTERED');
    expect(unpackArchive(packArchive([MANIFEST, ...many.slice(1)])).files).toHaveLength(MAX_MODULE_FILES);
    expect(codeOf(() => packArchive([MANIFEST, { ...MANIFEST, path: 'big', data: new Uint8Array(MAX_MODULE_BYTES) }]))).toBe('TOO_LARGE');
    expect(codeOf(() => unpackArchive(new Uint8Array(MAX_MODULE_BYTES + 1)))).toBe('TOO_LARGE');
  });
});
