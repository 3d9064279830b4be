import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRecord } from '../../protocol/encoding/json.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { dtDomainKind } from '../../protocol/kinds/dtdomain.ts';
import { dtPeerKind } from '../../protocol/kinds/dtpeer.ts';
import { FakeDaemon } from './fake-daemon.ts';
import { someToken } from './token.ts';

const HOUR = 3_600_000;

describe('dtkd domain', () => {
  let daemon: FakeDaemon;
  beforeAll(async () => {
    daemon = await FakeDaemon.start();
  });
  afterAll(() => daemon.stop());

  const fromNow = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const lastBody = () => daemon.asked.at(-1)?.body;
  const invite = (more: object = {}) => ({
    id: '0123456789abcdef',
    uses: 1,
    used: 0,
    expires: fromNow(24 * HOUR),
    revoked: false,
    token: 'the-token',
    ...more,
  });

  it('create prints the recovery key once and the invite that the domain begins with', async () => {
    daemon.script('POST', /\/dtdomains\/new\/create$/, () => ({
      domain: { metadata: { name: 'new' } },
      recoveryKey: 'dtkd-recovery-1-abc',
    }));
    daemon.script('GET', /\/dtdomains\/new\/invites$/, () => ({ items: [invite({ revoked: true, token: 'old' }), invite()] }));
    const { code, stdout } = await daemon.cli('domain', 'create', 'new');
    expect(code).toBe(0);
    expect(stdout).toMatch(/Recovery key .*\n\n {2}dtkd-recovery-1-abc\n/);
    expect(stdout).toContain('one node can join within 24h:\n\n  the-token\n');
  });

  it('create with --uses makes an invite of that kind', async () => {
    daemon.script('POST', /\/dtdomains\/new\/invites$/, () => invite({ uses: 5 }));
    const { stdout } = await daemon.cli('domain', 'create', 'new', '--uses', '5', '--expires', '7d', '-o', 'json');
    expect(lastBody()).toEqual({ uses: 5, expires: 168 * HOUR });
    expect(JSON.parse(stdout)).toMatchObject({
      recoveryKey: 'dtkd-recovery-1-abc',
      invite: { token: 'the-token', expires: expect.stringMatching(/Z$/) },
    });
  });

  it('invite asks for what was asked, and -q prints the token alone', async () => {
    daemon.script('POST', /\/dtdomains\/d\/invites$/, () => invite());
    expect(await daemon.cli('domain', 'invite', 'd', '--uses', '2', '-q')).toEqual({ code: 0, stdout: 'the-token\n', stderr: '' });
    expect(lastBody()).toEqual({ uses: 2 });
    expect(await daemon.cli('domain', 'invite', 'd', '--expires', 'soon')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('24h'),
    });
  });

  it('an invite that replaces says how to join with it, and that nobody has that name', async () => {
    daemon.script('POST', /\/dtdomains\/d\/invites$/, ({ body }) => invite(isRecord(body) ? body : {}));
    daemon.script('GET', /\/dtdomains\/d\/members$/, () => ({ peers: [{ displayName: 'node1' }], removed: [{ name: 'node2' }] }));
    for (const name of ['node1', 'node2']) {
      const { stdout, stderr } = await daemon.cli('domain', 'invite', 'd', '--replace', name);
      expect(daemon.asked.at(-2)?.body).toEqual({ replace: name });
      expect(stdout).toMatch(new RegExp(`\\n {2}dtkd domain join ADDRESS TOKEN --replace ${name}\\n$`));
      expect(stderr).toBe('');
    }
    expect(await daemon.cli('domain', 'invite', 'd', '--replace', 'nod1', '-q')).toEqual({
      code: 0,
      stdout: 'the-token\n',
      stderr: 'warning: no member of d is called "nod1", and none that was removed; see "dtkd domain show d"\n',
    });
  });

  it('show says where to look for the holder of the root if it is not known', async () => {
    daemon.script('GET', /\/dtdomains\/d\/members$/, () => ({ name: 'd', state: 'Ready', peers: [] }));
    expect((await daemon.cli('domain', 'show', 'd')).stdout).toMatch(/^Founder: +not known here; "dtkd domain show" says so on the node/m);
  });

  it('invites says which can still be used', async () => {
    daemon.script('GET', /\/dtdomains\/d\/invites$/, () => ({
      items: [invite(), invite({ used: 1 }), invite({ revoked: true }), invite({ expires: fromNow(-2 * HOUR) })],
    }));
    const { stdout } = await daemon.cli('domain', 'invites', 'd');
    expect(stdout.split('\n').map((line) => line.split(/ {3,}/)[1])).toEqual([
      'STATE',
      'usable',
      'used up',
      'revoked',
      'expired',
      undefined,
    ]);
    expect(stdout).toContain('120m ago');
    expect(stdout).not.toContain('the-token');
  });

  it('join takes the token in three ways and names the domain by it', async () => {
    const token = someToken('mydomain');
    await writeFile(join(daemon.dir, 'token'), `${token}\n`);
    daemon.script('POST', /\/dtdomains\/mydomain\/join$/, () => ({
      domain: { metadata: { name: 'mydomain' }, status: 'Ready', peers: ['a', 'b'], founder: 'node0' },
    }));
    const join3 = await Promise.all([
      daemon.cli('domain', 'join', '192.0.2.1', token),
      daemon.cli('domain', 'join', '192.0.2.1', `@${join(daemon.dir, 'token')}`, '--replace', 'node7'),
      daemon.cliWith({ stdin: `${token}\n` }, 'domain', 'join', '192.0.2.1', '-'),
    ]);
    for (const result of join3)
      expect(result).toEqual({ code: 0, stdout: 'Joined mydomain, now of 2 members, founded by node0.\n', stderr: '' });
    const bodies = daemon.asked.filter(({ path }) => path.endsWith('/join')).map(({ body }) => body);
    expect(bodies).toContainEqual({ address: '192.0.2.1', token, replace: 'node7' });
    expect(bodies).toContainEqual({ address: '192.0.2.1', token });
  });

  it('join says that there is nothing to do for a member', async () => {
    daemon.script('POST', /\/dtdomains\/mydomain\/join$/, () => ({ domain: { metadata: { name: 'mydomain' } }, already: true }));
    expect(await daemon.cli('domain', 'join', '192.0.2.1', someToken('mydomain'))).toEqual({
      code: 0,
      stdout: 'This node is a member of mydomain already; nothing to do.\n',
      stderr: '',
    });
  });

  it('join tells that the address was not of use, and which was', async () => {
    const elsewhere = { address: '192.0.2.9', failure: 'nothing listens there' };
    daemon.script('POST', /\/dtdomains\/mydomain\/join$/, () => ({ domain: { metadata: { name: 'mydomain' } }, elsewhere }));
    expect(await daemon.cli('domain', 'join', '192.0.2.1', someToken('mydomain'))).toEqual({
      code: 0,
      stdout: 'Joined mydomain.\n',
      stderr: 'warning: joined through 192.0.2.9, an address in the token, and not through 192.0.2.1 (nothing listens there)\n',
    });
  });

  it('join tells why it failed and what to do, without asking the daemon where the token is no token', async () => {
    const token = someToken('mydomain');
    daemon.script('POST', /\/dtdomains\/mydomain\/join$/, () => {
      throw new DtkdError('TOKEN_EXPIRED', 'the invite expired 2 hours ago', { next: 'Ask for a new one.' });
    });
    expect(await daemon.cli('domain', 'join', '192.0.2.1', token)).toEqual({
      code: 4,
      stdout: '',
      stderr: 'error: the invite expired 2 hours ago\nnext: Ask for a new one.\n',
    });
    const before = daemon.asked.length;
    expect(await daemon.cli('domain', 'join', '192.0.2.1', token.slice(0, -5))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('truncated'),
    });
    expect(daemon.asked).toHaveLength(before);
  });

  it('show tells who is away since when and who has not heard of a removal', async () => {
    daemon.script('GET', /\/dtdomains\/d\/members$/, () => ({
      id: 'e'.repeat(64),
      name: 'd',
      state: 'Ready',
      holdsRoot: true,
      founderName: 'node0',
      port: 7701,
      peers: [
        {
          id: '1',
          displayName: 'node1',
          self: false,
          connected: false,
          since: fromNow(-3 * HOUR),
          address: '192.0.2.1',
          conditions: ['its clock is 5 minutes behind'],
          heardRemovals: [],
        },
        { id: '0', displayName: 'node0', self: true, founder: true, connected: true, path: 'self', conditions: [] },
      ],
      removed: [
        { id: '8', name: 'node8', left: true, heardBy: ['0', '1'] },
        { id: '9', name: 'node9', left: false, heardBy: ['0'] },
      ],
    }));
    const { stdout } = await daemon.cli('domain', 'show', 'd');
    expect(stdout).toMatch(/^node0 \(founder\) +this node +0$/m);
    expect(stdout).toMatch(/^node1 +away +3h +192\.0\.2\.1 +1$/m);
    expect(stdout).toContain('! node1: its clock is 5 minutes behind');
    expect(stdout).toMatch(/^REMOVED .*\nnode9 +9 +everybody but node1\n\nLEFT .*\nnode8 +8 +everybody\n$/m);
  });

  it.each([
    ['this node; not heard since this daemon started: node1, node2', {}],
    ['all others; not heard since this daemon started: node1', { node2: ['9'] }],
    ['all others but node2; not heard since this daemon started: node1', { node2: [] }],
    ['everybody', { node1: ['9'], node2: ['9'] }],
  ])('show tells who does not know of a removal apart from who was not heard: %s', async (expected, told: Record<string, string[]>) => {
    const peers = ['node0', 'node1', 'node2'].map((name) => ({
      id: name,
      displayName: name,
      self: name === 'node0',
      heardRemovals: told[name],
    }));
    const heardBy = ['node0', ...Object.keys(told).filter((name) => told[name]?.includes('9'))];
    daemon.script('GET', /\/dtdomains\/d\/members$/, () => ({ name: 'd', peers, removed: [{ id: '9', name: 'node9', heardBy }] }));
    expect((await daemon.cli('domain', 'show', 'd')).stdout).toContain(` ${expected}\n`);
  });

  it.each([
    [['revoke', 'd', 'abc'], 'DELETE', 'invites/abc', undefined],
    [['leave', 'd', '--force'], 'POST', 'leave', { force: true }],
    [['free-name', 'd', 'node9'], 'POST', 'names/node9/free', undefined],
    [['clear', 'd', 'ca77'], 'POST', 'clear/ca77', undefined],
    [['root', 'import', 'd', 'key'], 'POST', 'root/import', { rootKey: 'key' }],
    [['root', 'rotate', 'd', 'key'], 'POST', 'root/rotate', { recoveryKey: 'key' }],
    [['root', 'export', 'd'], 'POST', 'root/export', undefined],
  ])('%j asks for it', async (args, method, path, body) => {
    daemon.script(method, /\/dtdomains\/d\/(invites|leave|names|clear|root)/, () => ({ rootKey: 'the-root', recoveryKey: 'the-next' }));
    const { code, stdout } = await daemon.cli('domain', ...args);
    expect(code).toBe(0);
    expect(daemon.asked.at(-1)).toMatchObject({
      method,
      path: `/apis/sid.sightlineinnovation.com/v1/namespaces/default/dtdomains/d/${path}`,
    });
    expect(lastBody()).toEqual(body);
    if (args[1] === 'rotate') expect(stdout).toContain('the-next');
    if (args[1] === 'export') expect(stdout).toBe('the-root\n');
  });

  it('members are named as they are shown, where that says which', async () => {
    const [one, two, three] = ['1', '2', '3'].map((digit) => digit.repeat(32)) as [string, string, string];
    daemon.put(dtPeerKind, one, { name: 'site-c.dtkd.local', dtDomain: 'd' });
    daemon.put(dtPeerKind, two, { name: 'site-d.dtkd.local', dtDomain: 'd' });
    daemon.put(dtPeerKind, three, { name: 'site-d.dtkd.local', dtDomain: 'e' });
    expect((await daemon.cli('get', 'dtpeer', 'site-c', '-o', 'json')).stdout).toContain(one);
    expect((await daemon.cli('describe', 'dtpeer/site-c.dtkd.local')).stdout).toContain(one);
    expect(await daemon.cli('delete', 'dtpeer', 'site-d')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining(`Say which: ${two} (in d), ${three} (in e).`),
    });
    expect((await daemon.cli('delete', 'dtpeer', 'site')).code).toBe(5);
    daemon.asked.length = 0;
    expect((await daemon.cli('delete', 'dtpeer', 'site-c')).stdout).toContain(`/${one} deleted`);
    expect(daemon.writes()).toEqual([`DELETE /apis/sid.sightlineinnovation.com/v1/namespaces/default/dtpeers/${one}`]);
  });

  it('ls lists the domains', async () => {
    daemon.put(dtDomainKind, 'd', { status: 'Joining', peers: [], message: 'joining through 192.0.2.1' });
    expect((await daemon.cli('domain', 'ls', '-o', 'wide')).stdout).toContain('joining through 192.0.2.1');
  });

  it('show, invite and invites take the only domain that there is, and ask which of several', async () => {
    const named = (...names: string[]) =>
      daemon.script('GET', /\/dtdomains$/, () => ({ items: names.map((name) => ({ metadata: { name } })) }));
    daemon.script('POST', /\/dtdomains\/only\/invites$/, () => invite());
    daemon.script('GET', /\/dtdomains\/only\/invites$/, () => ({ items: [] }));
    daemon.script('GET', /\/dtdomains\/only\/members$/, () => ({ name: 'only', state: 'Ready', members: [], removed: [] }));
    named('only');
    expect((await daemon.cli('domain', 'invite', '-q')).stdout).toBe('the-token\n');
    expect((await daemon.cli('domain', 'invites')).stderr).toContain('There are no invites for only');
    expect((await daemon.cli('domain', 'show')).stdout).toMatch(/^Name: +only$/m);
    named('a', 'b');
    expect(await daemon.cli('domain', 'show')).toMatchObject({
      code: 2,
      stderr: 'error: this node is in 2 domains\nnext: Say which: a, b.\n',
    });
    named();
    expect(await daemon.cli('domain', 'invite')).toMatchObject({ code: 5, stderr: expect.stringContaining('dtkd domain create NAME') });
  });
});
