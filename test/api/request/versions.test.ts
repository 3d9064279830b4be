import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertReached, listVersion, type VersionParameters, watchTime, watchVersion } from '../../../daemon/src/api/request/versions.ts';
import { codeOf } from '../../code-of.ts';
import { waitFor } from '../../wait.ts';
import { MERGE, SERVICES, serviceBody, startTestApi, type TestApi } from '../fixtures.ts';

describe('what a list says of versions', () => {
  it.each<[VersionParameters, ReturnType<typeof listVersion>]>([
    [{}, {}],
    [{ resourceVersion: '0' }, {}],
    [{ resourceVersion: '12' }, { atLeast: 12 }],
    [{ resourceVersion: '12', resourceVersionMatch: 'NotOlderThan' }, { atLeast: 12 }],
    [{ resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' }, {}],
    [{ resourceVersion: '12', resourceVersionMatch: 'Exact' }, { exact: 12 }],
    [{ continue: 'token' }, {}],
    [{ continue: 'token', resourceVersion: '0' }, {}],
  ])('%j is %j', (parameters, meant) => {
    expect(listVersion(parameters)).toEqual(meant);
  });

  it.each<[VersionParameters, string]>([
    [{ resourceVersionMatch: 'Exact' }, 'INVALID'],
    [{ resourceVersion: '0', resourceVersionMatch: 'Exact' }, 'INVALID'],
    [{ resourceVersion: '1', resourceVersionMatch: 'Newest' }, 'INVALID'],
    [{ resourceVersion: '1', continue: 'token' }, 'INVALID'],
    [{ resourceVersionMatch: 'NotOlderThan', resourceVersion: '1', continue: 'token' }, 'INVALID'],
    [{ sendInitialEvents: true }, 'INVALID'],
    [{ resourceVersion: 'abc' }, 'BAD_REQUEST'],
    [{ resourceVersion: '9'.repeat(30) }, 'GONE'],
  ])('%j is %s', (parameters, code) => {
    expect(codeOf(() => listVersion(parameters))).toBe(code);
  });
});

describe('what a watch says of versions', () => {
  it.each<[VersionParameters, ReturnType<typeof watchVersion>]>([
    [{}, { initialEvents: false }],
    [{ resourceVersion: '12' }, { initialEvents: false, resourceVersion: '12' }],
    [{ sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' }, { initialEvents: true }],
    [
      { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', resourceVersion: '12' },
      { initialEvents: true, atLeast: 12 },
    ],
    [
      { sendInitialEvents: false, resourceVersionMatch: 'NotOlderThan', resourceVersion: '12' },
      { initialEvents: false, resourceVersion: '12' },
    ],
  ])('%j is %j', (parameters, meant) => {
    expect(watchVersion(parameters)).toEqual(meant);
  });

  it.each<VersionParameters>([
    { sendInitialEvents: true },
    { sendInitialEvents: true, resourceVersionMatch: 'Exact' },
    { sendInitialEvents: false, resourceVersionMatch: 'NotOlderThan' },
    { resourceVersionMatch: 'NotOlderThan', resourceVersion: '1' },
  ])('%j is refused', (parameters) => {
    expect(codeOf(() => watchVersion(parameters))).toBe('INVALID');
  });

  it('may go on for longer than a timer can', () => {
    expect(watchTime(999_999_999)).toBe(2 ** 31 - 1);
    expect(watchTime(3)).toBe(3_000);
    expect(watchTime(0)).toBeUndefined();
  });
});

it('a version beyond the last one is none of this store', () => {
  expect(codeOf(() => assertReached(8, 7))).toBe('GONE');
  expect(codeOf(() => assertReached(7, 7))).toBe('none');
});

describe('the API', () => {
  let api: TestApi;

  beforeAll(async () => {
    api = await startTestApi();
    for (const name of ['a', 'b', 'c']) await api.ask('POST', SERVICES, { body: serviceBody(name) });
  });

  afterAll(() => api.close());

  it('lists exactly what was there at a version, as long as it knows what has happened since', async () => {
    const before = (await api.ask('GET', SERVICES)).body;
    const { resourceVersion } = before.metadata;
    await api.ask('DELETE', `${SERVICES}/a`);
    await api.ask('PATCH', `${SERVICES}/b`, { body: { metadata: { labels: { tier: 'back' } } }, headers: { 'content-type': MERGE } });
    await api.ask('POST', SERVICES, { body: serviceBody('d') });
    expect((await api.ask('GET', `${SERVICES}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`)).body).toEqual(before);
    const now = (await api.ask('GET', `${SERVICES}?resourceVersion=${resourceVersion}&resourceVersionMatch=NotOlderThan`)).body;
    expect(now.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(['b', 'c', 'd']);
    const next = Number(now.metadata.resourceVersion) + 1;
    for (const match of ['Exact', 'NotOlderThan']) {
      expect((await api.ask('GET', `${SERVICES}?resourceVersion=${next}&resourceVersionMatch=${match}`)).status).toBe(410);
    }
  });

  it('watches on although the time is longer than a timer can have', async () => {
    const watch = await api.watch(`${SERVICES}?watch=true&timeoutSeconds=999999999`);
    await waitFor(() => watch.events.length === 3, { what: 'what is there' });
    await api.ask('POST', SERVICES, { body: serviceBody('e') });
    await waitFor(() => watch.events.length === 4, { what: 'what came after' });
    watch.stop();
  });
});
