import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../api/fixtures.ts';
import { catalog, document } from './fixtures.ts';

const GROUP = '/apis/dtkd.dev/v1';
const IN = `${GROUP}/namespaces/default`;
const IMPORT = `${GROUP}/daemon/import`;

let api: TestApi;

beforeEach(async () => {
  const { store, catalog: made } = await catalog();
  api = await startTestApi({
    store,
    kinds: Object.fromEntries(made.handlers),
    subresources: Object.fromEntries(made.subresources),
    actions: Object.fromEntries(made.actions),
  });
});
afterEach(() => api.close());

describe('the model over HTTP', () => {
  it('is imported in one request, larger than others may be', async () => {
    const text = 'x'.repeat(60_000);
    const settings = Array.from({ length: 30 }, (_, index) =>
      document('Resource', `s${index}`, { model: 'web', type: 'Setting', properties: { value: text } }),
    );
    const answer = await api.ask('POST', IMPORT, { body: { objects: [document('Model', 'web'), ...settings] } });
    expect(answer).toMatchObject({ status: 200, body: { created: 31 } });
    const beyond = await api.ask('POST', `${IN}/models`, { body: document('Model', 'big', { description: 'x'.repeat(2_000_000) }) });
    expect(beyond.status).toBe(413);
  });

  it('refuses field by field, also where nothing would be stored', async () => {
    await api.ask('POST', `${IN}/models`, { body: document('Model', 'web') });
    const wrong = document('Resource', 'a', { model: 'web', type: 'service', properties: { port: 0 } });
    for (const query of ['', '?dryRun=All']) {
      const refused = await api.ask('POST', `${IN}/resources${query}`, { body: wrong });
      expect(refused).toMatchObject({
        status: 422,
        body: { reason: 'Invalid', details: { code: 'INVALID', causes: [{ field: 'spec.properties.port' }], name: 'a' } },
      });
    }
    const made = await api.ask('POST', `${IN}/resources`, { body: document('Resource', 'a', { model: 'web', type: 'service' }) });
    expect(made).toMatchObject({ status: 201, body: { spec: { type: 'Service' } } });
    const again = await api.ask('PUT', `${IN}/resources/a`, { body: document('Resource', 'a', { model: 'web', type: 'SERVICE' }) });
    expect(again.body.metadata).toEqual(made.body.metadata);
  });

  it('is deleted with dependents only if that is asked for', async () => {
    const objects = [document('Model', 'web'), document('Resource', 'a', { model: 'web', type: 'Site' })];
    await api.ask('POST', IMPORT, {
      body: { objects: [...objects, document('Resource', 'b', { model: 'web', type: 'Site', parents: ['a'] })] },
    });
    const refused = await api.ask('DELETE', `${IN}/resources/a`);
    expect(refused).toMatchObject({ status: 409, body: { details: { code: 'CONFLICT', dependents: ['resources/b'], count: 1 } } });
    const all = await api.ask('DELETE', `${IN}/models/web?cascade=true`);
    expect(all).toMatchObject({ status: 200, headers: { warning: '299 - "2 objects that depend on it go with it"' } });
    expect((await api.ask('GET', `${IN}/resources`)).body.items).toEqual([]);
  });

  it('keeps the types that come with it', async () => {
    expect((await api.ask('DELETE', `${IN}/types/service`)).status).toBe(403);
    expect((await api.ask('DELETE', `${IN}/types/service?cascade=true`)).status).toBe(403);
    expect((await api.ask('PUT', `${IN}/types/service`, { body: document('Type', 'service', { abstract: true }) })).status).toBe(403);
    expect((await api.ask('GET', `${IN}/types/service/effective`)).body).toMatchObject({ name: 'Service', types: ['Service'] });
    expect((await api.ask('POST', `${IN}/types/service/effective`)).status).toBe(405);
  });
});
