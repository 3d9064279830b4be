import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { expandRange } from '../../../cli/model/ansible.ts';
import type { Draft, ResourceDraft } from '../../../cli/model/draft.ts';
import { readForeign } from '../../../cli/model/read.ts';
import { parseXml } from '../../../cli/model/xml.ts';
import { DtkdError } from '../../../protocol/errors.ts';

const EXAMPLES = new URL('../../../examples/models/', import.meta.url);

async function example(name: string): Promise<Draft> {
  const draft = await readForeign(await readFile(new URL(name, EXAMPLES), 'utf8'), name);
  if (draft === 'dtkd') throw new Error(`${name} was taken for dtkd's own YAML`);
  return draft;
}

async function read(text: string, source = 'x.xml'): Promise<Draft> {
  const draft = await readForeign(text, source);
  if (draft === 'dtkd') throw new Error('taken for dtkd');
  return draft;
}

async function refusal(text: string, source?: string): Promise<string> {
  const error = await read(text, source).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof DtkdError)) throw new Error(`no refusal but ${String(error)}`);
  return error.message;
}

function named(draft: Draft, name: string): ResourceDraft | undefined {
  return draft.resources.find((each) => each.name === name);
}

describe('ControlTier project XML', () => {
  it('gives hosts, settings, packages, deployments and their relationships', async () => {
    const draft = await example('controltier-project.xml');
    expect(draft.format).toBe('ControlTier project XML');
    expect(draft.types).toEqual([
      expect.objectContaining({ name: 'Port', extends: 'Setting' }),
      expect.objectContaining({ name: 'TomcatServer', extends: 'Service' }),
    ]);
    expect(named(draft, 'web1')).toMatchObject({
      type: 'Host',
      tags: ['front', 'prod'],
      properties: { hostname: 'web1.shop.example', ctlUsername: 'deploy' },
    });
    expect(named(draft, 'storefront')).toMatchObject({
      type: 'TomcatServer',
      properties: { basedir: '/opt/storefront', 'startup-rank': 10 },
      parents: [
        { type: 'Host', name: 'web1' },
        { type: 'Site', name: 'shop' },
      ],
    });
    expect(named(draft, 'storefront-port')).toMatchObject({
      properties: { value: '8080', kind: 'port' },
      parents: [{ type: 'TomcatServer', name: 'storefront' }],
    });
    expect(draft.notes).toEqual([{ line: 11, text: 'ctlPassword of Host "db1" is a credential and was not kept' }]);
    expect(JSON.stringify(draft)).not.toContain('not-kept');
  });

  it('names the line of what is wrong', async () => {
    const project = (inner: string) => `<?xml version="1.0"?>\n<project>\n<setting name="s" type="Setting"/>\n${inner}\n</project>`;
    expect(await refusal(project('<setting type="Setting"/>'))).toBe('x.xml:4: <setting> has no name');
    expect(await refusal(project('<setting name="s" type="Setting"/>'))).toMatch(/^x\.xml:4: Setting "s" is here a second time/);
    expect(
      await refusal(
        project('<deployment name="d" type="Service"><resources>\n<resource type="Site" name="gone"/></resources></deployment>'),
      ),
    ).toMatch(/^x\.xml:5: there is no Site "gone"/);
    expect(await refusal(project('<setting name="a" type="Setting">'))).toMatch(/^x\.xml:5: /);
    expect(await refusal('<project><setting name="a" type="Setting"/>')).toMatch(/^x\.xml:/);
    expect(await refusal('<html><setting/></html>')).toMatch(/not <project>/);
  });

  it('names the element that was not closed, and its line', async () => {
    await expect(parseXml('<project>\n<node>\n</project>', 'bad.xml')).rejects.toThrow(
      'bad.xml:3: Unexpected close tag; <node> of line 2 is not closed',
    );
    await expect(parseXml('<project>\n<node a=1/>\n</project>', 'bad.xml')).rejects.toThrow(/^bad.xml:2: Unquoted attribute value$/);
  });

  it('neither reads nor expands entities', async () => {
    const laughs = [
      '<!DOCTYPE project [',
      '<!ENTITY a "ha">',
      ...'bcdefghij'.split('').map((name, index) => `<!ENTITY ${name} "${`&${'abcdefghij'[index]};`.repeat(10)}">`),
      ']>',
    ];
    expect(await refusal(`${laughs.join('\n')}<project><setting name="&j;" type="Setting"/></project>`)).toMatch(/declares entities/);
    expect(
      await refusal('<!DOCTYPE project [<!ENTITY x SYSTEM "file:///etc/passwd">]><project><setting name="&x;" type="S"/></project>'),
    ).toMatch(/declares entities/);
    expect(await refusal('<project><setting name="&x;" type="S"/></project>')).toMatch(/entity/i);
  });

  it('refuses what is nested without end', async () => {
    expect(await refusal(`<project><setting name="s" type="S">${'<a>'.repeat(1_000)}`)).toMatch(/nested deeper/);
  });
});

describe("Rundeck's resource models", () => {
  it.each(['rundeck-resources.xml', 'rundeck-resources.yaml', 'rundeck-resources.json'])('gives the same hosts from %s', async (name) => {
    const draft = await example(name);
    expect(draft.types).toEqual([]);
    expect(draft.resources).toHaveLength(2);
    expect(named(draft, 'web1')).toMatchObject({
      type: 'Host',
      description: 'first front-end machine',
      tags: ['front', 'prod'],
      properties: {
        hostname: 'web1.shop.example:2222',
        osArch: 'amd64',
        osVersion: '6.1',
        username: 'deploy',
        rack: 'r12',
        'http-port': '8080',
      },
    });
    expect(named(draft, 'db1')).toMatchObject({ tags: ['back', 'prod'], properties: { rack: 'r14' } });
    expect(JSON.stringify(draft)).not.toContain('not-kept');
  });

  it('names the line of what is wrong', async () => {
    expect(await refusal('web1:\n  nodename: web1\n  hostname: a\nweb2:\n  nodename: web1\n  hostname: b\n', 'r.yaml')).toMatch(
      /^r\.yaml:5?4?.*"web1" is here a second time/,
    );
    expect(await refusal('web1:\n  hostname: a\n  hostname: b\n', 'r.yaml')).toMatch(/^r\.yaml:3/);
    expect(await refusal('<project>\n<node hostname="h"/></project>')).toBe('x.xml:2: a node has no name');
  });

  it('does not swell by aliases', async () => {
    const lines = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefghij'.split('').map((name, index) => `${name}: &${name} [${`*${'abcdefghij'[index]},`.repeat(10)}]`),
    ];
    expect(await refusal(lines.join('\n'), 'r.yaml')).toMatch(/alias/i);
  });
});

describe("Ansible's inventories", () => {
  it.each(['ansible-inventory.ini', 'ansible-inventory.yaml'])('gives hosts, sites and variables from %s', async (name) => {
    const draft = await example(name);
    expect(draft.resources.map((each) => `${each.type}/${each.name}`).sort()).toEqual([
      'Host/bastion.shop.example',
      'Host/db1.shop.example',
      'Host/web1.shop.example',
      'Host/web2.shop.example',
      'Host/web3.shop.example',
      'Site/back',
      'Site/front',
      'Site/shop',
    ]);
    expect(named(draft, 'bastion.shop.example')).toMatchObject({ properties: { username: 'jump' }, parents: [] });
    expect(named(draft, 'web2.shop.example')).toMatchObject({
      tags: ['front'],
      properties: { http_port: 8080 },
      parents: [{ type: 'Site', name: 'front' }],
    });
    expect(named(draft, 'web3.shop.example')).toMatchObject({ properties: { hostname: '192.0.2.13', greeting: 'hello, world' } });
    expect(named(draft, 'db1.shop.example')).toMatchObject({ properties: { ansible_port: 2222, username: 'deploy' } });
    expect(named(draft, 'front')).toMatchObject({ parents: [{ type: 'Site', name: 'shop' }] });
    expect(named(draft, 'shop')).toMatchObject({ properties: { region: 'eu-north', backups: true } });
    expect(draft.notes.map(({ text }) => text)).toEqual([
      expect.stringContaining('ansible_password of host "db1.shop.example" is a credential'),
    ]);
    expect(JSON.stringify(draft)).not.toContain('not-kept');
  });

  it('names the line of what is wrong', async () => {
    expect(await refusal('[web]\nweb1 http_port\n', 'i.ini')).toBe('i.ini:2: "http_port" is not NAME=VALUE');
    expect(await refusal('[web:kids]\n', 'i.ini')).toMatch(/^i\.ini:1: \[web:kids\] is not one of/);
    expect(await refusal('[web]\na x="1\n', 'i.ini')).toMatch(/^i\.ini:2: a " is not closed/);
    expect(await refusal('[web:children]\nfront\n', 'i.ini')).toMatch(/^i\.ini:2: group "web" has the child "front", which is not a group/);
    expect(await refusal('[web\nx\n[a]\n', 'i.ini')).toMatch(/^i\.ini:1: /);
    expect(await refusal('all:\n  hosts:\n    - web1\n', 'i.yaml')).toMatch(/^i\.yaml:3: hosts of group "all" must be a mapping/);
    expect(await refusal('{"web": {"hosts": ["a"]}, "_meta": {"hostvars": {}}}', 'i.json')).toMatch(
      /^i\.json: this is the JSON of "ansible-inv/,
    );
  });

  it('keeps what a vault encrypted out', async () => {
    const draft = await read('all:\n  hosts:\n    h:\n      motto: |\n        $ANSIBLE_VAULT;1.1;AES256\n        6162\n', 'i.yaml');
    expect(named(draft, 'h')?.properties).toEqual({});
    expect(draft.notes).toHaveLength(1);
  });

  it('expands ranges, within bounds', () => {
    expect(expandRange('web[01:03].example', 'i')).toEqual(['web01.example', 'web02.example', 'web03.example']);
    expect(expandRange('r[a:b]n[1:2]', 'i')).toEqual(['ran1', 'ran2', 'rbn1', 'rbn2']);
    expect(expandRange('n[0:6:3]', 'i')).toEqual(['n0', 'n3', 'n6']);
    expect(expandRange('plain', 'i')).toEqual(['plain']);
    // as numbers these two are one and the same
    const endless = 'n[99999999999999999998:99999999999999999999]';
    for (const wrong of ['n[1:99999999]', 'n[1:200][1:200]', 'n[1:9999][1:9999][1:9999]', endless, 'n[5:1]', 'n[1:b]', 'n[x', 'a b'])
      expect(() => expandRange(wrong, 'i', 7), wrong).toThrow(/^i:7: /);
  });
});

it('says so when it cannot tell what a file is', async () => {
  expect(await refusal('a: 1\n', 'x.yaml')).toMatch(/was not detected/);
  expect(await refusal('  \n', 'x.yaml')).toMatch(/empty/);
  expect(await readForeign('apiVersion: dtkd.dev/v1\nkind: Model\nmetadata: {name: m}\n', 'x.yaml')).toBe('dtkd');
});

it.each([
  ['controltier', 'x.xml', '<project><node name="h" __proto__="x" note="y"/></project>'],
  ['rundeck', 'x.yaml', 'h: {nodename: h, hostname: h, note: y, __proto__: {note: inherited}}'],
  ['ansible', 'x.ini', '[all]\nh note=y __proto__={"note":"inherited"}\n'],
  ['ansible', 'x.yaml', 'all: {hosts: {h: {note: y, __proto__: {note: inherited}}}}'],
] as const)('takes from %s no property that would change what a record is (%s)', async (format, source, text) => {
  const draft = await readForeign(text, source, format);
  if (draft === 'dtkd') throw new Error('taken for dtkd');
  const properties = named(draft, 'h')?.properties ?? {};
  expect(Object.getPrototypeOf(properties)).toBe(Object.prototype);
  expect(properties).toMatchObject({ note: 'y' });
});

it('is not held up by much white space', async () => {
  expect(await refusal(`${'\n'.repeat(200_000)}a: 1\n`, 'x.txt')).toMatch(/was not detected/);
});
