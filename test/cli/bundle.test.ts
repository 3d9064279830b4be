import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodeCbor } from '../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { parseDomainId } from '../../protocol/ids.ts';
import { signingKeyFromSeed } from '../../protocol/keys/signing.ts';
import { ParcelWriter } from '../../protocol/parcel/writer.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import { waitFor } from '../wait.ts';
import { FakeDaemon } from './fake-daemon.ts';

const key = signingKeyFromSeed(new Uint8Array(32).fill(7));
const domain = parseDomainId('ab'.repeat(32));
const head = { author: key.publicKey, epoch: { ms: 5, random: '12'.repeat(8) }, seq: 3, hash: 'cd'.repeat(32) };
const statement = encodeCbor({ name: 'acme/web', version: '1.2.0', digest: 'ee'.repeat(32), publisher: key.publicKey });

function parcel(): Buffer {
  const writer = new ParcelWriter();
  return Buffer.concat([
    writer.begin({ id: '0f'.repeat(16), made: 1_700_000_000_000, program: '1.2.3\u001b[31m' }),
    writer.frame({ type: 'section', name: 'modules' }),
    writer.frame({ type: 'module', digest: 'ee'.repeat(32), size: 2, statement, signature: key.sign('module', statement) }),
    writer.frame({ type: 'piece', bytes: new Uint8Array(2) }),
    writer.frame({ type: 'section', name: 'facts', domain }),
    writer.frame({ type: 'domain', domain, name: 'field', maker: key.publicKey, makerName: 'node1', heads: [head], partial: true }),
    writer.frame({ type: 'items', items: [new Uint8Array(10)] }),
    writer.end((_domain, seal) => key.sign('parcel', seal)),
  ]);
}

const REPORT = {
  id: '0f'.repeat(16),
  made: 1_700_000_000_000,
  dryRun: false,
  domains: [
    {
      name: 'field',
      maker: key.publicKey,
      makerName: 'node1',
      facts: { new: 1 },
      entries: { new: 2, known: 3 },
      gaps: ['x'],
      orders: { taken: 1, known: 0 },
      answers: { taken: 0, known: 1 },
    },
  ],
  skipped: ['other'],
  modules: { taken: 1, known: 0 },
  refused: { count: 2, first: [{ what: 'order 12', code: 'SIGNATURE_INVALID', message: 'it is not signed' }] },
};

describe('dtkd bundle', () => {
  let daemon: FakeDaemon;
  let directory: string;
  let answer: () => unknown;

  beforeAll(async () => {
    daemon = await FakeDaemon.start();
    directory = await mkdtemp(join(tmpdir(), 'dtkd-cli-bundle-'));
    daemon.script('POST', /daemon\/parcel\/export$/, () => answer());
    daemon.script('POST', /daemon\/parcel$/, () => REPORT);
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(directory, { recursive: true, force: true });
  });
  beforeEach(() => {
    daemon.asked.length = 0;
    answer = () => ({ octets: parcel() });
  });

  const at = (name: string) => join(directory, name);
  const bodyOf = () => daemon.asked.at(-1)?.body;

  it('export writes a file that nobody else can read, once it is whole', async () => {
    const ran = await daemon.cli(
      'bundle',
      'export',
      at('a.dtkd'),
      '--domain',
      'field',
      '--domain',
      'other',
      '--modules',
      'acme/web,acme/db',
    );
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('module acme/web 1.2.0, 2 B') });
    expect(bodyOf()).toEqual({ domains: ['field', 'other'], modules: ['acme/web', 'acme/db'], orders: 'all' });
    expect((await stat(at('a.dtkd'))).mode & 0o777).toBe(0o600);
    expect(Buffer.compare(await readFile(at('a.dtkd')), parcel())).toBe(0);
    expect(await daemon.cli('bundle', 'export', at('a.dtkd'))).toMatchObject({ code: 6, stderr: expect.stringContaining('--replace') });
    expect(await daemon.cli('bundle', 'export', at('a.dtkd'), '--replace', '-o', 'json')).toMatchObject({ code: 0 });
  });

  it.each(['export', 'import', 'show'])('%s takes - for no file', async (command) => {
    expect(await daemon.cli('bundle', command, '-')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'error: a bundle is written to a file and read from one, not from a pipe\nnext: Name a file.\n',
    });
  });

  it('export writes into no file that somebody else has left there for it', async () => {
    await writeFile(at('.shared.dtkd.part'), 'left', { mode: 0o644 });
    expect(await daemon.cli('bundle', 'export', at('shared.dtkd'))).toMatchObject({ code: 0 });
    expect((await stat(at('shared.dtkd'))).mode & 0o777).toBe(0o600);
    expect(await readFile(at('.shared.dtkd.part'), 'utf8')).toBe('left');
  });

  it('export leaves nothing behind of what breaks off, or is refused', async () => {
    answer = () => ({ octets: parcel().subarray(0, 200) });
    expect(await daemon.cli('bundle', 'export', at('cut.dtkd'))).toMatchObject({ code: 9 });
    answer = () => {
      throw new DtkdError('FORBIDDEN', 'not you');
    };
    expect(await daemon.cli('bundle', 'export', at('cut.dtkd'))).toMatchObject({ code: 4, stderr: expect.stringContaining('not you') });
    expect((await readdir(directory)).filter((name) => name.includes('cut'))).toEqual([]);
  });

  it('export leaves nothing behind when it is interrupted', async () => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    answer = () => ({
      lines: (async function* () {
        await over;
        yield 'too late';
      })(),
    });
    const own = async () => (await readdir(directory)).filter((name) => name.includes('broken'));
    const child = spawn(NODE, [DTKD, 'bundle', 'export', at('broken.dtkd')], {
      env: { ...process.env, DTKD_DATA: daemon.dir },
      stdio: 'ignore',
    });
    try {
      await waitFor(async () => (await own()).length === 1, { what: 'the file to be begun' });
      child.kill('SIGINT');
      expect(await new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)))).toBe('SIGINT');
      expect(await own()).toEqual([]);
    } finally {
      child.kill('SIGKILL');
      end();
    }
  });

  it('export takes a bundle or a time as what the other side has', async () => {
    await writeFile(at('theirs.dtkd'), parcel());
    await daemon.cli('bundle', 'export', at('b.dtkd'), '--since', at('theirs.dtkd'));
    expect(bodyOf()).toEqual({ since: { heads: { [domain]: [head] }, modules: ['ee'.repeat(32)] }, orders: 'all' });
    await daemon.cli('bundle', 'export', at('c.dtkd'), '--since', '2026-11-20', '--orders', 'none');
    expect(bodyOf()).toEqual({ since: { time: Date.parse('2026-11-20') }, orders: 'none' });
    await daemon.cli('bundle', 'export', at('d.dtkd'), '--since', '2d');
    expect(bodyOf()).toMatchObject({ since: { time: expect.any(Number) } });
    daemon.asked.length = 0;
    expect(await daemon.cli('bundle', 'export', at('e.dtkd'), '--since', 'gone.dtkd')).toMatchObject({ code: 2 });
    expect(daemon.asked).toEqual([]);
  });

  it('import sends the file and says what it came to', async () => {
    await writeFile(at('in.dtkd'), parcel());
    const ran = await daemon.cli('bundle', 'import', at('in.dtkd'));
    expect(ran.code).toBe(0);
    for (const text of [
      'domain field, from node1',
      '1 new fact, 2 new log entries (3 known)',
      ' 1 order or cancellation (0 known)',
      'earlier entries of',
      'domain other was left out',
      'refused: order 12: it is not signed (SIGNATURE_INVALID)',
      'and 1 more were refused',
    ]) {
      expect(ran.stdout).toContain(text);
    }
    const asked = daemon.asked.at(-1);
    expect(Buffer.compare(asked?.bytes ?? Buffer.alloc(0), parcel())).toBe(0);
    await daemon.cli('bundle', 'import', at('in.dtkd'), '--dry-run');
    expect(daemon.asked.at(-1)?.query.get('dryRun')).toBe('All');
    expect(await daemon.cli('bundle', 'import', at('nowhere.dtkd'))).toMatchObject({ code: 2 });
  });

  it('show tells what is in a file without a daemon, and what is wrong with it', async () => {
    await writeFile(at('show.dtkd'), parcel());
    daemon.asked.length = 0;
    const ran = await daemon.cli('bundle', 'show', at('show.dtkd'));
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('domain field, by node1') });
    expect(ran.stdout).toContain('2023-11-14');
    expect(ran.stdout).not.toContain('\u001b[31m');
    expect(daemon.asked).toEqual([]);
    const altered = parcel();
    altered[altered.length - 300] = (altered[altered.length - 300] ?? 0) ^ 1;
    await writeFile(at('altered.dtkd'), altered);
    expect(await daemon.cli('bundle', 'show', at('altered.dtkd'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/PARCEL_|altered|damaged/),
    });
    await writeFile(at('later.dtkd'), 'dtkd parcel 9\n');
    expect(await daemon.cli('bundle', 'show', at('later.dtkd'))).toMatchObject({ code: 8, stderr: expect.stringContaining('format 9') });
    expect(await daemon.cli('bundle', 'show', at('nowhere.dtkd'))).toMatchObject({ code: 2 });
  });
});
