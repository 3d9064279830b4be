import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDaemon } from '../fake-daemon.ts';
import { aboutTask, cut, end, linesOf, output, step, task, told } from './fake-service.ts';

describe('dtkd service task follow, of a command with much output', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await FakeDaemon.start();
    const lines = [
      task('executing', step('1', 'executing')),
      output('1', 'one\n'),
      cut('1', 'e'.repeat(64)),
      told('1', 'succeeded'),
      end('succeeded'),
    ];
    daemon.script('GET', aboutTask('follow'), () => ({ lines: linesOf(...lines) }));
  });
  afterEach(() => daemon.stop());

  it('tells the command that shows all of it', async () => {
    const { code, stdout, stderr } = await daemon.cli('service', 'task', 'follow', 'shop-7', '-v');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('web: one\n') });
    expect(stderr).toMatch(/^web: there is more output than is shown here. All of it: dtkd .*executions follow e{64}\n/);
  });

  it('tells it in JSON', async () => {
    const { stdout } = await daemon.cli('service', 'task', 'follow', 'shop-7', '-o', 'json');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toContainEqual(cut('1', 'e'.repeat(64)));
  });
});
