import { afterEach, describe, expect, it } from 'vitest';
import { createModels, whereOf } from '../../../daemon/src/catalog/bundles/models.ts';
import type { FoundResource, OtherRows } from '../../../daemon/src/catalog/bundles/ports.ts';
import type { Decide } from '../../../daemon/src/catalog/model/ports.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { INSTANCE_LABEL } from '../../../protocol/kinds/service-instance.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { Bundle } from '../../../protocol/orders/bundle.ts';
import { signBundle } from '../../../protocol/orders/signed-bundle.ts';
import { matchesWhere, parseWhere } from '../../../protocol/where/where.ts';
import { model, NODE, OPERATOR, refusal, resource, type, write } from '../model/fixtures.ts';
import { type Bench, bench, OPS } from '../modules/fixtures.ts';

let made: Bench[] = [];
afterEach(async () => {
  for (const one of made) await one.close();
  made = [];
});

const KEY = generateSigningKey();

function bundleOf(name: string): Uint8Array {
  const content: Bundle = {
    version: 1,
    owner: KEY.publicKey,
    ownerName: 'node1',
    revision: 1,
    resources: [
      { object: name, uid: 'u', model: 'm', type: 'T', name, labels: {}, properties: {}, parents: [], children: [], deployments: [] },
    ],
    types: { t: { name: 'T' } },
    modules: [],
  };
  return signBundle(content, KEY);
}

const elsewhere = (node: string, name: string): ApiObject => {
  const row = resource(name, { type: 'Svc' });
  return { ...row, metadata: { ...row.metadata, namespace: node } };
};

async function fresh({
  decide = () => ({ allowed: true }),
  rows = { rows: [], answered: [], unanswered: [] },
  installed = [],
  get = async () => ({}),
}: {
  decide?: Decide;
  rows?: OtherRows;
  installed?: FoundResource[];
  get?: (node: string, path: string) => Promise<unknown>;
} = {}) {
  const one = await bench();
  made.push(one);
  await write(
    one.store,
    model('web'),
    type('Svc'),
    type('Other'),
    resource('a', { type: 'Svc' }),
    resource('b', { type: 'Svc', name: 'it\'s "b\\"' }),
    resource('c', { type: 'Other', name: 'a' }),
  );
  const asked: string[] = [];
  const models = createModels({
    store: one.store,
    node: { name: NODE },
    decide,
    bundles: { bundleOf: async (name) => Buffer.from(name) },
    others: {
      list: async (user, { where, node }) => {
        asked.push(`${user.display} ${node ?? '*'} ${where}`);
        return rows;
      },
      get: (_user, node, path) => get(node, path),
    },
    installed: {
      find: async () => installed,
      bundle: async (_principal, { object }) => (installed.some((each) => each.object === object) ? Buffer.from('installed') : undefined),
    },
    signingKeyOf: async (node) => (node === 'node1' ? KEY.publicKey : undefined),
  });
  return { models, asked };
}

const names = ({ items }: { items: FoundResource[] }) => items.map(({ node, object }) => `${node}/${object}`);

describe('finding resources', () => {
  it('finds own ones by model, type and name', async () => {
    const { models } = await fresh();
    expect(names(await models.find(OPERATOR, {}, 10))).toEqual(['node0/a', 'node0/b', 'node0/c']);
    expect(names(await models.find(OPERATOR, { type: 'sVC' }, 10))).toEqual(['node0/a', 'node0/b']);
    expect(names(await models.find(OPERATOR, { name: 'a' }, 10))).toEqual(['node0/a', 'node0/c']);
    expect(names(await models.find(OPERATOR, { name: 'it\'s "b\\"', model: 'web' }, 10))).toEqual(['node0/b']);
    expect(names(await models.find(OPERATOR, { model: 'shop' }, 10))).toEqual([]);
    expect(names(await models.find(OPERATOR, {}, 2))).toEqual(['node0/a', 'node0/b']);
  });

  it('takes that of a service instance by the name of its object, for whoever may read it', async () => {
    const row = resource('web.a', { type: 'Svc', name: 'a' });
    const owned = { ...row, metadata: { ...row.metadata, labels: { [INSTANCE_LABEL]: 'web' } } };
    let stored: ApiObject = owned;
    let lists = 0;
    let allowed = true;
    const models = createModels({
      store: {
        get: async ({ name }) => (name === 'web.a' ? stored : undefined),
        list: async () => {
          lists += 1;
          return { items: [stored], resourceVersion: '1' };
        },
      },
      node: { name: NODE },
      decide: () => (allowed ? { allowed, because: 'so' } : { allowed, reason: 'no' }),
      bundles: { bundleOf: async (name) => Buffer.from(name) },
      others: { list: async () => ({ rows: [], answered: [], unanswered: [] }), get: async () => ({}) },
      signingKeyOf: async () => undefined,
    });
    const find = async () => names(await models.find(OPERATOR, { model: 'web', name: 'a', node: NODE }, 10));
    expect(await find()).toEqual(['node0/web.a']);
    allowed = false;
    expect(await find()).toEqual([]);
    expect(lists).toBe(0);
    // one of a model by hand may have others beside it
    allowed = true;
    stored = row;
    expect(await find()).toEqual(['node0/web.a']);
    expect(lists).toBe(1);
  });

  it('asks other nodes as the user, and nobody as the operator', async () => {
    const rows = { rows: [elsewhere(NODE, 'a'), elsewhere('node1', 'x')], answered: ['node1'], unanswered: ['node2'] };
    const { models, asked } = await fresh({ rows });
    await models.find(OPERATOR, {}, 10);
    expect(asked).toEqual([]);
    const found = await models.find(OPS, { type: 'Svc' }, 10);
    expect(names(found)).toEqual(['node0/a', 'node0/b', 'node1/x']);
    expect(found.unanswered).toEqual(['node2']);
    await models.find(OPS, { node: 'node1', name: 'x' }, 10);
    await models.find(OPS, { node: NODE }, 10);
    expect(asked).toEqual(['ops@node0 * (type="Svc" or type like "Svc@*")', 'ops@node0 node1 name="x"']);
  });

  it('finds what is installed of owners that do not answer', async () => {
    const kept = (node: string) => ({ node, object: 'k', model: 'm', type: 'T', name: 'k' });
    const rows = { rows: [], answered: ['node1'], unanswered: ['node2'] };
    const { models } = await fresh({ rows, installed: [kept('node1'), kept('node2'), kept('gone'), kept(NODE)] });
    expect(names(await models.find(OPS, { model: 'm' }, 10))).toEqual(['node2/k', 'gone/k']);
    expect(names(await models.find(OPERATOR, { model: 'm' }, 10))).toEqual(['node1/k', 'node2/k', 'gone/k']);
  });

  it('tells a user only of what it may read', async () => {
    const { models } = await fresh({
      decide: (_principal, { name, verb }) => (name === 'b' && verb === 'READ' ? { allowed: true } : { allowed: false, reason: 'no' }),
    });
    expect(names(await models.find(OPS, {}, 10))).toEqual(['node0/b']);
    expect((await refusal(models.bundle(OPS, { node: NODE, object: 'a' }))).code).toBe('NOT_FOUND');
    expect(Buffer.from(await models.bundle(OPS, { node: NODE, object: 'b' })).toString()).toBe('b');
  });

  it('asks for exactly the texts that it was given', () => {
    for (const name of ['a"b', "a'b", 'a\\', '\\"', 'a or b', 'x\ny']) {
      const where = parseWhere(whereOf({ name, type: name }), resourceKind);
      expect(matchesWhere(where, resource('r', { name, type: name })), name).toBe(true);
      expect(matchesWhere(where, resource('r', { name: 'other', type: name }))).toBe(false);
    }
  });

  it('also means types of service instances, unless it names one', () => {
    const means = (wanted: string, type: string) =>
      matchesWhere(parseWhere(whereOf({ name: 'r', type: wanted }), resourceKind), resource('r', { name: 'r', type }));
    expect(['WebServer', 'WebServer@shop', 'webserver@other'].map((one) => means('WebServer', one))).toEqual([true, true, true]);
    expect(['WebServer', 'WebServer@shop', 'WebServer@shop2'].map((one) => means('webserver@shop', one))).toEqual([false, true, false]);
    expect(means('WebServer', 'WebServer2@shop')).toBe(false);
  });
});

describe('the bundle of another node', () => {
  const of = { node: 'node1', object: 'x' };
  const answering = (bytes: Uint8Array) => async () => ({ bundle: Buffer.from(bytes).toString('base64') });
  const kept = [{ ...of, model: 'm', type: 'T', name: 'x' }];

  it('comes from its owner, and is verified', async () => {
    const paths: string[] = [];
    const { models } = await fresh({
      get: async (node, path) => {
        paths.push(`${node} ${path}`);
        return answering(bundleOf('x'))();
      },
    });
    expect(await models.bundle(OPS, of)).toEqual(bundleOf('x'));
    expect(paths).toEqual(['node1 /apis/dtkd.dev/v1/namespaces/default/resources/x/bundle']);
    const lying = async (bytes: Uint8Array, node = 'node1') => {
      const { models: asked } = await fresh({ get: answering(bytes), installed: kept });
      return (await refusal(asked.bundle(OPS, { ...of, node }))).code;
    };
    expect(await lying(bundleOf('y'))).toBe('CONTENT_ALTERED');
    expect(await lying(Buffer.from('rubbish'))).toBe('FRAME_INVALID');
    expect((await refusal((await fresh({ get: async () => ({ bundle: '§' }) })).models.bundle(OPS, of))).code).toBe('FRAME_INVALID');
  });

  it('is the installed one if the owner is away, and only then', async () => {
    const away = async () => {
      throw new DtkdError('PEER_AWAY', 'node1 is away');
    };
    const denied = async () => {
      throw new DtkdError('FORBIDDEN', 'node1: no');
    };
    expect(Buffer.from(await (await fresh({ get: away, installed: kept })).models.bundle(OPS, of)).toString()).toBe('installed');
    expect((await refusal((await fresh({ get: away })).models.bundle(OPS, of))).code).toBe('PEER_AWAY');
    expect((await refusal((await fresh({ get: denied, installed: kept })).models.bundle(OPS, of))).code).toBe('FORBIDDEN');
  });

  it('is not there for the operator, unless it is installed here', async () => {
    expect((await refusal((await fresh()).models.bundle(OPERATOR, of))).message).toContain('has no rights on node1');
    expect(Buffer.from(await (await fresh({ installed: kept })).models.bundle(OPERATOR, of)).toString()).toBe('installed');
  });
});
