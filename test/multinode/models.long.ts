import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();
const EXAMPLES = new URL('../../examples/models/', import.meta.url);
const imported = z.looseObject({ objects: z.array(z.looseObject({ result: z.string() })) });

/** Each example, the model that it becomes, and what is in it. */
const FILES = [
  { file: 'controltier-project.xml', model: 'controltier', resources: 7, hosts: ['db1', 'web1'] },
  { file: 'rundeck-resources.xml', model: 'rundeck-xml', resources: 2, hosts: ['db1', 'web1'] },
  { file: 'rundeck-resources.yaml', model: 'rundeck-yaml', resources: 2, hosts: ['db1', 'web1'] },
  { file: 'rundeck-resources.json', model: 'rundeck-json', resources: 2, hosts: ['db1', 'web1'] },
  { file: 'ansible-inventory.ini', model: 'ansible-ini', resources: 8, hosts: [] },
  { file: 'ansible-inventory.yaml', model: 'ansible-yaml', resources: 8, hosts: [] },
];

describe('models of other tools', () => {
  let site: Site;
  /** A second daemon, to which everything is moved on. */
  let other: Site;

  beforeAll(async () => {
    [site, other] = (await stage.current.startAll('here', 'there')) as [Site, Site];
  });

  async function resources(at: Site, model: string): Promise<ApiObject[]> {
    return at.list('resource', { query: `fieldSelector=${encodeURIComponent(`spec.model=${model}`)}` });
  }

  /** What people wrote, without what a daemon adds. */
  function written(objects: readonly ApiObject[]): unknown[] {
    return objects.map(({ kind, metadata, spec }) => ({
      kind,
      name: metadata.name,
      labels: metadata.labels ?? {},
      annotations: metadata.annotations ?? {},
      spec,
    }));
  }

  async function importFile(at: Site, path: string, model: string | undefined, ...more: string[]): Promise<string[]> {
    const answer = await at.cli('model', 'import', path, ...(model === undefined ? [] : ['--model', model]), '-o', 'json', ...more);
    expect(answer, answer.stderr).toMatchObject({ code: 0 });
    return imported.parse(JSON.parse(answer.stdout)).objects.map(({ result }) => result);
  }

  describe.each(FILES)('$file', ({ file, model, hosts }) => {
    const path = new URL(file, EXAMPLES).pathname;

    it('is looked at, imported, and the second time nothing changes', async () => {
      const rehearsed = await importFile(site, path, model, '--dry-run');
      expect(await site.get('model', model)).toBeUndefined();
      expect(await importFile(site, path, model)).toEqual(rehearsed);
      const before = await resources(site, model);
      expect(before.length).toBeGreaterThan(1);
      expect([...new Set(await importFile(site, path, model))]).toEqual(['unchanged']);
      expect(await resources(site, model)).toEqual(before);
      expect(JSON.stringify(before)).not.toContain('not-kept');
    });

    it('can be asked about', async () => {
      const { stdout } = await site.cli('get', 'resources', '--where', `model=${model} and type=Host`, '-o', 'json');
      const found = z.looseObject({ items: z.array(z.looseObject({ spec: z.looseObject({ name: z.string().optional() }) })) });
      const names = found.parse(JSON.parse(stdout)).items.map(({ spec }) => spec.name);
      expect(names.length).toBeGreaterThan(0);
      if (hosts.length > 0) expect(names.sort()).toEqual(hosts);
      const byTag = await site.cli(
        'get',
        'resources',
        '-l',
        'tags.dtkd.dev/front',
        '--field-selector',
        `spec.model=${model}`,
        '-o',
        'name',
      );
      expect(byTag.stdout.trim().split('\n').length).toBeGreaterThan(0);
      expect(byTag.stdout).toContain('resource.dtkd.dev/');
    });

    it('is exported to another node and back without losing anything', async () => {
      const exported = await site.cli('model', 'export', model);
      expect(exported.code).toBe(0);
      const yaml = join(stage.current.directory, `${model}.yaml`);
      await writeFile(yaml, exported.stdout);
      expect([...new Set(await importFile(site, yaml, undefined))]).toEqual(['unchanged']);
      expect(await importFile(other, yaml, undefined)).not.toContain('unchanged');
      expect(written(await resources(other, model))).toEqual(written(await resources(site, model)));
      expect((await other.cli('model', 'export', model)).stdout).toBe(exported.stdout);
      // The next one brings its own types, of which some may have the same names.
      expect(await other.cli('delete', 'model', model, '--cascade')).toMatchObject({ code: 0 });
      expect(await resources(other, model)).toEqual([]);
      for (const type of await other.list('type'))
        if (type.metadata.labels?.['dtkd.dev/built-in'] === undefined) await other.delete('type', type.metadata.name);
    });
  });

  it('go to Rundeck again, with what Rundeck knows of', async () => {
    const { code, stdout } = await site.cli('model', 'export', 'rundeck-yaml', '--format', 'rundeck');
    expect(code).toBe(0);
    const path = join(stage.current.directory, 'resources.yaml');
    await writeFile(path, stdout);
    await importFile(other, path, 'rundeck-yaml');
    const properties = (objects: readonly ApiObject[]) =>
      objects.map((object) => ({ name: object.metadata.name, ...z.looseObject({ properties: z.unknown() }).parse(object['spec']) }));
    expect(properties(await resources(other, 'rundeck-yaml'))).toEqual(properties(await resources(site, 'rundeck-yaml')));
  });

  describe('that are broken', () => {
    const cases: { what: string; name: string; text: string; line?: number; says: RegExp }[] = [
      {
        what: 'XML that ends too early',
        name: 'half.xml',
        text: '<?xml version="1.0"?>\n<project>\n  <node name="a" hostname="a.example"/>\n  <node name="b" hostname="b.example">\n</project>\n',
        says: /half\.xml:\d/,
      },
      {
        what: 'XML with an external entity',
        name: 'entity.xml',
        text: '<?xml version="1.0"?>\n<!DOCTYPE project [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<project><node name="a" description="&x;" hostname="a"/></project>\n',
        says: /entit/i,
      },
      {
        what: 'XML that would grow without end',
        name: 'laughs.xml',
        text: `<?xml version="1.0"?>\n<!DOCTYPE project [<!ENTITY a "ha"><!ENTITY b "${'&a;'.repeat(50)}"><!ENTITY c "${'&b;'.repeat(50)}">]>\n<project><node name="a" description="&c;" hostname="a"/></project>\n`,
        says: /entit/i,
      },
      {
        what: 'YAML whose aliases explode',
        name: 'aliases.yaml',
        text: `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
          .split('')
          .map((letter, index) => `${letter}: &${letter} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(', ')}]`)
          .join('\n')}\nweb1: {nodename: web1, hostname: web1.example, tags: *i}\n`,
        says: /alias/i,
      },
      {
        what: 'JSON that ends too early',
        name: 'half.json',
        text: '[\n  {"nodename": "a", "hostname": "a.example"},\n  {"nodename": "b", \n',
        says: /half\.json/,
      },
      {
        what: 'an inventory with a line that is none',
        name: 'half.ini',
        text: '[front]\nweb1.example\n\n[back\ndb1.example\n',
        says: /half\.ini:4/,
      },
      {
        what: 'dtkd YAML of which one object is refused',
        name: 'half.yaml',
        text: 'apiVersion: dtkd.dev/v1\nkind: Model\nmetadata: {name: broken}\nspec: {}\n---\napiVersion: dtkd.dev/v1\nkind: Resource\nmetadata: {name: broken-one}\nspec: {model: broken, type: Nonesuch}\n',
        says: /half\.yaml:6: Resource broken-one: spec\.type: .*Nonesuch/,
      },
    ];
    it.each(cases)('are not imported at all: $what', async ({ name, text, says }) => {
      const path = join(stage.current.directory, name);
      await writeFile(path, text);
      const answer = await site.cli('model', 'import', path, ...(name === 'half.yaml' ? [] : ['--model', 'broken']));
      expect(answer.code).not.toBe(0);
      expect(answer.stderr).toMatch(says);
      expect(await site.get('model', 'broken')).toBeUndefined();
      expect(await resources(site, 'broken')).toEqual([]);
    });

    it('say on which line they are', async () => {
      const lines = (await readFile(new URL('rundeck-resources.json', EXAMPLES), 'utf8')).split('\n');
      const at = lines.findIndex((line) => line.includes('"db1"'));
      lines[at] = '    "nodename": "db1" oops,';
      const path = join(stage.current.directory, 'oops.json');
      await writeFile(path, lines.join('\n'));
      const answer = await site.cli('model', 'import', path, '--model', 'broken');
      expect(answer.code).not.toBe(0);
      expect(answer.stderr).toContain(`oops.json:${at + 1}`);
      expect(await site.get('model', 'broken')).toBeUndefined();
    });
  });

  it('can be asked about with an expression that cannot be read, and the place is shown', async () => {
    const answer = await site.cli('get', 'resources', '--where', 'type=Host and and port>1');
    expect(answer.code).not.toBe(0);
    expect(answer.stderr).toMatch(/\^/);
  });
});
