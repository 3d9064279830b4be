import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocuments, readDocuments } from '../../cli/input/documents.ts';

describe('parseDocuments', () => {
  it('reads several YAML documents, JSON, and the items of a List', async () => {
    const text = 'kind: A\n---\n# nothing\n---\n{"kind": "List", "items": [{"kind": "B"}, {"kind": "C"}]}\n';
    expect((await parseDocuments(text, 'x')).map(({ document }) => document['kind'])).toEqual(['A', 'B', 'C']);
  });

  it.each([
    ['kind: [', 'x: '],
    ['- a\n- b', 'must be an object'],
    ['kind: List\nitems: [1]', 'is not an object'],
    ['a: 1\na: 2', 'unique'],
    ['kind: A\n---\nspec:\n  b: [{"__proto__": {c: 1}}]', 'x:3: a field must not be named "__proto__": spec.b.0.__proto__'],
  ])('refuses %j', async (text, message) => {
    await expect(parseDocuments(text, 'x')).rejects.toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining(message) });
  });

  it('does not unfold a bomb of aliases', async () => {
    const level = (name: string, of: string): string => `${name}: &${name} [${Array(9).fill(`*${of}`).join(',')}]`;
    const names = ['b', 'c', 'd', 'e', 'f', 'g'];
    const bomb = ['a: &a [x]', ...names.map((name, index) => level(name, ['a', ...names][index] ?? ''))].join('\n');
    await expect(parseDocuments(bomb, 'x')).rejects.toThrow();
  });
});

describe('readDocuments', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dtkd-documents-'));
    await writeFile(join(dir, 'b.yaml'), 'kind: B');
    await writeFile(join(dir, 'a.json'), '{"kind": "A"}');
    await writeFile(join(dir, 'notes.txt'), 'not a document');
  });
  afterAll(() => rm(dir, { recursive: true }));

  it('reads a directory in the order of names, and standard input', async () => {
    const found = await readDocuments([dir, '-'], Readable.from(['kind: C']));
    expect(found.map(({ document }) => document['kind'])).toEqual(['A', 'B', 'C']);
    expect(found.at(-1)?.source).toBe('standard input');
  });

  it('says what is wrong with a path', async () => {
    await expect(readDocuments([join(dir, 'absent.yaml')])).rejects.toMatchObject({ message: expect.stringContaining('no such file') });
    await expect(readDocuments(['https://example.org/x.yaml'])).rejects.toMatchObject({ next: expect.stringContaining('curl') });
    await expect(readDocuments(['-'], Readable.from([]))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});
