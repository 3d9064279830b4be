import { afterEach, describe, expect, it, vi } from 'vitest';
import { PlansAhead } from '../../../../daemon/src/dispatch/execution/plans/plans-ahead.ts';
import type { Plan, PlannedPart } from '../../../../daemon/src/dispatch/plan/plan.types.ts';
import type { Change } from '../../../../daemon/src/store/object-store.types.ts';
import { eventKind } from '../../../../protocol/kinds/event.ts';

const SELF = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

afterEach(() => vi.restoreAllMocks());

function world() {
  const changed = new Set<(changes: readonly Change[]) => void>();
  const moved = new Set<() => void>();
  const ahead = new PlansAhead({
    self: SELF,
    store: {
      subscribe: (listener) => {
        changed.add(listener);
        return () => changed.delete(listener);
      },
    },
    members: {
      onChange: (listener) => {
        moved.add(listener);
        return () => moved.delete(listener);
      },
    },
  });
  const change = (plural: string, group = 'dtkd.dev'): void => {
    const ref = { group, plural, namespace: 'here', name: 'one' };
    const object = {
      apiVersion: 'dtkd.dev/v1',
      kind: 'One',
      metadata: { name: 'one', uid: '', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    };
    for (const listener of changed) listener([{ version: 1, type: 'ADDED', ref, object, origin: 'own' }]);
  };
  const move = (): void => {
    for (const listener of moved) listener();
  };
  return { ahead, change, listeners: () => changed.size + moved.size, move };
}

function planOf(owner: string): Plan {
  const resource = { object: 'shop.db', uid: '', model: 'shop', type: 'Database', name: 'db' };
  const part: PlannedPart = {
    target: { node: 'here', self: true, key: SELF, domain: '', starter: SELF },
    work: { type: 'command', owner, resource, command: 'create', options: {}, code: {} },
    stage: 0,
  };
  return { parts: [part], stages: [], batch: undefined, timeoutMs: 1, unanswered: [], notes: [] };
}

describe('a plan that was made ahead', () => {
  it('counts while nothing changes but what running commands write of themselves', async () => {
    const { ahead, change } = world();
    const plan = planOf(SELF);
    const current = await ahead.make(async () => plan);
    change('executions');
    change('tasks');
    change('events', eventKind.group);
    change('deployments');
    expect(current()).toBe(plan);
  });

  it.each(['resources', 'types', 'nodes', 'capabilities'])('does not count once %s have changed', async (plural) => {
    const { ahead, change } = world();
    const current = await ahead.make(async () => planOf(SELF));
    change(plural);
    expect(current()).toBeUndefined();
  });

  it('does not count if something changed while it was made, or a member has', async () => {
    const { ahead, change, move } = world();
    const during = await ahead.make(async () => {
      change('resources');
      return planOf(SELF);
    });
    expect(during()).toBeUndefined();
    const after = await ahead.make(async () => planOf(SELF));
    move();
    expect(after()).toBeUndefined();
  });

  it('does not count for long, nor for resources of other nodes, nor with nodes that did not answer', async () => {
    const { ahead } = world();
    const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const current = await ahead.make(async () => planOf(SELF));
    now.mockReturnValue(2_900);
    expect(current()).toBeDefined();
    now.mockReturnValue(3_100);
    expect(current()).toBeUndefined();
    expect((await ahead.make(async () => planOf(OTHER)))()).toBeUndefined();
    expect((await ahead.make(async () => ({ ...planOf(SELF), unanswered: ['there'] })))()).toBeUndefined();
  });

  it('does not count when the daemon stops, which listens no more', async () => {
    const { ahead, listeners } = world();
    const current = await ahead.make(async () => planOf(SELF));
    expect(listeners()).toBe(2);
    ahead.stop();
    expect(current()).toBeUndefined();
    expect(listeners()).toBe(0);
    const late = await ahead.make(async () => planOf(SELF));
    expect(late()).toBeUndefined();
    expect(listeners()).toBe(0);
  });
});
