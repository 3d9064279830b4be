import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeDaemon } from './fake-daemon.ts';

const LINE = {
  seq: 7,
  time: '2026-01-01T00:00:00.000Z',
  who: 'ops@node1',
  verb: 'delete',
  what: 'dtkd.dev/resources/node0/front1',
  outcome: 'denied',
  because: 'no capability\u001b[31m',
};
const REPORT = {
  files: 1,
  lines: 9,
  first: 1,
  last: 9,
  confirmed: 2,
  beforeKept: 0,
  problems: [],
  witnesses: [{ node: 'node1', heads: 2 }],
};

describe('dtkd audit', () => {
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
  });
  afterAll(() => daemon.stop());

  it('shows lines, asks for what is wanted, and lets nothing command the terminal', async () => {
    daemon.script('GET', /\/daemon\/audit\/show/, () => ({ items: [LINE] }));
    const { stdout, code } = await daemon.cli('audit', 'show', '--who', 'ops', '--what', 'front1', '--limit', '5');
    expect(code).toBe(0);
    expect(stdout).toMatch(/TIME.*SEQ.*WHO[\s\S]*7 .*ops@node1.*delete.*front1.*denied/);
    expect(stdout).not.toContain('\u001b');
    expect(Object.fromEntries(daemon.asked.at(-1)?.query ?? [])).toEqual({ limit: '5', who: 'ops', what: 'front1' });
  });

  it('follows', async () => {
    daemon.script('GET', /\/daemon\/audit\/show/, () => ({
      lines: (async function* () {
        yield LINE;
        yield { ...LINE, seq: 8 };
      })(),
    }));
    const { stdout } = await daemon.cli('audit', 'show', '-f', '-o', 'json');
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seq),
    ).toEqual([7, 8]);
  });

  it('says that the log is sound', async () => {
    daemon.script('GET', /\/daemon\/audit\/verify/, () => ({ ok: true, ...REPORT }));
    expect(await daemon.cli('audit', 'verify')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('sound: lines 1 to 9 in 1 file.'),
    });
  });

  it('says where it is broken, with an exit status', async () => {
    const problems = [
      { file: '0000000000000001.log', line: 4, seq: 4, what: 'its signature is wrong' },
      { what: 'node1 has seen another line 3' },
    ];
    const witnesses = [{ node: 'node2', reason: 'node2 is away' }];
    daemon.script('GET', /\/daemon\/audit\/verify/, () => ({ ok: false, ...REPORT, problems, witnesses }));
    const { code, stdout } = await daemon.cli('audit', 'verify');
    expect(code).toBe(1);
    expect(stdout).toContain('0000000000000001.log:4: its signature is wrong\n  node1 has seen another line 3');
    expect(stdout).toContain('Not asked: node2: node2 is away');
  });
});
