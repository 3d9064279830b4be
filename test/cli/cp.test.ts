import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyPlan, directoryOf, remotePath } from '../../cli/dispatch/copy-paths.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { ended, executionObject, FINISHED, linesOf, part } from './dispatch/fake-execution.ts';
import { FakeDaemon } from './fake-daemon.ts';

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('the paths of dtkd cp', () => {
  it('name nodes before the path', () => {
    expect(remotePath('node1:/etc/motd')).toEqual({ filter: 'name=node1', path: '/etc/motd' });
    expect(remotePath('tags=web,osfamily=unix:/srv/')).toEqual({ filter: 'tags=web,osfamily=unix', path: '/srv/' });
    expect(remotePath('.*:/x')).toEqual({ filter: 'name=.*', path: '/x' });
    expect(remotePath('web1~1a2b:/x')).toEqual({ filter: 'name=web1~1a2b', path: '/x' });
    for (const local of ['./a:/b', '/a:/b', '../x:/y', 'file', 'dir/file', 'node1:relative']) expect(remotePath(local)).toBeUndefined();
  });

  it('say what goes where', () => {
    expect(copyPlan(['motd', 'n:/etc/motd'])).toEqual({
      direction: 'to',
      filter: 'name=n',
      files: [{ local: 'motd', remote: '/etc/motd' }],
    });
    expect(copyPlan(['a/x', 'y', 'n:/srv/'])).toMatchObject({ files: [{ remote: '/srv/x' }, { remote: '/srv/y' }] });
    expect(copyPlan(['n:/a', 'tags=b:/c', 'here'])).toEqual({
      direction: 'from',
      local: 'here',
      files: [
        { filter: 'name=n', path: '/a' },
        { filter: 'tags=b', path: '/c' },
      ],
    });
  });

  it.each([
    [['only'], 'nothing to copy to'],
    [['a', 'b'], 'neither side names nodes'],
    [['a', 'node1:etc/motd'], 'no path that begins with /'],
    [['a', 'node1:'], 'no path that begins with /'],
    [['a', 'b', 'n:/one'], 'cannot all become /one'],
    [['x/a', 'y/a', 'n:/srv/'], 'two files would become /srv/a'],
    [['n:/a', 'm:/b'], 'not between them'],
  ])('%j are refused: %s', (paths, message) => {
    expect(() => copyPlan(paths)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringContaining(message) }));
  });

  it('take all nodes by one word, and no standard input', () => {
    expect(remotePath('all:/etc/motd')).toEqual({ filter: '.*', path: '/etc/motd' });
    expect(() => copyPlan(['-', 'node1:/etc/motd'])).toThrow(expect.objectContaining({ code: 'BAD_REQUEST', next: expect.any(String) }));
    expect(() => copyPlan(['node1:/etc/motd', '-'])).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it('make a directory of any name of a node', () => {
    expect(['web1~1a', '../up', '..', '', 'a/b'].map(directoryOf)).toEqual(['web1~1a', '.._up', '_..', '_', 'a_b']);
  });
});

describe('dtkd cp', () => {
  let daemon: FakeDaemon;
  let dir: string;
  /** What the daemon was sent, by digest. */
  let uploads: Map<string, Buffer>;
  beforeEach(async () => {
    daemon = await FakeDaemon.start();
    dir = await mkdtemp(join(tmpdir(), 'dtkd-cp-'));
    uploads = new Map();
    daemon.script('PUT', /daemon\/content$/, ({ bytes = Buffer.alloc(0) }) => {
      uploads.set(digestOf(bytes), Buffer.from(bytes));
      return { digest: digestOf(bytes), size: bytes.length };
    });
  });
  afterEach(async () => {
    await daemon.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const requests = () => daemon.asked.filter(({ path }) => path.endsWith('/daemon/dispatch')).map(({ body }) => body);
  const answer = (...lines: unknown[]) => daemon.script('POST', /daemon\/dispatch$/, () => ({ lines: linesOf(...lines) }));
  const told = (...nodes: string[]) => ({ execution: executionObject(nodes.map((node, index) => part(index, { node, what: 'cp' }))) });

  it('hands files to the daemon and has them put in place, with their modes', async () => {
    const bytes = randomBytes(100_000);
    await writeFile(join(dir, 'one'), bytes);
    await chmod(join(dir, 'one'), 0o640);
    await writeFile(join(dir, 'two'), '');
    answer(told('web1', 'web2'), ended(0, 'web1', 'succeeded'), ended(1, 'web2', 'succeeded'), FINISHED);
    const ran = await daemon.cli('cp', join(dir, 'one'), join(dir, 'two'), 'tags=web:/srv/', '--threads', '4');
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stdout).toContain(`${join(dir, 'one')} → web1,web2:/srv/one (98 KiB)`);
    expect(uploads.get(digestOf(bytes))?.equals(bytes)).toBe(true);
    expect(requests()).toMatchObject([
      {
        follow: true,
        request: {
          put: { digest: digestOf(bytes), size: 100_000, mode: 0o640, path: '/srv/one' },
          filter: { include: ['tags=web'] },
          threads: 4,
          keepGoing: true,
        },
      },
      { request: { put: { size: 0, path: '/srv/two' } } },
    ]);
  });

  it('tells the worst of several files by its exit status', async () => {
    for (const name of ['one', 'two']) await writeFile(join(dir, name), name);
    let count = 0;
    daemon.script('POST', /daemon\/dispatch$/, () => {
      count += 1;
      return {
        lines: linesOf(
          told('web1'),
          ended(0, 'web1', count === 1 ? 'refused' : 'succeeded', count === 1 ? { reason: 'no' } : {}),
          FINISHED,
        ),
      };
    });
    const ran = await daemon.cli('cp', join(dir, 'one'), join(dir, 'two'), 'web1:/srv/');
    expect(ran.code).toBe(20);
    expect(ran.stdout).toContain('two → web1:/srv/two');
    expect(ran.stdout).not.toContain('one → ');
  });

  it('sends nothing when it is only tried', async () => {
    await writeFile(join(dir, 'one'), 'x');
    daemon.script('POST', /daemon\/dispatch$/, () => ({ targets: [], unanswered: [], notes: [] }));
    expect((await daemon.cli('cp', join(dir, 'one'), 'web1:/x', '--dry-run', '--mode', '600')).code).toBe(0);
    expect(uploads.size).toBe(0);
    expect(requests()).toMatchObject([{ dryRun: true, request: { put: { digest: digestOf(Buffer.from('x')), mode: 0o600 } } }]);
  });

  it('refuses what is no file before anything is sent', async () => {
    await writeFile(join(dir, 'one'), 'x');
    for (const wrong of [join(dir, 'absent'), dir, '/dev/null', 'node1:relative']) {
      const ran = await daemon.cli('cp', join(dir, 'one'), wrong, 'web1:/srv/');
      expect(ran.code).toBe(2);
    }
    expect(daemon.asked).toEqual([]);
  });

  it('brings files of several nodes into a directory for each, verified, and goes on with what was cut', async () => {
    const [one, two] = [randomBytes(50_000), randomBytes(10)];
    const contents = new Map([one, two].map((bytes) => [digestOf(bytes), bytes]));
    const file = (bytes: Uint8Array) => ({ file: { digest: digestOf(bytes), size: bytes.length, mode: 0o600 } });
    answer(told('web1', 'web2'), ended(0, 'web1', 'succeeded', file(one)), ended(1, 'web2', 'succeeded', file(two)), FINISHED);
    daemon.script('GET', /daemon\/content\//, ({ path, headers }) => {
      const bytes = contents.get(path.slice(-64)) ?? Buffer.alloc(0);
      return { octets: bytes.subarray(Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)) };
    });
    await mkdir(join(dir, 'got', 'web1'), { recursive: true });
    await writeFile(join(dir, 'got', 'web1', `.app.log.${digestOf(one).slice(0, 16)}.part`), one.subarray(0, 20_000));
    const ran = await daemon.cli('cp', 'tags=web:/var/log/app.log', join(dir, 'got'));
    expect(ran).toMatchObject({ code: 0 });
    expect((await readFile(join(dir, 'got', 'web1', 'app.log'))).equals(one)).toBe(true);
    expect((await readFile(join(dir, 'got', 'web2', 'app.log'))).equals(two)).toBe(true);
    expect((await stat(join(dir, 'got', 'web1', 'app.log'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(dir, 'got', 'web1'))).toEqual(['app.log']);
    const gets = daemon.asked.filter(({ method }) => method === 'GET');
    expect(gets.map(({ headers }) => headers.range)).toEqual(['bytes=20000-', undefined]);
    expect(gets[0]?.query.get('node')).toBe('web1');
  });

  it('never leaves what is not what the node read', async () => {
    const right = Buffer.from('right');
    const lie = { file: { digest: digestOf(right), size: right.length, mode: 0o600 } };
    answer(told('web1'), ended(0, 'web1', 'succeeded', lie), FINISHED);
    daemon.script('GET', /daemon\/content\//, () => ({ octets: Buffer.from('wrong') }));
    const ran = await daemon.cli('cp', 'web1:/x', join(dir, 'x'));
    expect(ran.code).toBe(20);
    expect(ran.stderr).toContain('that arrived differs from what web1 read');
    expect(await readdir(dir)).toEqual([]);
    // A partial file that is wrong is not believed a second time.
    await writeFile(join(dir, `.x.${digestOf(right).slice(0, 16)}.part`), 'wro');
    daemon.script('GET', /daemon\/content\//, ({ headers }) => ({ octets: right.subarray(headers.range === undefined ? 0 : 3) }));
    expect((await daemon.cli('cp', 'web1:/x', join(dir, 'x'))).code).toBe(0);
    expect(String(await readFile(join(dir, 'x')))).toBe('right');
  });

  it('tells of a node whose file is gone when it is fetched, and takes the others', async () => {
    const bytes = Buffer.from('abc');
    const file = { file: { digest: digestOf(bytes), size: 3, mode: 0o644 } };
    answer(told('web1', 'web2'), ended(0, 'web1', 'succeeded', file), ended(1, 'web2', 'succeeded', file), FINISHED);
    daemon.script('GET', /daemon\/content\//, ({ query }) => {
      if (query.get('node') === 'web1')
        throw new DtkdError('CONTENT_MISSING', 'content is not available: no member that can be reached now has it');
      return { octets: bytes };
    });
    const ran = await daemon.cli('cp', '.*:/x', join(dir, 'got/'));
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain('no member that can be reached');
    expect(await readdir(join(dir, 'got', 'web2'))).toEqual(['x']);
  });
});
