import { describe, expect, it } from 'vitest';
import { newsOf } from '../../../daemon/src/news/news.ts';
import type { Change } from '../../../daemon/src/store/object-store.types.ts';
import { kindByAnyName } from '../../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../../protocol/kinds/kind.ts';

function change(kindName: string, before: object | undefined, now: object, more: Partial<Change> = {}): Change {
  const kind = kindByAnyName(kindName);
  if (kind === undefined) throw new Error(kindName);
  const namespace = kind.scope === 'Cluster' ? '' : 'node0';
  const metadata = { name: 'x', namespace, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' };
  const base = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata };
  const { group, plural } = kind;
  return {
    version: 2,
    type: before === undefined ? 'ADDED' : 'MODIFIED',
    ref: { group, plural, namespace, name: 'x' },
    object: { ...base, ...now },
    ...(before === undefined ? {} : { previous: { ...base, ...before } }),
    origin: 'own',
    ...more,
  };
}

const told = (...args: Parameters<typeof change>) => {
  const news = newsOf(change(...args));
  return news === undefined ? undefined : `${news.type} ${news.reason}: ${news.message}`;
};
const phase = (value: string, more: object = {}) => ({ status: { phase: value, ...more } });

describe('news', () => {
  it.each([
    ['dtapp', {}, { status: 'Ready', URI: 'http://x' }, 'Normal Ready: it can be reached at http://x'],
    ['dtapp', undefined, { status: 'NoService', message: 'no Service "x"' }, 'Warning NoService: no Service "x"'],
    ['dtapp', { status: 'Ready' }, { status: 'Ready', URI: 'other' }, undefined],
    ['dtdomain', undefined, { status: 'Ready' }, 'Normal Ready: this node is a member'],
    ['dtdomain', undefined, { status: 'Joining' }, undefined],
    ['dtdomain', { status: 'Ready' }, { status: 'Suspended', message: 'a fork' }, 'Warning Suspended: a fork'],
    ['dtpeer', undefined, { dtDomain: 'd', name: 'node1.x' }, 'Normal MemberAdded: node1.x is a member'],
    ['dtpeer', undefined, { dtDomain: 'd', name: 'node0.x', path: 'self' }, undefined],
    ['dtpeer', { name: 'node1.x' }, { name: 'node2.x' }, undefined],
    ['serviceinstance', phase('Staged'), phase('Converging'), 'Normal Converging: a converge has begun'],
    ['serviceinstance', phase('Converging'), phase('Failed', { message: 'web: no' }), 'Warning ConvergeFailed: web: no'],
    ['serviceinstance', phase('Converging'), phase('Ready'), 'Normal Converged: everything is as it was committed'],
    [
      'execution',
      phase('Running'),
      phase('Finished', { parts: [{ outcome: 'succeeded' }, { outcome: 'succeeded' }] }),
      'Normal Succeeded: 2 succeeded',
    ],
    [
      'execution',
      phase('Running'),
      phase('Finished', { parts: [{ outcome: 'succeeded' }, { outcome: 'failed' }] }),
      'Warning NotSucceeded: 1 succeeded, 1 failed',
    ],
    ['execution', phase('Running'), phase('Running'), undefined],
    ['node', { spec: {} }, { spec: { maintenance: { reason: 'disks' } } }, 'Normal MaintenanceBegan: commands of others skip it: disks'],
    ['node', { spec: { maintenance: {} } }, { spec: {} }, 'Normal MaintenanceEnded: it takes commands again'],
    ['node', {}, { status: { facts: { startedAt: 'now', dtkdVersion: '1' } } }, 'Normal Started: dtkd 1 has started'],
    ['service', undefined, { status: 'Ready' }, undefined],
  ])('of a %s is told once', (kind, before, now, expected) => {
    expect(told(kind, before, now)).toBe(expected);
  });

  it('of removals is about what is left', () => {
    const { group, plural } = change('dtdomain', undefined, {}).ref;
    expect(
      newsOf(change('dtpeer', undefined, { dtDomain: 'd', name: 'node1.x' }, { type: 'DELETED', origin: 'projection' })),
    ).toMatchObject({
      about: { group, plural, namespace: 'node0', name: 'd' },
      reason: 'MemberRemoved',
    });
    expect(told('dtdomain', undefined, { status: 'Ready' }, { type: 'DELETED' })).toBe('Normal Left: this node is no longer a member');
    for (const kind of ['dtapp', 'serviceinstance', 'execution', 'node'])
      expect(told(kind, undefined, phase('Finished'), { type: 'DELETED' })).toBeUndefined();
  });

  it('of other nodes are theirs to tell, and nothing is news that is no text', () => {
    for (const origin of ['replica', 'projection'] as const)
      expect(told('dtapp', undefined, { status: 'Ready' }, { origin })).toBeUndefined();
    for (const status of [1, null, [], { phase: 1 }])
      for (const kind of ['dtapp', 'dtdomain', 'serviceinstance', 'execution']) expect(told(kind, undefined, { status })).toBeUndefined();
  });
});
