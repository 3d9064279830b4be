import { describe, expect, it } from 'vitest';
import type { CheckupFacts, DomainFacts } from '../../daemon/src/checkup/checkup.types.ts';
import { judge } from '../../daemon/src/checkup/judging.ts';
import { type CheckState, checkup } from '../../protocol/requests/checkup.ts';
import { DAY_MS, domain, facts, NOW, peer } from './facts.ts';

const MIB = 1024 * 1024;
const HOUR_MS = 60 * 60 * 1000;

/** What of the report is not fine, or everything about one thing. */
function found(more: Partial<CheckupFacts>, about?: string): [string, CheckState, string][] {
  return judge(facts(more))
    .filter(({ check, state }) => (about === undefined ? state !== 'ok' : check.startsWith(about)))
    .map(({ check, state, finding }) => [check, state, finding]);
}

const inDomain = (more: Partial<DomainFacts>): Partial<CheckupFacts> => ({ domains: [domain(more)] });

describe('a node of which all is well', () => {
  it('has nothing to do, and each check says what it found', () => {
    const findings = judge(facts());
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(findings.length).toBeGreaterThan(12);
    expect(checkup.safeParse({ node: 'node0', version: '1.2.3', findings }).success).toBe(true);
  });

  it('has no finding about what could not be looked at', () => {
    const less = { disk: undefined, notReady: undefined, certificates: undefined, apps: undefined, suffix: undefined };
    expect(found(less)).toEqual([]);
  });
});

describe('findings about members', () => {
  it.each<[string, Partial<CheckupFacts>, [string, CheckState, string][]]>([
    [
      'away for a while, with why',
      inDomain({ peers: [peer('node1', { reach: 'away', since: NOW - 300_000, failure: 'nothing answers at 192.0.2.1' })] }),
      [['peer plant/node1', 'warning', 'node1 is away for 5m: nothing answers at 192.0.2.1']],
    ],
    [
      'away for days',
      inDomain({ peers: [peer('node1', { reach: 'away', since: NOW - 3 * DAY_MS })] }),
      [['peer plant/node1', 'problem', 'node1 is away for 3d']],
    ],
    [
      'of a version that does not fit, once, and is not to be removed',
      inDomain({ peers: [peer('node1', { misfit: true, reach: 'away', conditions: ['It runs another version of dtkd.'] })] }),
      [['peer plant/node1', 'warning', 'It runs another version of dtkd.']],
    ],
    [
      'connected and silent',
      inDomain({ silent: [{ peer: 'node1', why: 'it took too long' }] }),
      [['peer plant/node1', 'warning', 'node1 is connected, but did not answer when it was asked: it took too long']],
    ],
    [
      'whose connections are lost all the time, which do not hang',
      inDomain({
        peers: [peer('node1', { lost: { times: 6, withinMs: 600_000 } }), peer('node2', { lost: { times: 40, withinMs: 600_000 } })],
        silent: [{ peer: 'node1', why: 'the connection to the peer was lost' }],
      }),
      [['unsteady plant', 'warning', 'in the last 10m connections were lost again and again with node2 (40 times), node1 (6 times)']],
    ],
    [
      'only relayed',
      inDomain({ peers: [peer('node1', { path: 'relayed' }), peer('node2')] }),
      [['relayed plant', 'warning', 'node1 is reached through other members only, which is slower']],
    ],
    [
      'only relayed, since large packets are lost on the direct way',
      inDomain({ peers: [peer('node1', { path: 'relayed', failure: 'they are lost', advice: 'a smaller MTU' }), peer('node2')] }),
      [['relayed plant/node1', 'warning', 'node1 is reached through other members only: they are lost']],
    ],
    [
      'suspended, once',
      inDomain({ peers: [peer('node1', { suspended: true, reach: 'away', conditions: ['Suspended: its log forked.'] })] }),
      [['peer plant/node1', 'problem', 'node1 is suspended: its log forked, as if two daemons ran with one key']],
    ],
    [
      'of a name that several claim',
      inDomain({ peers: [peer('node1', { conditions: ['Several members claim the name "node1"'] })] }),
      [['peer plant/node1', 'warning', 'Several members claim the name "node1"']],
    ],
    [
      'shown under another name',
      inDomain({ peers: [peer('node1-a1b2c3', { claimedName: 'node1' })] }),
      [
        [
          'name plant/node1-a1b2c3',
          'warning',
          'a member that calls itself node1 is shown as node1-a1b2c3, because another node has that name',
        ],
      ],
    ],
    [
      'none',
      inDomain({ peers: [] }),
      [['peers plant', 'warning', 'this node is the only member, so nothing of the domain is kept elsewhere']],
    ],
  ])('%s', (_, more, expected) => expect(found(more)).toEqual(expected));

  it.each<[string, Partial<DomainFacts>, RegExp]>([
    ['with the root key', {}, /machine\. If it will not come back, remove it for good: dtkd delete dtpeer node1-id\.$/],
    ['without it', { holdsRoot: false }, /machine\. If it will not come back, remove it for good on node0: dtkd delete dtpeer node1-id\.$/],
    ['while the founder is away', { holdsRoot: false, founder: 'node1' }, /is open to this machine\.$/],
  ])('that are away say who can remove them, %s', (_, more, next) => {
    const [away] = judge(facts(inDomain({ ...more, peers: [peer('node1', { reach: 'away' })] }))).filter(({ state }) => state !== 'ok');
    expect(away?.next).toMatch(next);
  });

  it.each([
    ['1.2.3', '2.0.0', 'Upgrade this node to 2.0.0.'],
    ['2.0.0', '1.9.9', 'Upgrade node1 to 2.0.0.'],
    ['0.1.0', '0.2.0', 'Upgrade this node to 0.2.0.'],
    ['1.2.3', '1.9.0', undefined],
    ['0.2.1', '0.2.9', undefined],
    ['1.2.3', 'from-a-fork', undefined],
  ])('of version %s with a member of %s', (version, theirs, next) => {
    const findings = judge(facts({ version, domains: [domain({ peers: [peer('node1', { version: theirs })] })] }));
    expect(findings.find(({ check }) => check === 'version plant/node1')?.next).toBe(next);
  });
});

describe('clocks', () => {
  const probe = (name: string, offsetMs: number, boundMs = 20) => ({ peer: name, offsetMs, boundMs, tried: undefined });

  it('are judged by what they are wrong at least', () => {
    expect(found(inDomain({ probes: [probe('node1', 400_000, 60), probe('node2', 10)] }))).toEqual([
      ['clock plant/node1', 'problem', 'the clock of node1 is 6m39s ahead of this one'],
    ]);
    expect(found(inDomain({ probes: [probe('node1', -8_000, 60)] }))).toEqual([
      ['clock plant/node1', 'warning', 'the clock of node1 is 7s behind this one'],
    ]);
    // a slow line says nothing
    expect(found(inDomain({ probes: [probe('node1', 30_000, 29_000)] }))).toEqual([]);
  });

  it('of most others against this one are taken for right', () => {
    const probes = [probe('node1', 70_000), probe('node2', 71_000), probe('node3', 0)];
    const [first] = judge(facts(inDomain({ probes }))).filter(({ state }) => state === 'problem');
    expect(first?.next).toMatch(/^Correct the clock of this machine/);
  });
});

describe('where this node is reached', () => {
  const said = (name: string, ...tried: [string, boolean][]) => ({
    peer: name,
    offsetMs: 0,
    boundMs: 5,
    tried: tried.map(([address, reached]) => ({ address, reached })),
  });

  it('is a problem if nobody reached it anywhere and somebody is away, and fine if one did somewhere', () => {
    const probes = [said('node1', ['10.0.0.1:7701', false])];
    const nowhere = 'node1 could reach this node at none of its addresses: 10.0.0.1:7701';
    const away = inDomain({ probes, peers: [peer('node1'), peer('node2', { reach: 'away' })] });
    expect(found(away, 'reach')).toEqual([['reach plant', 'problem', nowhere]]);
    expect(found(inDomain({ probes }))).toEqual([
      ['reach plant', 'warning', `${nowhere}; nobody is away, since it connects to the others itself`],
    ]);
    const somewhere = inDomain({
      probes: [said('node1', ['10.0.0.1:7701', false], ['203.0.113.1:7701', false]), said('node2', ['203.0.113.1:7701', true])],
    });
    expect(found(somewhere, 'reach')).toEqual([
      [
        'reach plant',
        'ok',
        'node1, node2 reached this node at 203.0.113.1:7701; not at 10.0.0.1:7701, which may be addresses inside this site only',
      ],
    ]);
  });

  it.each([
    ['203.0.113.1', '203.0.113.1:7701'],
    ['203.0.113.1:8000', '203.0.113.1:8000'],
    ['2001:db8::1', '[2001:db8::1]:7701'],
  ])('is wrong if %s is announced and nobody reached it', (announce, address) => {
    const probes = [said('node1', [address, false], ['10.0.0.1:7701', true])];
    expect(found(inDomain({ probes, announce: [announce] }))).toEqual([
      ['reach plant', 'warning', `node1 reached this node at 10.0.0.1:7701, but not at ${address}, which it announces`],
    ]);
  });

  it('is not known if nobody could be asked', () => {
    expect(found({}, 'reach')).toEqual([['reach plant', 'ok', 'not known: no connected member could be asked to try']]);
  });

  it('is nowhere else if the port is open on a loopback address', () => {
    expect(found(inDomain({ host: '127.0.0.1' }))).toEqual([
      ['domain plant', 'warning', 'its port 7701 is open on 127.0.0.1 only, where no other machine reaches it'],
    ]);
  });
});

describe('findings about domains', () => {
  const invite = { id: 'abcd', uses: 2, used: 1, expires: NOW - 1, revoked: false };

  it.each<[string, Partial<CheckupFacts>, [string, CheckState, string][]]>([
    ['failed', inDomain({ state: 'Failed', message: 'no' }), [['domain plant', 'problem', 'Failed: no']]],
    [
      'of which this node is no longer a member, and nothing of its members',
      inDomain({
        state: 'Removed',
        message: 'left',
        port: undefined,
        peers: [peer('node1-a1b2c3', { claimedName: 'node1', reach: 'away' })],
      }),
      [['domain plant', 'problem', 'Removed: left']],
    ],
    ['joining', inDomain({ state: 'Joining' }), [['domain plant', 'warning', 'Joining']]],
    ['without a port', inDomain({ port: undefined }), [['domain plant', 'problem', 'its port could not be opened']]],
    ['ready, with a message', inDomain({ message: 'waits' }), [['domain plant', 'problem', 'waits']]],
    [
      'with an invite that has expired',
      inDomain({ invites: [invite, { ...invite, id: 'used', used: 2 }, { ...invite, id: 'revoked', revoked: true }] }),
      [['invites plant', 'warning', 'an invite has expired before all who were invited had joined: abcd']],
    ],
    [
      'with logs behind',
      inDomain({
        behind: [
          { author: 'node1', entries: 3 },
          { author: 'node2', entries: 0 },
        ],
      }),
      [['logs plant', 'warning', 'entries that members mentioned are not here yet: 3 of node1']],
    ],
  ])('%s', (_, more, expected) => expect(found(more)).toEqual(expected));
});

describe('findings about machine and program', () => {
  const memory = facts().machine.memory;
  const machine = facts().machine;
  const disk = facts().disk as NonNullable<CheckupFacts['disk']>;
  const suffix = facts().suffix as NonNullable<CheckupFacts['suffix']>;

  it.each<[string, Partial<CheckupFacts>, [string, CheckState]]>([
    ['a full disk', { disk: { ...disk, freeBytes: MIB } }, ['disk', 'problem']],
    ['a disk that fills', { disk: { ...disk, freeBytes: 100 * MIB } }, ['disk', 'warning']],
    ['no inodes', { disk: { ...disk, freeInodes: 10 } }, ['disk', 'problem']],
    ['a store that takes no writes', { notReady: [{ name: 'store', reason: 'no space' }] }, ['ready store', 'problem']],
    ['a busy machine', { machine: { ...machine, lagMs: 400 } }, ['load', 'warning']],
    ['a limit of memory', { machine: { ...machine, memory: { ...memory, limit: 210 * MIB } } }, ['memory', 'problem']],
    ['a full heap', { machine: { ...machine, memory: { ...memory, heapUsed: 1_950 * MIB } } }, ['memory', 'problem']],
    ['no network', { machine: { ...machine, families: { ipv4: false, ipv6: false } } }, ['network', 'warning']],
    ['no multicast', { multicast: { works: false, error: 'ENODEV' } }, ['mdns', 'warning']],
    ['an unknown suffix', { suffix: { ...suffix, name: 'app.node0.apps.example', addresses: [], error: 'ENOTFOUND' } }, ['dns', 'problem']],
    ['a suffix that leads elsewhere', { suffix: { ...suffix, addresses: ['203.0.113.9'] } }, ['dns', 'warning']],
    ['an expired certificate', { certificates: [{ name: 'API', begins: NOW - DAY_MS, expires: NOW - 1 }] }, ['certificate API', 'problem']],
    [
      'a certificate of the future',
      { certificates: [{ name: 'API', begins: NOW + 1, expires: NOW + 300 * DAY_MS }] },
      ['certificate API', 'problem'],
    ],
    [
      'a certificate that expires soon',
      { certificates: [{ name: 'API', begins: NOW - DAY_MS, expires: NOW + DAY_MS }] },
      ['certificate API', 'warning'],
    ],
    ['a clock that was set back', { clock: ['the clock of this machine was set back'] }, ['clock set back', 'problem']],
    ['a contradicted audit log', { audit: { ...facts().audit, conditions: ['node1 shows another past'] } }, ['audit', 'problem']],
    ['audit lines that were lost', { audit: { ...facts().audit, lost: 2 } }, ['audit', 'problem']],
    ['no witness for hours', { audit: { ...facts().audit, unpublished: 9, publishedAt: NOW - 5 * HOUR_MS } }, ['audit', 'warning']],
    [
      'an app without endpoints',
      { apps: [{ name: 'wiki', status: 'NoEndpoints', message: 'x', answers: undefined }] },
      ['app wiki', 'problem'],
    ],
    [
      'an app that does not answer',
      { apps: [{ name: 'wiki', status: 'Ready', message: undefined, answers: false }] },
      ['app wiki', 'problem'],
    ],
    ['orders that are held', { orders: { held: 2, firstExpiry: NOW + HOUR_MS, waiting: 0 } }, ['orders', 'warning']],
  ])('%s', (_, more, [check, state]) => {
    const findings = judge(facts(more)).filter((one) => one.state !== 'ok');
    expect(findings.map((one) => [one.check, one.state])).toEqual([[check, state]]);
    expect(findings[0]?.next).toMatch(/\S/);
  });

  it.each([
    ['[2001:db8::1]:7701', { ipv4: true, ipv6: false }, 'this machine has no IPv6, and node1 is known only by such an address'],
    ['203.0.113.1:7701', { ipv4: false, ipv6: true }, 'this machine has no IPv4, and node1 is known only by such an address'],
  ])('an absent member at %s, and no such family', (address, families, expected) => {
    const peers = [peer('node1', { reach: 'away', address })];
    expect(found({ ...inDomain({ peers }), machine: { ...machine, families } }, 'network')).toEqual([['network', 'warning', expected]]);
  });

  it.each<[string, Partial<CheckupFacts>, string, RegExp]>([
    ['no route for multicast', { multicast: { works: false, error: 'ENODEV' } }, 'mdns', /^Give multicast a route \(ip route add /],
    ['multicast that is not allowed', { multicast: { works: false, error: 'EPERM' } }, 'mdns', /^Allow UDP port 5353 /],
    [
      'an audit log of another node',
      { audit: { ...facts().audit, conditions: ['node1 shows another past'] } },
      'audit',
      / on the node whose log it is\.$/,
    ],
  ])('say of %s what helps', (_, more, check, next) => {
    expect(judge(facts(more)).find((finding) => finding.check === check)?.next).toMatch(next);
  });

  it('leave a suffix below localhost to browsers, and turned off mDNS alone', () => {
    const calm = { suffix: { ...suffix, addresses: [], error: 'ENOTFOUND' }, multicast: undefined };
    expect(found(calm)).toEqual([]);
  });
});
