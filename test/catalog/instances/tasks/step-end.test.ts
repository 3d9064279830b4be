import { describe, expect, it } from 'vitest';
import type { AppliedResource } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import { begun } from '../../../../daemon/src/catalog/instances/tasks/applied-rows.ts';
import { rowAfter } from '../../../../daemon/src/catalog/instances/tasks/settling.ts';
import { lastLines, stepEnd } from '../../../../daemon/src/catalog/instances/tasks/step-end.ts';
import { correctedStatus, failureText, interruptedStatus, messageOf } from '../../../../daemon/src/catalog/instances/tasks/task-object.ts';
import type { TaskState, TaskStep } from '../../../../protocol/kinds/task.ts';

const ROW: AppliedResource = {
  name: 'web',
  component: 'web',
  type: 'WebServer',
  node: 'node1',
  properties: { port: 80 },
  parents: [],
  needs: [],
  digest: 'a',
  created: true,
  commands: ['create'],
  secrets: [],
  commit: 'c1',
  at: 1,
  check: { ok: true, at: 1 },
};
const GOAL: AppliedResource = { ...ROW, properties: { port: 81 }, digest: 'b', commit: 'c2', check: undefined };

describe('the end of a command', () => {
  it('is told with its last words, which are short and plain', () => {
    const output = `${'x'.repeat(2_000)}\n\u001b[31mno\u0007 room\u001b[0m\n\n`;
    const { message = '', state } = stepEnd({ outcome: 'failed', exitStatus: 2, code: 'FAILED' }, output);
    expect(state).toBe('failed');
    expect(message).toMatch(/^exit status 2: /);
    expect(message.endsWith('no  room [0m')).toBe(true);
    expect(message).not.toMatch(/(?!\n)\p{Cc}/u);
    expect(lastLines('y'.repeat(5_000)).length).toBeLessThanOrEqual(640);
  });

  it('may not count, be cancelled, or be no failure of the command at all', () => {
    expect(stepEnd({ outcome: 'failed', exitStatus: 1 }, '', { ignoreFailure: true })).toMatchObject({
      state: 'succeeded',
      message: 'not counted: exit status 1',
    });
    expect(stepEnd({ outcome: 'failed', code: 'ABORTED', reason: 'ended' }, '', { cancelled: true })).toMatchObject({ state: 'cancelled' });
    expect(stepEnd({ outcome: 'refused', code: 'FORBIDDEN', reason: 'not for you' }, '').message).toBe('refused: not for you');
  });

  it('says why it could not go on, apart from what it wrote before', () => {
    const message = 'there is no secret "p" on node1\nchanged';
    expect(stepEnd({ outcome: 'failed', code: 'NOT_FOUND', reason: 'there is no secret "p" on node1' }, 'changed\n')).toMatchObject({
      state: 'failed',
      message,
    });
  });
});

describe('a task that was interrupted', () => {
  it('says how to go on for as long as something is left to do', () => {
    const spec = { instance: 'two', action: 'converge' as const, title: 'converge', user: 'self' };
    const status = interruptedStatus({ state: 'executing', steps: [] }, [], { instance: 'two', action: 'converge', now: 1 });
    expect(messageOf({ spec, status }, false)).toBe('interrupted: the daemon ended while it ran; dtkd converge two goes on');
    expect(messageOf({ spec, status }, true)).toBe('interrupted: the daemon ended while it ran');
  });
});

describe('what is kept of a resource', () => {
  it('says that something was begun, until it has ended well', () => {
    expect(begun('create', undefined, GOAL)).toMatchObject({ digest: undefined, created: false, properties: { port: 81 } });
    expect(begun('converge', ROW, GOAL)).toMatchObject({ digest: undefined, created: true, properties: { port: 80 } });
    expect(begun('converge', ROW, GOAL)?.check).toBeUndefined();
    expect(begun('delete', ROW, undefined)).toMatchObject({ digest: undefined, created: false });
  });

  it('becomes what was wanted, goes, or stays', () => {
    const good = { end: { state: 'succeeded' as const }, command: { outcome: 'succeeded' as const } };
    const bad = { end: { state: 'failed' as const, message: 'no' }, command: { outcome: 'failed' as const } };
    const before = begun('converge', ROW, GOAL);
    expect(rowAfter({ row: { act: 'converge', goal: GOAL }, ...good }, before, 9)).toEqual({ ...GOAL, at: 9 });
    expect(rowAfter({ row: { act: 'converge', goal: GOAL }, ...bad }, before, 9)).toBe(before);
    expect(rowAfter({ row: { act: 'delete' }, ...good }, before, 9)).toBeUndefined();
    expect(rowAfter({ row: { act: 'check' }, ...bad }, ROW, 9)?.check).toEqual({ ok: false, at: 9, message: 'no' });
    expect(rowAfter({ row: { act: 'check' }, end: bad.end, command: { outcome: 'unreachable' } }, ROW, 9)).toBe(ROW);
    const due = { ...ROW, due: ['warm', 'warm#2'] };
    expect(rowAfter({ row: { act: 'run', settles: 'warm' }, ...good }, due, 9)?.due).toEqual(['warm#2']);
    expect(rowAfter({ row: { act: 'run' }, ...good }, due, 9)).toBe(due);
  });
});

describe('a task that is over', () => {
  const step = (number: string, state: TaskState, more: Partial<TaskStep> = {}): TaskStep => ({ number, title: number, state, ...more });
  const lost = { execution: 'e1', message: 'unknown: contact was lost' };
  const corrected = (steps: TaskStep[], end: Parameters<typeof correctedStatus>[2]) =>
    correctedStatus({ state: 'failed', steps, message: failureText(steps) }, { number: '1.1', execution: 'e1' }, end, 5);

  it('says how a command ended that was not known to have, and stays as it ended', () => {
    const tree = [step('1', 'failed'), step('1.1', 'failed', lost), step('2', 'skipped')];
    const good = corrected(tree, { state: 'succeeded', exitStatus: 0 });
    expect(good).toMatchObject({ state: 'failed', message: 'not all steps were run' });
    expect(good?.steps.map(({ state, message }) => [state, message])).toEqual([
      ['succeeded', undefined],
      ['succeeded', undefined],
      ['skipped', undefined],
    ]);
    expect(corrected(tree.slice(0, 2), { state: 'succeeded' })?.message).toMatch(/every step has succeeded$/);
    const bad = corrected(tree, { state: 'failed', exitStatus: 2, message: 'exit status 2' });
    expect(bad).toMatchObject({ message: '1.1 1.1: exit status 2', steps: [{ state: 'failed' }, { exitStatus: 2 }, {}] });
  });

  it('keeps what was cancelled, or not counted, as that', () => {
    const failed = { state: 'failed' as const, message: 'exit status 2' };
    expect(corrected([step('1.1', 'cancelled', lost)], failed)?.steps[0]).toMatchObject({ state: 'cancelled', message: 'exit status 2' });
    const ignored = corrected([step('1.1', 'succeeded', lost)], failed)?.steps[0];
    expect(ignored).toMatchObject({ state: 'succeeded', message: 'not counted: exit status 2' });
    expect(corrected([step('1.1', 'failed', { ...lost, execution: 'e2' })], failed)).toBeUndefined();
  });
});

describe('a task that was interrupted', () => {
  it('tells what is known of its steps', () => {
    const steps = ['1', '1.1', '1.2', '1.3'].map((number) => ({ number, title: number, state: 'created' as const, resource: 'web' }));
    const [head, ...rest] = steps;
    const tree = [{ number: head?.number ?? '', title: '', state: 'executing' as const }, ...rest];
    const common = { instance: 'shop', task: 'shop-1', resource: 'web', node: 'n', command: 'create', act: 'create' as const, options: {} };
    const rows = [
      { ...common, number: '1.1', execution: 'e1', startedAt: 1, ended: { state: 'succeeded' as const, at: 2 } },
      { ...common, number: '1.2', execution: 'e2', startedAt: 1 },
    ];
    const status = interruptedStatus({ state: 'executing', steps: tree }, rows, { instance: 'shop', action: 'converge', now: 3 });
    expect(status.steps.map(({ state }) => state)).toEqual(['failed', 'succeeded', 'failed', 'skipped']);
    expect(status).toMatchObject({ state: 'failed', message: expect.stringContaining('dtkd converge shop goes on') });
    expect(status.steps[2]).toMatchObject({ execution: 'e2', message: expect.stringContaining('interrupted') });
  });
});
