import { describe, expect, it } from 'vitest';
import {
  applyLine,
  compareNumbers,
  emptyTask,
  isLeaf,
  leavesOf,
  stepsInOrder,
  type TaskView,
  taskLineOf,
} from '../../../cli/service/task.ts';
import { taskExitStatus } from '../../../cli/service/task-ending.ts';
import { TaskFollowing } from '../../../cli/service/task-following.ts';
import { countsLine, liveTreeLines, oneLine, stepLine, treeLines, whyOf } from '../../../cli/service/task-lines.ts';
import { TaskTextView } from '../../../cli/service/task-views.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { TaskStep } from '../../../protocol/kinds/task.ts';
import { cut, end, linesOf, output, step, task, told } from './fake-service.ts';

const plain = (_colour: unknown, text: string): string => text;
const NOW = Date.parse('2026-01-01T00:00:10Z');

function taskWith(state: TaskView['state'], ...steps: TaskStep[]): TaskView {
  return { ...emptyTask('shop-7'), state, steps: new Map(steps.map((one) => [one.number, one])) };
}

describe('a task', () => {
  it('has its steps in the order of the tree', () => {
    const numbers = ['2', '1.10', '1.9', '1', '1.9.1', '10'];
    expect([...numbers].sort(compareNumbers)).toEqual(['1', '1.9', '1.9.1', '1.10', '2', '10']);
    const all = taskWith('executing', ...numbers.map((number) => step(number, 'created')));
    expect(stepsInOrder(all).map(({ number }) => number)).toEqual(['1', '1.9', '1.9.1', '1.10', '2', '10']);
    expect(leavesOf(all).map(({ number }) => number)).toEqual(['1.9.1', '1.10', '2', '10']);
    for (const one of all.steps.values()) expect(isLeaf(all, one)).toBe(leavesOf(all).includes(one));
  });

  it('takes up lines, and leaves out what it does not know', () => {
    const view = emptyTask('shop-7');
    for (const line of [
      task('executing', step('1', 'created')),
      told('1', 'succeeded'),
      { type: 'news' },
      7,
      { type: 'step', step: { number: 1 } },
    ]) {
      const known = taskLineOf(line);
      if (known !== undefined) applyLine(view, known);
    }
    expect(view).toMatchObject({ title: 'converge', state: 'executing' });
    expect(view.steps.get('1')?.state).toBe('succeeded');
  });

  it('says why a step did not succeed', () => {
    expect(whyOf(step('1', 'failed', { exitStatus: 3 }))).toBe('exit status 3');
    expect(whyOf(step('1', 'failed', { exitStatus: 3, message: 'exit status 3: no room' }))).toBe('exit status 3: no room');
    expect(whyOf(step('1', 'failed', { exitStatus: 3, message: 'exit status 3: a\nb' }))).toBe('exit status 3: b');
    expect(whyOf(step('1', 'failed', { exitStatus: 1, message: 'not as it should be (exit status 1): a\nb' }))).toBe(
      'not as it should be (exit status 1): b',
    );
    expect(whyOf(step('1', 'failed', { code: 'PEER_AWAY', message: 'unreachable: node2 is away' }))).toBe('unreachable: node2 is away');
    const pointed = 'refused: the filter refers to what is not there\n  name=nope\n       ^. There are …';
    expect(whyOf(step('1', 'failed', { code: 'INVALID', message: pointed }))).toBe('refused: the filter refers to what is not there');
    expect(whyOf(step('1', 'cancelled', { code: 'ABORTED' }))).toBe('ABORTED');
    expect(whyOf(step('1', 'succeeded', { message: 'not counted: exit status 1' }))).toBe('not counted: exit status 1');
    expect(whyOf(step('1', 'succeeded'))).toBe('');
  });

  it('has a message that fits on a line', () => {
    expect(oneLine('2 create b: exit status 7: begin\nmore\nno space left')).toBe('2 create b: exit status 7: no space left');
    expect(oneLine('1 check b: not as it should be (exit status 1): a\nb')).toBe('1 check b: not as it should be (exit status 1): b');
    expect(oneLine('one failed\nanother, too')).toBe('one failed');
    expect(oneLine('cancelled by greg')).toBe('cancelled by greg');
  });

  it('is a tree with states, nodes and times', () => {
    const lines = treeLines(
      plain,
      taskWith('failed', step('1', 'failed'), step('1.1', 'failed', { node: 'node1\x1b[2J', exitStatus: 3 }), step('2', 'skipped')),
      NOW,
    );
    const squeezed = lines.map((line) => line.replace(/\d\d:\d\d:\d\d/g, 'TIME').replace(/ {3,}/g, ' | '));
    expect(squeezed).toEqual([
      'NO | STEP | STATE | NODE | TOOK | START | END | WHY',
      '1 | step 1 | failed | 1.5s | TIME | TIME',
      '1.1 | step 1.1 | failed | node1\\u001b[2J | 1.5s | TIME | TIME | exit status 3',
      '2 | step 2 | skipped | 1.5s | TIME | TIME',
    ]);
  });

  it('fits the terminal, and shows what runs and what failed before all else', () => {
    const many = Array.from({ length: 200 }, (_, at) =>
      step(`1.${at + 1}`, at === 150 ? 'executing' : at === 160 ? 'failed' : 'succeeded'),
    );
    const lines = liveTreeLines(plain, taskWith('executing', step('1', 'executing'), ...many), NOW, NOW - 5_000, { columns: 40, rows: 14 });
    expect(lines.length).toBeLessThanOrEqual(14);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
    expect(lines.some((line) => line.includes('1.151'))).toBe(true);
    expect(lines.some((line) => line.includes('1.161'))).toBe(true);
    expect(lines.at(-1)).toContain('199 of 200 steps');
  });

  it('counts, and comes to an exit status', () => {
    const failed = (message: string) => step('1', 'failed', { message });
    expect(countsLine(taskWith('failed', step('1', 'succeeded'), failed('x')))).toContain('1 of 1 step');
    expect(taskExitStatus(taskWith('succeeded', step('1', 'succeeded')), 'ended')).toBe(0);
    expect(taskExitStatus(taskWith('failed', failed('exit status 1: x')), 'ended')).toBe(20);
    expect(taskExitStatus(taskWith('failed', failed('unreachable: away')), 'ended')).toBe(21);
    expect(taskExitStatus(taskWith('failed', failed('unknown: lost')), 'ended')).toBe(22);
    expect(taskExitStatus(taskWith('cancelled'), 'ended')).toBe(20);
    expect(taskExitStatus(taskWith('executing'), 'running')).toBe(22);
  });
});

function screen() {
  const written: string[] = [];
  const add = (text: string | Uint8Array): void => void written.push(Buffer.from(text).toString());
  return { out: add, err: add, text: () => written.join('') };
}

describe('following a task', () => {
  /** Follows over these answers, each of which breaks off after its last line. */
  async function followed(verbose: boolean, ...answers: unknown[][]): Promise<{ text: string; ending: string; contacts: string[] }> {
    const shown = screen();
    const view = new TaskTextView(shown, {
      verbose,
      lines: true,
      escape: true,
      allOf: (execution) => `dtkd executions follow ${execution}`,
    });
    const contacts: string[] = [];
    const following = new TaskFollowing(
      {
        async *lines() {
          const answer = answers.shift();
          if (answer === undefined) throw new DtkdError('FORBIDDEN', 'asked too often');
          yield* linesOf(...answer);
          if (answers.length > 0) throw Object.assign(new Error('cut'), { code: 'ECONNRESET' });
        },
      },
      { name: 'shop-7', namespace: 'default' },
      { view, signal: new AbortController().signal, onContact: (event) => contacts.push(event), pause: () => Promise.resolve() },
    );
    const ending = await following.run();
    view.end(following.task);
    return { text: shown.text(), ending, contacts };
  }

  const web = { title: 'create web', node: 'node1', resource: 'web' };

  it('tells of each step, and shows the output of those that failed as a block', async () => {
    const { text, ending } = await followed(false, [
      task('executing', step('1', 'executing'), step('1.1', 'created', web), step('1.2', 'created', { title: 'create db' })),
      told('1.1', 'executing', web),
      told('1.2', 'executing', { title: 'create db' }),
      output('1.2', 'all is well\n'),
      output('1.1', 'no \x1b[2J'),
      told('1.2', 'succeeded', { title: 'create db' }),
      output('1.1', 'room\n', 'err'),
      told('1.1', 'failed', { ...web, exitStatus: 3 }),
      end('failed'),
    ]);
    expect(ending).toBe('ended');
    expect(text).toBe(`1.1 create web on node1: executing
1.2 create db: executing
1.2 create db: succeeded (1.5s)
1.1 create web on node1: failed, exit status 3 (1.5s)
---- 1.1 create web on node1: failed, exit status 3 (1.5s) ----
no \\u001b[2Jroom
`);
  });

  it('goes on after a break without showing anything twice', async () => {
    const first = [task('executing', step('1', 'executing', web)), output('1', 'one\ntw')];
    const { text, contacts } = await followed(
      true,
      first,
      [],
      [...first, output('1', 'o\nthree'), told('1', 'succeeded', web), end('succeeded')],
    );
    expect(text).toBe(`1 create web on node1: executing
web: one
web: two
web: three
1 create web on node1: succeeded (1.5s)
`);
    expect(contacts).toEqual(['lost', 'found']);
  });

  const MORE = 'there is more output than is shown here. All of it: dtkd executions follow e1';

  it('tells once where there is more output, and how to see it', async () => {
    const first = [task('executing', step('1', 'executing', web)), output('1', 'one\ntw'), cut('1', 'e1')];
    const { text } = await followed(true, first, [], [...first, told('1', 'succeeded', web), end('succeeded')]);
    expect(text).toBe(`1 create web on node1: executing
web: one
web: tw
web: ${MORE}
1 create web on node1: succeeded (1.5s)
`);
  });

  it('tells in the block of a failed step that there is more output', async () => {
    const { text } = await followed(false, [
      task('executing', step('1', 'executing', web), step('2', 'executing')),
      ...['1', '2'].flatMap((number) => [output(number, 'one\ntw'), cut(number, 'e1')]),
      told('1', 'failed', web),
      told('2', 'succeeded'),
      end('failed'),
    ]);
    expect(text).toBe(`1 create web on node1: executing
2 step 2: executing
1 create web on node1: failed (1.5s)
---- 1 create web on node1: failed (1.5s) ----
one
tw
${MORE}
2 step 2: succeeded (1.5s)
`);
  });

  it('ends where the answer is an error', async () => {
    await expect(followed(false)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is over if the task had ended when the answer broke off', async () => {
    expect((await followed(false, [task('succeeded', step('1', 'succeeded', web))])).ending).toBe('ended');
  });
});

it('a step is one line, whatever it says', () => {
  expect(stepLine(step('1', 'failed', { exitStatus: 1, message: 'exit status 1: a\nb\x1b' }), NOW)).toBe(
    '1 step 1: failed, exit status 1: b\\u001b (1.5s)',
  );
});
