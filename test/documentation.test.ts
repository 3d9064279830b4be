import { existsSync, globSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isErrorCode } from '../protocol/errors.ts';

const REPOSITORY = resolve(import.meta.dirname, '..');
const pages = globSync(['*.md', 'docs/*.md', 'protocol/*.md'], { cwd: REPOSITORY }).sort();

/** Words in capitals that are no codes of errors. */
const NO_CODE = /^(DTKD|LD)_/;

/** Headings as GitHub makes anchors of them. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(REPOSITORY, page), 'utf8');
  const all = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found = '']) => found);

  it('links to what is there', () => {
    const links = all(/\]\((?!https?:)([^)#\s]+)/g).map((link) => join(REPOSITORY, dirname(page), link));
    expect(links.filter((link) => !existsSync(link))).toEqual([]);
  });

  it('links to headings that are there', () => {
    const links = all(/\]\((?!https?:)([^)\s]*#[^)\s]+)\)/g);
    const missing = links.filter((link) => {
      const [file = '', anchor = ''] = link.split('#');
      const target = file === '' ? page : join(dirname(page), file);
      return target.endsWith('.md') && !anchorsOf(readFileSync(join(REPOSITORY, target), 'utf8')).includes(anchor);
    });
    expect(missing).toEqual([]);
  });

  it('names tests and examples that are there', () => {
    const paths = all(/`((?:test|examples|packaging|demo)\/[\w./-]+)`/g);
    expect(paths.filter((path) => !existsSync(join(REPOSITORY, path)))).toEqual([]);
  });

  it('names codes of errors that there are', () => {
    const codes = all(/`([A-Z]+(?:_[A-Z]+)+)`/g).filter((word) => !NO_CODE.test(word));
    expect(codes.filter((code) => !isErrorCode(code))).toEqual([]);
  });
});

describe('docs/service.md', () => {
  it('tells of every setting that the daemon has, and of no other', async () => {
    const [guide, config] = await Promise.all([
      readFile(join(REPOSITORY, 'docs/service.md'), 'utf8'),
      readFile(join(REPOSITORY, 'protocol/settings/settings.ts'), 'utf8'),
    ]);
    const told = new Set([...guide.matchAll(/^\|[^|]*\| `(DTKD_[A-Z_]+)/gm)].map(([, name]) => name));
    const schema = /export const settings = z\.strictObject\(\{([\s\S]*?)\n\}\);/.exec(config)?.[1] ?? '';
    const keys = [...schema.matchAll(/^ {2}(\w+):/gm)].map(([, key = '']) => key);
    const had = keys.map((key) => `DTKD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`);
    expect(keys.length).toBeGreaterThan(5);
    expect([...told].sort()).toEqual([...had, 'DTKD_CONFIG'].sort());
  });
});

describe('the map in ARCHITECTURE.md', () => {
  const map = /## The map\s+```\n([\s\S]*?)```/.exec(readFileSync(join(REPOSITORY, 'ARCHITECTURE.md'), 'utf8'))?.[1] ?? '';

  it.each(['protocol', 'daemon/src', 'daemon/src/mesh', 'daemon/src/catalog', 'daemon/src/dispatch', 'daemon/src/api', 'cli'])(
    'names every folder in %s',
    (where) => {
      const folders = globSync('*/', { cwd: join(REPOSITORY, where) }).map((folder) => basename(folder));
      expect(folders.length).toBeGreaterThan(3);
      expect(folders.filter((folder) => !map.includes(`${folder}/`))).toEqual([]);
    },
  );
});
