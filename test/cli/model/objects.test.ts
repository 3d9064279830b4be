import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRecord, type JsonRecord, recordAt, textAt } from '../../../cli/json.ts';
import { rundeckNodes, typesUsed, userDocument } from '../../../cli/model/export.ts';
import { keepType, mergeResource } from '../../../cli/model/merge.ts';
import { objectsOf, resourceObjectName } from '../../../cli/model/objects.ts';
import { readForeign } from '../../../cli/model/read.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { typeKind } from '../../../protocol/kinds/type.ts';
import { labels, objectName } from '../../../protocol/objects/objects.ts';

async function objectsFrom(text: string, source: string, model = 'shop'): Promise<JsonRecord[]> {
  const draft = await readForeign(text, source);
  if (draft === 'dtkd') throw new Error();
  return objectsOf(draft, model).objects;
}

function resources(objects: readonly JsonRecord[]): JsonRecord[] {
  return objects.filter((object) => object['kind'] === 'Resource');
}

describe('objects of a draft', () => {
  it('are valid, and the same each time', async () => {
    const text = await readFile(new URL('../../../examples/models/controltier-project.xml', import.meta.url), 'utf8');
    const objects = await objectsFrom(text, 'p.xml');
    expect(objects.map((object) => `${textAt(object, 'kind')} ${textAt(object, 'metadata', 'name')}`)).toEqual([
      'Model shop',
      'Type port',
      'Type tomcatserver',
      'Resource shop.host.web1',
      'Resource shop.host.db1',
      'Resource shop.port.storefront-port',
      'Resource shop.setting.storefront-heap',
      'Resource shop.package.storefront-2.4.war',
      'Resource shop.tomcatserver.storefront',
      'Resource shop.site.shop',
    ]);
    for (const object of objects) {
      const { apiVersion: _version, kind, metadata, ...fields } = object;
      expect(objectName.safeParse(recordAt(metadata)['name']).success).toBe(true);
      if (kind === 'Resource') expect(resourceKind.schema.safeParse(fields).error).toBeUndefined();
      if (kind === 'Type') expect(typeKind.schema.safeParse(fields).error).toBeUndefined();
    }
    expect(await objectsFrom(text, 'p.xml')).toEqual(objects);
  });

  it('have names that are valid and that tell apart what is different', () => {
    const part = fc.string({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(part, part, (first, second) => {
        const a = resourceObjectName('m', { type: 'Host', name: first });
        const b = resourceObjectName('m', { type: 'Host', name: second });
        expect(objectName.safeParse(a).success).toBe(true);
        expect(a === b).toBe(first === second);
      }),
    );
  });

  it('keep what cannot be a label or a property name, and say so', () => {
    const draft = {
      format: 'x',
      types: [],
      notes: [],
      resources: [{ type: 'Host', name: 'a', tags: ['ok', 'not ok!'], properties: { 'a b': 1, fine: 'x' }, parents: [], line: 3 }],
    };
    const { objects, notes } = objectsOf(draft, 'm');
    expect(objects[1]).toMatchObject({
      metadata: { labels: { 'tags.dtkd.dev/ok': 'true' } },
      spec: { properties: { a_b: 1, fine: 'x', tags: ['ok', 'not ok!'] } },
    });
    expect(labels.safeParse(recordAt(objects[1], 'metadata', 'labels')).success).toBe(true);
    expect(notes.map(({ line }) => line)).toEqual([3, 3]);
  });
});

describe('merging', () => {
  const stored: JsonRecord = {
    metadata: { labels: { kept: '1', changed: 'old' }, annotations: { note: 'x' } },
    spec: { model: 'm', type: 'Host', description: 'old', properties: { kept: 1, changed: 'old' }, parents: ['a', 'b'] },
  };
  const wanted: JsonRecord = {
    metadata: { name: 'n', labels: { changed: 'new' } },
    spec: { model: 'm', type: 'Host', properties: { changed: 'new', added: true }, parents: ['b', 'c'] },
  };

  it('adds and changes, and removes nothing', () => {
    expect(mergeResource(stored, wanted, false)).toEqual({
      metadata: { name: 'n', labels: { kept: '1', changed: 'new' }, annotations: { note: 'x' } },
      spec: {
        model: 'm',
        type: 'Host',
        description: 'old',
        properties: { kept: 1, changed: 'new', added: true },
        parents: ['a', 'b', 'c'],
      },
    });
  });

  it('replaces parents where the file says so', () => {
    expect(recordAt(mergeResource(stored, wanted, true), 'spec')['parents']).toEqual(['b', 'c']);
  });

  it('changes nothing the second time', () => {
    const once = mergeResource(stored, wanted, false);
    expect(mergeResource(once, wanted, false)).toEqual(once);
  });
});

describe('exports', () => {
  it("leave out what is the daemon's", () => {
    const object = {
      apiVersion: 'dtkd.dev/v1',
      kind: 'Resource',
      metadata: { name: 'a', namespace: 'n', uid: 'u', resourceVersion: '1', annotations: { 'dtkd.dev/creator': 'x', mine: 'y' } },
      spec: { model: 'm', type: 'Site' },
    };
    expect(userDocument(object)).toEqual({
      apiVersion: 'dtkd.dev/v1',
      kind: 'Resource',
      metadata: { name: 'a', annotations: { mine: 'y' } },
      spec: { model: 'm', type: 'Site' },
    });
  });

  it('bring the types that are used, supertypes first', () => {
    const type = (name: string, parent?: string): JsonRecord => ({
      metadata: { name: name.toLowerCase() },
      spec: { name, ...(parent === undefined ? {} : { extends: parent }) },
    });
    const types = [type('Tomcat', 'Web'), type('Unused'), type('Web', 'Service')];
    expect(typesUsed(types, [{ spec: { type: 'tomcat' } }]).map((each) => textAt(each, 'spec', 'name'))).toEqual(['Web', 'Tomcat']);
  });

  it('to Rundeck come back as the same hosts', async () => {
    const text = await readFile(new URL('../../../examples/models/rundeck-resources.yaml', import.meta.url), 'utf8');
    const first = resources(await objectsFrom(text, 'r.yaml'));
    const nodes = rundeckNodes(first);
    expect(nodes['web1']).toMatchObject({ nodename: 'web1', hostname: 'web1.shop.example:2222', tags: 'front,prod', rack: 'r12' });
    expect(resources(await objectsFrom(JSON.stringify(nodes), 'r.json'))).toEqual(first.filter(isRecord));
  });
});

it('leaves a type that is there with its properties and rules, however a file spells its name', () => {
  const stored: JsonRecord = {
    kind: 'Type',
    metadata: { name: 'tc', uid: 'u', labels: { a: 'b' } },
    spec: { name: 'Tomcat', extends: 'Service', properties: { heap: { type: 'integer' } } },
  };
  const named = (name: string): JsonRecord => ({ kind: 'Type', metadata: { name: name.toLowerCase() }, spec: { name, extends: 'Host' } });
  expect(keepType(named('TOMCAT'), [stored])).toEqual({
    kind: 'Type',
    metadata: { name: 'tc', labels: { a: 'b' } },
    spec: stored['spec'],
  });
  expect(keepType(named('Jetty'), [stored])).toEqual(named('Jetty'));
});
