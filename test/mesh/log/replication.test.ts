import { describe, expect, it } from 'vitest';
import { app, appRef, DOMAIN_NAME, Node, Roster } from './node.ts';

describe('replication between nodes', () => {
  it('shows on another node what a node publishes, changes and takes back', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    const stored = await a.expose('one');
    await a.expose('two');
    for (const entry of a.pushed) expect(await b.log.receive(entry)).toBe('applied');
    expect(await b.names()).toEqual(['a/one', 'a/two']);
    expect((await b.store.get(appRef('a', 'one')))?.metadata).toEqual(stored.metadata);
    expect(await b.store.originOf(appRef('a', 'one'))).toBe('replica');
    await a.expose('one', { service: 'other' });
    await a.withdraw('two');
    expect(await b.pull(a)).toBe(2);
    expect(await b.shown()).toEqual(await a.shown());
  });

  it('publishes on opening what was stored before', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    await a.expose('one');
    await a.log.drop();
    const again = await a.restart();
    const b = await Node.start({ name: 'b', roster });
    await b.pull(again);
    expect(await b.names()).toEqual(['a/one']);
  });

  it('takes an object back that no longer names the domain, and keeps other domains to itself', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.expose('one', { domains: [DOMAIN_NAME, 'secret'] });
    await b.pull(a);
    expect(JSON.stringify(await b.shown())).not.toContain('secret');
    await a.expose('one', { domains: ['secret'] });
    await b.pull(a);
    expect(await b.names()).toEqual([]);
    expect(await a.names()).toEqual(['a/one']);
  });

  it('writes nothing for a change that the domain does not see', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    await a.expose('private', { domains: ['elsewhere'] });
    await a.put({ ...app('a', 'private', { domains: ['elsewhere'] }), status: 'Ready' });
    expect(a.pushed).toEqual([]);
  });

  it('opens a new epoch after a restart and keeps showing the same', async () => {
    const roster = new Roster();
    let a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.expose('one');
    await a.expose('two');
    await b.pull(a);
    const [before] = await a.log.heads();
    a = await a.restart();
    expect(await a.log.heads()).toEqual([before]);
    await a.expose('three');
    const [after] = await a.log.heads();
    expect(after?.seq).toBe(0);
    expect(after?.epoch.ms).toBeGreaterThan(before?.epoch.ms ?? 0);
    expect(await b.pull(a)).toBe(1);
    expect(await b.shown()).toEqual(await a.shown());
  });
});
