import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { KINDS } from '../../protocol/kinds/index.ts';
import { fieldsOf } from '../../scripts/fields.ts';
import { makeReference } from '../../scripts/reference.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('docs/reference.md', () => {
  it('is what "npm run reference" makes', async () => {
    const [page, wanted] = await Promise.all([readFile(join(ROOT, 'docs/reference.md'), 'utf8'), makeReference(ROOT)]);
    expect(page.split('\n'), 'run "npm run reference" and commit docs/reference.md').toEqual(wanted.split('\n'));
  });

  it('says what every field is', () => {
    for (const kind of KINDS) {
      const fields = fieldsOf(kind.schema);
      expect(fields.length, kind.kind).toBeGreaterThan(kind.kind === 'Namespace' ? 0 : 1);
      const paths = fields.map(({ path }) => path);
      expect(new Set(paths).size, `${kind.kind} has ${paths.filter((path, at) => paths.indexOf(path) !== at).join(', ')} twice`).toBe(
        paths.length,
      );
    }
  });
});

describe('fields of a schema', () => {
  it('are told with their types, in lists, maps and variants', () => {
    const inner = z.object({ port: z.number().int().describe('Where.'), also: z.string().optional() });
    const schema = z.object({
      list: z.array(inner),
      names: z.array(z.string()).optional(),
      map: z.record(z.string(), inner).optional(),
      mode: z.enum(['a', 'b']).optional(),
      either: z.union([z.string(), inner]).optional(),
      some: z.unknown().optional(),
    });
    expect(fieldsOf(schema).map(({ path, type, required }) => `${path}: ${type}${required ? '!' : ''}`)).toEqual([
      'list: list of object!',
      'list[].port: integer!',
      'list[].also: string',
      'names: list of string',
      'map: map of object',
      'map.NAME.port: integer!',
      'map.NAME.also: string',
      'mode: "a", "b"',
      'either: string or object',
      'either.port: integer!',
      'either.also: string',
      'some: any',
    ]);
  });
});
