import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SIGHTLINE_GROUP } from '../../../protocol/kinds/dtdomain.ts';
import { KINDS } from '../../../protocol/kinds/index.ts';
import { CONDITION_STATUSES, conditionsOf, withConditions } from '../../../protocol/objects/conditions.ts';

const at = (time: string, generation = 1) => ({ time, generation });

describe('conditions', () => {
  it('say when their status last changed, and nothing else moves that', () => {
    const first = withConditions({ phase: 'Staged' }, undefined, [{ type: 'Ready', status: 'False', reason: 'Staged' }], at('t1'));
    expect(first).toEqual({
      phase: 'Staged',
      observedGeneration: 1,
      conditions: [{ type: 'Ready', status: 'False', reason: 'Staged', message: '', lastTransitionTime: 't1', observedGeneration: 1 }],
    });
    const busy = withConditions({ phase: 'Converging' }, first, [{ type: 'Ready', status: 'False', reason: 'Converging' }], at('t2', 2));
    expect(conditionsOf(busy)[0]).toMatchObject({ reason: 'Converging', lastTransitionTime: 't1', observedGeneration: 2 });
    const ready = withConditions({}, busy, [{ type: 'Ready', status: 'True', reason: 'Ready', message: 'm'.repeat(5_000) }], at('t3', 3));
    expect(conditionsOf(ready)[0]).toMatchObject({ status: 'True', lastTransitionTime: 't3', message: 'm'.repeat(1_024) });
  });

  it('never take over what a status claims, nor stumble over what is none', () => {
    const claimed = { conditions: [{ type: 'Ready', status: 'True' }], observedGeneration: 99 };
    expect(withConditions(claimed, { conditions: 'odd' }, [], at('t'))).toEqual({ observedGeneration: 1, conditions: [] });
    expect(conditionsOf(null)).toEqual([]);
    expect(conditionsOf({ conditions: [5, { type: 'x' }] })).toEqual([]);
  });

  it('keep the time through any number of equal statuses', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...CONDITION_STATUSES), { minLength: 1, maxLength: 20 }), (statuses) => {
        let stored: unknown;
        let changed = '';
        let last = '';
        for (const [index, status] of statuses.entries()) {
          if (status !== last) changed = `t${index}`;
          last = status;
          stored = withConditions({}, stored, [{ type: 'Ready', status, reason: `R${index}` }], at(`t${index}`, index));
          expect(conditionsOf(stored)).toMatchObject([
            { status, reason: `R${index}`, lastTransitionTime: changed, observedGeneration: index },
          ]);
        }
      }),
    );
  });

  it('are no part of the kinds that the seed shows, nor of core ones', () => {
    const with_ = KINDS.filter(({ conditions }) => conditions !== undefined);
    expect(with_.map(({ kind }) => kind).sort()).toEqual(['Execution', 'Node', 'ServiceInstance', 'Task']);
    expect(with_.some(({ group }) => group === '' || group === SIGHTLINE_GROUP)).toBe(false);
  });
});

/** What a kind says of an object with these fields: `type=status/reason`. */
function said(kind: string, fields: Record<string, unknown>): string[] {
  const object = {
    apiVersion: 'dtkd.dev/v1',
    kind,
    metadata: { name: 'x', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    ...fields,
  };
  const now = KINDS.find((one) => one.kind === kind)?.conditions?.(object) ?? [];
  return now.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
}

describe('what each kind says', () => {
  it('of a ServiceInstance', () => {
    const spec = { module: 'acme/web', version: '1.0.0', assembly: 'web', directory: '/x' };
    const NO_DRIFT = 'DriftFound=False/NoneFound';
    for (const phase of ['Staged', 'Converging', 'Failed', 'Deleting', 'Deleted']) {
      expect(said('ServiceInstance', { spec, status: { phase } })).toEqual([`Ready=False/${phase}`, NO_DRIFT]);
    }
    expect(said('ServiceInstance', { spec, status: { phase: 'Ready' } })).toEqual(['Ready=True/Ready', NO_DRIFT]);
    const drift = { at: '2026-01-01T00:00:00Z', resources: ['web-2'] };
    expect(said('ServiceInstance', { spec, status: { phase: 'Ready', drift } })).toEqual([
      'Ready=True/Ready',
      'DriftFound=True/CheckFailed',
    ]);
    expect(said('ServiceInstance', { spec })).toEqual(['Ready=False/Staged', NO_DRIFT]);
  });

  it('of a ServiceInstance, in its row: that something has drifted is no age', () => {
    const kind = KINDS.find((one) => one.kind === 'ServiceInstance');
    const spec = { module: 'acme/web', version: '1.0.0', assembly: 'web', directory: '/x' };
    const cell = (status: object): unknown => {
      const metadata = { name: 'x', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' };
      const object = { apiVersion: 'dtkd.dev/v1', kind: 'ServiceInstance', metadata, spec, status };
      return kind?.columns.find(({ name }) => name === 'Drift')?.value?.(object, Date.parse('2026-01-01T00:00:05Z'));
    };
    expect(cell({ phase: 'Ready', drift: { at: '2026-01-01T00:00:00Z', resources: ['web-2'] } })).toBe('found 5s ago');
    expect(cell({ phase: 'Ready' })).toBeUndefined();
  });

  it('of a Task', () => {
    const of = (state: string) => said('Task', { status: { state, steps: [] } });
    expect(of('executing')).toEqual(['Complete=False/Executing', 'Failed=False/Executing']);
    expect(of('succeeded')).toEqual(['Complete=True/Succeeded', 'Failed=False/Succeeded']);
    expect(of('failed')).toEqual(['Complete=False/Failed', 'Failed=True/Failed']);
    expect(of('cancelled')).toEqual(['Complete=False/Cancelled', 'Failed=True/Cancelled']);
  });

  it('of an Execution', () => {
    const of = (phase: string, ...outcomes: string[]) =>
      said('Execution', {
        status: { phase, parts: outcomes.map((outcome, index) => ({ index, node: 'n', what: 'w', state: 'ended', outcome })) },
      });
    expect(of('Running', 'succeeded')).toEqual(['Complete=False/Running', 'Failed=False/Running']);
    expect(of('Paused', 'failed')).toEqual(['Complete=False/Paused', 'Failed=False/Paused']);
    expect(of('Finished', 'succeeded', 'succeeded')).toEqual(['Complete=True/Succeeded', 'Failed=False/Succeeded']);
    for (const outcome of ['failed', 'refused', 'unreachable', 'skipped', 'unknown']) {
      expect(of('Finished', 'succeeded', outcome)).toEqual(['Complete=False/NotSucceeded', 'Failed=True/NotSucceeded']);
    }
  });

  it('of a Node', () => {
    expect(said('Node', {})).toEqual(['Ready=False/DaemonNotStarted', 'Maintenance=False/InUse']);
    expect(said('Node', { status: { facts: {} }, spec: { maintenance: { reason: 'disks' } } })).toEqual([
      'Ready=True/DaemonStarted',
      'Maintenance=True/TakenOutOfUse',
    ]);
  });
});
