import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APPS, GROUP, JSON_PATCH, MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi } from '../fixtures.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
});

afterAll(() => api.close());

const STRATEGIC = 'application/strategic-merge-patch+json';
const merge = { headers: { 'content-type': MERGE } };
const jsonPatch = { headers: { 'content-type': JSON_PATCH } };
const create = (name: string, extra: object = {}) => api.ask('POST', SERVICES, { body: serviceBody(name, extra) });
const fields = (answer: { body: { details?: { causes?: { field: string }[] } } }) =>
  answer.body.details?.causes?.map((cause) => cause.field);

describe('create', () => {
  it('answers 201 with the object as it is stored, in the namespace of this node', async () => {
    const answer = await api.ask('POST', SERVICES, {
      body: { ...serviceBody('made', { namespace: 'default', labels: { a: 'b' } }), status: { loadBalancer: {} } },
    });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'made', namespace: NODE, generation: 1, labels: { a: 'b' } },
      spec: { ports: [{ port: 80, protocol: 'TCP' }] },
    });
    expect(answer.body.status, "the server's fields are not taken from documents").toBeUndefined();
    expect((await api.ask('GET', `/api/v1/namespaces/${NODE}/services/made`)).body).toEqual(answer.body);
    expect(JSON.stringify(answer.body)).not.toContain('default');
  });

  it('refuses a name that is taken', async () => {
    await create('taken');
    const answer = await create('taken');
    expect(answer).toMatchObject({
      status: 409,
      body: { kind: 'Status', reason: 'AlreadyExists', details: { code: 'ALREADY_EXISTS', name: 'taken', kind: 'services' } },
    });
  });

  it('makes a name out of generateName', async () => {
    const answers = await Promise.all(
      [1, 2].map(() => api.ask('POST', SERVICES, { body: { ...serviceBody('x'), metadata: { generateName: 'web-' } } })),
    );
    for (const answer of answers) expect(answer.body.metadata.name).toMatch(/^web-[a-z0-9]{5}$/);
    expect(answers[0]?.body.metadata.name).not.toBe(answers[1]?.body.metadata.name);
  });

  it('says field by field what is wrong', async () => {
    const answer = await api.ask('POST', SERVICES, {
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'Bad_Name', labels: { '-x': 'y' } },
        spec: { ports: [{ port: 'eighty' }, { port: 70_000 }, { port: 1, targetPort: {} }] },
      },
    });
    expect(answer).toMatchObject({
      status: 422,
      body: { reason: 'Invalid', code: 422, details: { code: 'INVALID', group: '', kind: 'Service' } },
    });
    expect(fields(answer)).toEqual([
      'metadata.name',
      'metadata.labels.-x',
      'spec.ports[0].port',
      'spec.ports[1].port',
      'spec.ports[2].targetPort',
    ]);
    const causes = answer.body.details.causes;
    expect(causes[2].message).toBe('expected number, received string');
    expect(causes[4].message).toBe('expected number, received object or expected string, received object');
    expect(answer.body.message).toContain('spec.ports[0].port: expected number');

    const empty = await api.ask('POST', SERVICES, { body: { apiVersion: 'v1', kind: 'Service' } });
    expect(fields(empty)).toEqual(['spec']);
    expect(empty.body.details.causes[0]).toMatchObject({ reason: 'FieldValueRequired', message: 'expected object, but it is missing' });
    const high = await api.ask('POST', SERVICES, { body: { ...serviceBody('x'), spec: { ports: [{ port: 80_000 }] } } });
    expect(high.body.message).toContain('spec.ports[0].port: must be at most 65535');
    const nameless = await api.ask('POST', SERVICES, { body: { ...serviceBody('x'), metadata: {} } });
    expect(fields(nameless)).toEqual(['metadata.name']);
  });

  it('refuses documents of another kind, namespace or version', async () => {
    for (const body of [
      { ...serviceBody('x'), kind: 'Pod' },
      { ...serviceBody('x'), apiVersion: 'v2' },
      serviceBody('x', { namespace: 'node1' }),
      serviceBody('x', { resourceVersion: '5' }),
      ['x'],
      'x',
      null,
    ]) {
      expect(await api.ask('POST', SERVICES, { body })).toMatchObject({ status: 400, body: { details: { code: 'BAD_REQUEST' } } });
    }
    expect((await api.ask('POST', SERVICES)).status).toBe(400);
    expect((await api.ask('POST', SERVICES, { body: {}, headers: { 'content-type': 'application/yaml' } })).status).toBe(415);
  });

  it('refuses to write into the namespace of another node, naming it', async () => {
    const answer = await api.ask('POST', '/api/v1/namespaces/node1/services', { body: serviceBody('x') });
    expect(answer).toMatchObject({ status: 403, body: { details: { code: 'FORBIDDEN', next: 'Run the same command on node1.' } } });
    expect((await api.ask('POST', '/api/v1/services', { body: serviceBody('x') })).status).toBe(405);
  });

  it('keeps the selectors of a dtApp where they were written', async () => {
    const selectors = { serviceSelector: { name: 's' }, domainSelector: { name: ['d'] } };
    const outside = {
      apiVersion: `${GROUP}/v1`,
      kind: 'dtApp',
      metadata: { name: 'outside' },
      ...selectors,
      spec: { authenticationType: 'None' },
      status: 'Hacked',
      URI: 'http://x',
    };
    const inside = { apiVersion: `${GROUP}/v1`, kind: 'dtApp', metadata: { name: 'inside' }, spec: { ...selectors } };
    const first = (await api.ask('POST', APPS, { body: outside })).body;
    expect(first).toMatchObject({ ...selectors, spec: { authenticationType: 'None' } });
    expect(first).not.toHaveProperty('status');
    expect(first).not.toHaveProperty('URI');
    const second = (await api.ask('POST', APPS, { body: inside })).body;
    expect(second.spec).toEqual(selectors);
    expect(second).not.toHaveProperty('serviceSelector');
  });
});

describe('unknown fields', () => {
  const odd = (name: string) => ({
    ...serviceBody(name, { colour: 'red' }),
    spec: { ports: [{ port: 80, nodePort: 1 }], x: 1 },
    extra: {},
  });
  const names = ['metadata.colour', 'spec.ports[0].nodePort', 'spec.x', 'extra'];

  it('are dropped with a warning', async () => {
    const answer = await api.ask('POST', SERVICES, { body: odd('warned') });
    expect(answer.status).toBe(201);
    for (const name of names) expect(answer.headers['warning']).toContain(`299 - "unknown field \\"${name}\\" is dropped"`);
    expect(JSON.stringify(answer.body)).not.toMatch(/colour|nodePort|extra/);
  });

  it('are refused under Strict, naming them', async () => {
    const answer = await api.ask('POST', `${SERVICES}?fieldValidation=Strict`, { body: odd('strict') });
    expect(answer.status).toBe(400);
    expect(fields(answer)).toEqual(names);
    expect(answer.body.message).toContain('Service has no field "metadata.colour", no field "spec.ports[0].nodePort", no field "spec.x"');
    expect(answer.body.details.next).toBe('Correct or remove it; "dtkd explain service.metadata" lists the fields there are.');
    expect((await api.ask('GET', `${SERVICES}/strict`)).status).toBe(404);
  });

  it('are dropped in silence under Ignore; other words are refused', async () => {
    const answer = await api.ask('POST', `${SERVICES}?fieldValidation=Ignore`, { body: odd('ignored') });
    expect(answer.status).toBe(201);
    expect(answer.headers['warning']).toBeUndefined();
    expect((await api.ask('POST', `${SERVICES}?fieldValidation=Odd`, { body: odd('odd') })).status).toBe(400);
  });
});

describe('dryRun=All', () => {
  it('does all but store', async () => {
    const made = await api.ask('POST', `${SERVICES}?dryRun=All`, { body: serviceBody('dry') });
    expect(made).toMatchObject({ status: 201, body: { metadata: { name: 'dry', generation: 1 } } });
    expect((await api.ask('GET', `${SERVICES}/dry`)).status).toBe(404);
    expect((await api.ask('POST', `${SERVICES}?dryRun=All`, { body: serviceBody('dry', { labels: { '!': '' } }) })).status).toBe(422);

    const { body } = await create('wet');
    const patched = await api.ask('PATCH', `${SERVICES}/wet?dryRun=All`, { body: { spec: { ports: [{ port: 99 }] } }, ...merge });
    expect(patched.body.spec.ports[0].port).toBe(99);
    expect((await api.ask('DELETE', `${SERVICES}/wet?dryRun=All`)).status).toBe(200);
    expect((await api.ask('DELETE', `${SERVICES}/wet`, { body: { dryRun: ['All'] } })).status).toBe(200);
    expect((await api.ask('GET', `${SERVICES}/wet`)).body).toEqual(body);
    expect((await api.ask('POST', `${SERVICES}?dryRun=Some`, { body: serviceBody('dry') })).status).toBe(400);
  });
});

describe('replace', () => {
  it('keeps what the server owns, and counts generations by what the user wrote', async () => {
    const { body: made } = await create('replaced', { labels: { a: '1' } });
    const relabelled = await api.ask('PUT', `${SERVICES}/replaced`, {
      body: {
        ...made,
        metadata: {
          ...made.metadata,
          labels: { a: '2' },
          uid: made.metadata.uid,
          creationTimestamp: '1999-01-01T00:00:00Z',
          generation: 77,
        },
      },
    });
    expect(relabelled.status).toBe(200);
    expect(relabelled.body.metadata).toEqual({
      ...made.metadata,
      labels: { a: '2' },
      resourceVersion: relabelled.body.metadata.resourceVersion,
    });
    const changed = await api.ask('PUT', `${SERVICES}/replaced`, { body: { ...serviceBody('replaced'), spec: { ports: [{ port: 81 }] } } });
    expect(changed.body.metadata).toMatchObject({
      uid: made.metadata.uid,
      generation: 2,
      creationTimestamp: made.metadata.creationTimestamp,
    });
    expect(changed.body.metadata).not.toHaveProperty('labels');
  });

  it('makes no new version of what is the same already', async () => {
    const { body: made } = await create('same');
    expect((await api.ask('PUT', `${SERVICES}/same`, { body: made })).body).toEqual(made);
  });

  it('refuses a stale version, another uid, another name', async () => {
    const { body: made } = await create('stale');
    await api.ask('PATCH', `${SERVICES}/stale`, { body: { metadata: { labels: { x: 'y' } } }, ...merge });
    expect(await api.ask('PUT', `${SERVICES}/stale`, { body: made })).toMatchObject({
      status: 409,
      body: { reason: 'Conflict', details: { code: 'CONFLICT' } },
    });
    expect((await api.ask('PUT', `${SERVICES}/stale`, { body: serviceBody('stale', { uid: 'other' }) })).status).toBe(409);
    expect((await api.ask('PUT', `${SERVICES}/stale`, { body: serviceBody('fresh') })).status).toBe(400);
    expect((await api.ask('PUT', `${SERVICES}/absent`, { body: serviceBody('absent') })).status).toBe(404);
  });

  it('lets one of several writers with the same version win', async () => {
    const { body: made } = await create('race');
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        api.ask('PUT', `${SERVICES}/race`, { body: { ...made, spec: { ports: [{ port: index + 1 }] } } }),
      ),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array(9).fill(409)]);
  });
});

describe('patch', () => {
  it('merges', async () => {
    await create('merged', { labels: { a: '1', b: '2' } });
    const answer = await api.ask('PATCH', `${SERVICES}/merged`, {
      body: { metadata: { labels: { a: null, c: '3' }, namespace: 'default' }, spec: { type: 'ClusterIP' } },
      ...merge,
    });
    expect(answer.body).toMatchObject({
      metadata: { labels: { b: '2', c: '3' }, namespace: NODE, generation: 2 },
      spec: { ports: [{ port: 80 }], type: 'ClusterIP' },
    });
    expect(answer.body.metadata.labels).not.toHaveProperty('a');
  });

  it('applies operations', async () => {
    await create('operated');
    const answer = await api.ask('PATCH', `${SERVICES}/operated`, {
      body: [
        { op: 'test', path: '/spec/ports/0/port', value: 80 },
        { op: 'add', path: '/spec/ports/-', value: { name: 'b', port: 81 } },
        { op: 'add', path: '/metadata/annotations', value: { note: 'x' } },
      ],
      ...jsonPatch,
    });
    expect(answer.body.spec.ports.map((port: { port: number }) => port.port)).toEqual([80, 81]);
    const failed = await api.ask('PATCH', `${SERVICES}/operated`, {
      body: [{ op: 'test', path: '/spec/ports/0/port', value: 1 }],
      ...jsonPatch,
    });
    expect(failed).toMatchObject({ status: 422, body: { details: { code: 'INVALID' } } });
  });

  it('loses nothing of concurrent patches', async () => {
    await create('busy');
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        api.ask('PATCH', `${SERVICES}/busy`, { body: { metadata: { annotations: { [`a${index}`]: 'x' } } }, ...merge }),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array(30).fill(200));
    const { body } = await api.ask('GET', `${SERVICES}/busy`);
    expect(Object.keys(body.metadata.annotations)).toHaveLength(30);
  });

  it('honours a version in the patch, and cannot rename, move or forge', async () => {
    const { body: made } = await create('fixed');
    const patch = (metadata: object) => api.ask('PATCH', `${SERVICES}/fixed`, { body: { metadata }, ...merge });
    expect((await patch({ resourceVersion: '1' })).status).toBe(409);
    expect((await patch({ name: 'other' })).status).toBe(400);
    expect((await patch({ namespace: 'node1' })).status).toBe(400);
    expect((await patch({ uid: 'other' })).status).toBe(409);
    expect((await patch({ generation: 9, creationTimestamp: null, selfLink: 'x', managedFields: [{}] })).body).toEqual(made);
    expect((await api.ask('PATCH', `${SERVICES}/fixed`, { body: { kind: 'Pod' }, ...merge })).status).toBe(400);
    expect((await api.ask('PATCH', `${SERVICES}/fixed`, { body: { spec: null }, ...merge })).status).toBe(422);
  });

  it('merges strategically where it is known how', async () => {
    await create('strategic', { finalizers: ['example.org/a'] });
    const patch = (body: object) => api.ask('PATCH', `${SERVICES}/strategic`, { body, headers: { 'content-type': STRATEGIC } });
    const answer = await patch({
      metadata: { finalizers: ['example.org/b'] },
      spec: {
        '$setElementOrder/ports': [{ port: 81 }, { port: 80 }],
        ports: [
          { name: 'b', port: 81 },
          { name: 'a', port: 80 },
        ],
      },
    });
    expect(answer.body).toMatchObject({
      metadata: { finalizers: ['example.org/a', 'example.org/b'] },
      spec: {
        ports: [
          { name: 'b', port: 81 },
          { name: 'a', port: 80 },
        ],
      },
    });
    expect((await patch({ spec: { ports: [{ $patch: 'delete', port: 80 }] } })).body.spec.ports).toEqual([
      { name: 'b', port: 81, protocol: 'TCP' },
    ]);
    expect(await patch({ spec: { ports: [{ name: 'c' }] } })).toMatchObject({ status: 400, body: { details: { code: 'BAD_REQUEST' } } });
    expect(
      (await patch({ metadata: { finalizers: [], '$deleteFromPrimitiveList/finalizers': ['example.org/a', 'example.org/b'] } })).status,
    ).toBe(200);
    const app = await api.ask('PATCH', `${APPS}/none`, { body: {}, headers: { 'content-type': STRATEGIC } });
    expect(app).toMatchObject({ status: 415, body: { details: { next: expect.stringContaining('--type merge') } } });
  });

  it('takes default for this node in JSON patches, too, tested or written', async () => {
    await api.ask('POST', SERVICES, { body: serviceBody('named') });
    const path = '/metadata/namespace';
    const patch = (...steps: object[]) => api.ask('PATCH', `${SERVICES}/named`, { body: steps, headers: { 'content-type': JSON_PATCH } });
    for (const value of ['default', NODE]) {
      const answer = await patch({ op: 'test', path, value }, { op: 'replace', path, value });
      expect(answer, value).toMatchObject({ status: 200, body: { metadata: { namespace: NODE } } });
    }
    expect((await patch({ op: 'test', path, value: 'other' })).status).toBe(422);
  });

  it('answers 415 for patches that are not understood, and says which are', async () => {
    await create('media');
    const types = ['application/json-patch+json', 'application/merge-patch+json', STRATEGIC].join(', ');
    for (const type of ['application/apply-patch+yaml', 'application/json', 'text/plain']) {
      const answer = await api.ask('PATCH', `${SERVICES}/media`, { body: {}, headers: { 'content-type': type } });
      expect(answer).toMatchObject({ status: 415, body: { details: { next: expect.stringContaining(`end one of ${types}.`) } } });
    }
  });
});

describe('delete', () => {
  it('answers Success and the object is gone', async () => {
    const { body: made } = await create('gone');
    expect(
      await api.ask('DELETE', `${SERVICES}/gone`, { body: { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' } }),
    ).toMatchObject({
      status: 200,
      body: { kind: 'Status', status: 'Success', details: { name: 'gone', uid: made.metadata.uid } },
    });
    expect((await api.ask('GET', `${SERVICES}/gone`)).status).toBe(404);
    expect((await api.ask('DELETE', `${SERVICES}/gone`)).status).toBe(404);
  });

  it('honours preconditions', async () => {
    const { body: made } = await create('guarded');
    const { uid, resourceVersion } = made.metadata;
    const remove = (preconditions: object) => api.ask('DELETE', `${SERVICES}/guarded`, { body: { preconditions } });
    expect((await remove({ uid: 'other' })).status).toBe(409);
    expect((await remove({ resourceVersion: '1' })).status).toBe(409);
    expect((await remove({ uid: 5 })).status).toBe(400);
    expect((await remove({ uid, resourceVersion })).status).toBe(200);
  });

  it('waits for finalizers', async () => {
    await create('held', { finalizers: ['dtkd.dev/a', 'dtkd.dev/b'] });
    const marked = await api.ask('DELETE', `${SERVICES}/held`);
    expect(marked.body.metadata).toMatchObject({ generation: 2, deletionTimestamp: expect.any(String) });
    const again = await api.ask('DELETE', `${SERVICES}/held`);
    expect(again.body).toEqual(marked.body);
    const more = await api.ask('PATCH', `${SERVICES}/held`, { body: { metadata: { finalizers: ['dtkd.dev/a', 'dtkd.dev/c'] } }, ...merge });
    expect(more).toMatchObject({ status: 422, body: { details: { causes: [{ field: 'metadata.finalizers' }] } } });
    const kept = await api.ask('PATCH', `${SERVICES}/held`, { body: { metadata: { deletionTimestamp: null } }, ...merge });
    expect(kept.body.metadata.deletionTimestamp).toBe(marked.body.metadata.deletionTimestamp);
    await api.ask('PATCH', `${SERVICES}/held`, { body: { metadata: { finalizers: ['dtkd.dev/b'] } }, ...merge });
    expect((await api.ask('GET', `${SERVICES}/held`)).body.metadata.finalizers).toEqual(['dtkd.dev/b']);
    expect((await api.ask('PATCH', `${SERVICES}/held`, { body: { metadata: { finalizers: null } }, ...merge })).status).toBe(200);
    expect((await api.ask('GET', `${SERVICES}/held`)).status).toBe(404);
  });

  it('deletes a collection by selector, page by page, and nothing else', async () => {
    await Promise.all(Array.from({ length: 120 }, (_, index) => create(`many-${index}`, { labels: { batch: 'x' } })));
    await create('spared', { labels: { batch: 'y' } });
    expect(await api.ask('DELETE', `${SERVICES}?labelSelector=batch%3Dx`)).toMatchObject({ status: 200, body: { message: '120 deleted' } });
    expect(
      (await api.ask('GET', `${SERVICES}?labelSelector=batch`)).body.items.map(
        (item: { metadata: { name: string } }) => item.metadata.name,
      ),
    ).toEqual(['spared']);
    expect((await api.ask('DELETE', '/api/v1/services')).status).toBe(405);
  });
});
