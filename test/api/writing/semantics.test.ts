/** What clients of the Kubernetes API take for granted when they write. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAINS, GROUP, MERGE, NODE, SERVICES, serviceBody, startTestApi, type TestApi } from '../fixtures.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const create = (name: string, extra: object = {}) => api.ask('POST', SERVICES, { body: serviceBody(name, extra) });

describe('a conflict', () => {
  it('says which object it is about, and is no conflict of a later write', async () => {
    const { body: made } = await create('stale');
    const first = { ...made, spec: { ports: [{ port: 81 }] } };
    expect((await api.ask('PUT', `${SERVICES}/stale`, { body: first })).status).toBe(200);
    const refused = await api.ask('PUT', `${SERVICES}/stale`, { body: first });
    expect(refused).toMatchObject({
      status: 409,
      body: {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        reason: 'Conflict',
        code: 409,
        details: { name: 'stale', kind: 'services', group: '' },
      },
    });
    const { resourceVersion: _version, ...metadata } = made.metadata;
    expect((await api.ask('PUT', `${SERVICES}/stale`, { body: { ...first, metadata } })).status, 'without a version').toBe(200);
    for (const uid of ['other', made.metadata.uid.toUpperCase()]) {
      expect((await api.ask('PUT', `${SERVICES}/stale`, { body: { ...first, metadata: { ...metadata, uid } } })).status).toBe(409);
    }
  });
});

describe('what the server owns', () => {
  it('is dropped from what is created', async () => {
    const answer = await create('owned', {
      uid: 'mine',
      generation: 42,
      creationTimestamp: null,
      deletionTimestamp: '2020-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 30,
      selfLink: '/x',
      managedFields: [{ manager: 'kubectl', operation: 'Apply', fieldsV1: { 'f:spec': {} } }],
    });
    expect(answer.status).toBe(201);
    expect(Object.keys(answer.body.metadata).sort()).toEqual([
      'creationTimestamp',
      'generation',
      'name',
      'namespace',
      'resourceVersion',
      'uid',
    ]);
    expect(answer.body.metadata).toMatchObject({ generation: 1, namespace: NODE });
    expect(answer.body.metadata.uid).not.toBe('mine');
    const domain = { apiVersion: `${GROUP}/v1`, kind: 'dtDomain', metadata: { name: 'd' }, status: 'Ready', domainId: 'x', peers: ['y'] };
    const made = await api.ask('POST', `${DOMAINS}?fieldValidation=Strict`, { body: domain });
    expect(made.status).toBe(201);
    for (const field of ['status', 'domainId', 'peers']) expect(made.body).not.toHaveProperty(field);
  });

  it('stays in what is changed', async () => {
    const { body: made } = await create('stays');
    const answer = await api.ask('PATCH', `${SERVICES}/stays`, {
      body: {
        metadata: { deletionTimestamp: '2020-01-01T00:00:00Z', creationTimestamp: null, generation: 0, managedFields: null },
        status: { x: 1 },
      },
      headers: { 'content-type': MERGE },
    });
    expect(answer.body).toEqual(made);
  });
});

describe('fields', () => {
  const twice =
    '{"apiVersion":"v1","kind":"Service","metadata":{"name":"NAME"},"spec":{"ports":[{"port":80,"port":81}]},"spec":{"ports":[{"port":82}]}}';
  const post = (name: string, validation: string) =>
    api.ask('POST', `${SERVICES}?fieldValidation=${validation}`, { raw: twice.replace('NAME', name) });

  it('that stand twice are refused, told, or passed over', async () => {
    const strict = await post('strict', 'Strict');
    expect(strict).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest', message: expect.stringContaining('duplicate field "spec.ports[0].port", "spec"') },
    });
    const warned = await post('warned', 'Warn');
    expect(warned.status).toBe(201);
    expect(warned.body.spec.ports[0].port).toBe(82);
    expect(warned.headers['warning']).toContain('duplicate field \\"spec\\": the last one counts');
    const ignored = await post('ignored', 'Ignore');
    expect(ignored.status).toBe(201);
    expect(ignored.headers['warning']).toBeUndefined();
    const patched = await api.ask('PATCH', `${SERVICES}/warned?fieldValidation=Strict`, {
      raw: '{"metadata":{"labels":{"a":"1","a":"2"}}}',
      headers: { 'content-type': MERGE },
    });
    expect(patched.body.message).toContain('"metadata.labels.a"');
  });

  it('that are unknown are judged in patches and replacements as in new objects', async () => {
    await create('odd');
    const odd = { spec: { ports: [{ port: 80, colour: 'red' }] } };
    const patched = await api.ask('PATCH', `${SERVICES}/odd?fieldValidation=Strict`, { body: odd, headers: { 'content-type': MERGE } });
    expect(patched).toMatchObject({ status: 400, body: { details: { causes: [{ field: 'spec.ports[0].colour' }] } } });
    const replaced = await api.ask('PUT', `${SERVICES}/odd?fieldValidation=Strict`, { body: { ...serviceBody('odd'), ...odd } });
    expect(replaced.status).toBe(400);
    const warned = await api.ask('PUT', `${SERVICES}/odd?fieldValidation=Warn`, { body: { ...serviceBody('odd'), ...odd } });
    expect(warned.headers['warning']).toContain('spec.ports[0].colour');
  });
});

describe('names that the server makes', () => {
  it('begin as asked; a given name goes before', async () => {
    const body = { ...serviceBody('x'), metadata: { generateName: 'web-' } };
    const made = await Promise.all(Array.from({ length: 5 }, () => api.ask('POST', SERVICES, { body })));
    expect(new Set(made.map((answer) => answer.body.metadata.name)).size).toBe(5);
    const named = await api.ask('POST', SERVICES, { body: { ...serviceBody('x'), metadata: { generateName: 'web-', name: 'mine' } } });
    expect(named.body.metadata.name).toBe('mine');
    expect((await api.ask('POST', SERVICES, { body: { ...serviceBody('x'), metadata: { generateName: '' } } })).status).toBe(422);
  });
});

describe('a trial', () => {
  it('answers as the write would, and leaves nothing', async () => {
    const { body: made } = await create('tried', { labels: { a: 'b' } });
    const before = api.store.version();
    const all = '?dryRun=All';
    const answers = [
      await api.ask('POST', SERVICES + all, { body: serviceBody('new') }),
      await api.ask('POST', SERVICES + all, { body: { ...serviceBody('x'), metadata: { generateName: 'web-' } } }),
      await api.ask('PUT', `${SERVICES}/tried${all}`, { body: { ...made, spec: { ports: [{ port: 9 }] } } }),
      await api.ask('PATCH', `${SERVICES}/tried${all}`, { body: { metadata: { labels: null } }, headers: { 'content-type': MERGE } }),
      await api.ask('DELETE', `${SERVICES}/tried${all}`),
      await api.ask('DELETE', `${SERVICES}${all}`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 200, 200, 200, 200]);
    expect(answers[2]?.body.metadata.generation).toBe(2);
    expect((await api.ask('POST', SERVICES + all, { body: serviceBody('tried') })).status, 'refused as the write would be').toBe(409);
    expect(api.store.version()).toBe(before);
    expect((await api.ask('GET', `${SERVICES}/tried`)).body).toEqual(made);
  });
});
