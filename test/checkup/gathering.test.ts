import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type CheckupPorts, createCheckup } from '../../daemon/src/checkup/gathering.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { type DomainId, parseDomainId, parsePeerKey } from '../../protocol/ids.ts';
import { checkup } from '../../protocol/requests/checkup.ts';
import { domain, NOW, peer } from './facts.ts';

const id: DomainId = parseDomainId('ab'.repeat(32));

function ports(more: Partial<CheckupPorts> = {}, names: readonly string[] = ['node1', 'node2', 'node3', 'node4', 'node5']): CheckupPorts {
  const peers = names.map((name, index) => ({
    ...peer(name),
    displayName: name,
    self: false,
    key: parsePeerKey(String(index + 10).repeat(32)),
  }));
  return {
    node: 'node0',
    version: '1.2.3',
    directory: tmpdir(),
    suffix: 'dtkd.localhost',
    mdns: false,
    meshHost: undefined,
    announce: [],
    ingress: () => ({ host: '127.0.0.1' }),
    mesh: {
      domains: () => [{ ...domain(), id, founderName: 'node0', peers }],
      invites: async () => [],
      figures: async () => [],
      probe: async (_domain, _peer, { reach }) => ({
        offsetMs: 1,
        boundMs: 2,
        tried: reach ? [{ address: '192.0.2.9:7701', reached: true }] : undefined,
      }),
    },
    versions: async () => new Map([['node1', '1.2.3']]),
    apps: async () => [],
    clock: () => [],
    audit: () => ({ conditions: [], lost: 0, unpublished: 0, publishedAt: NOW }),
    orders: () => ({ held: 0, firstExpiry: undefined, waiting: 0 }),
    checks: [],
    certificates: async () => [],
    now: () => NOW,
    ...more,
  };
}

const never = (): Promise<never> => new Promise(() => {});

describe('a checkup', () => {
  it('asks all that are connected for their clock, and three to reach this node', async () => {
    const asked: boolean[] = [];
    const base = ports();
    const { findings } = await createCheckup({
      ...base,
      mesh: {
        ...base.mesh,
        probe(to, key, options) {
          asked.push(options.reach);
          return base.mesh.probe(to, key, options);
        },
      },
    })();
    expect(asked).toHaveLength(5);
    expect(asked.filter((reach) => reach)).toHaveLength(3);
    expect(findings.find(({ check }) => check === 'clock plant')?.finding).toBe('within 3 ms of the 5 connected that were asked');
  });

  it('ends though members, name servers and disks hang, and says what it could not find out', async () => {
    const base = ports({ lookMs: 50, apps: never, versions: never });
    const { findings } = await createCheckup({ ...base, mesh: { ...base.mesh, probe: never, invites: never, figures: never } })();
    const unknown = findings.filter(({ finding }) => finding.startsWith('it could not be found out'));
    expect(unknown.map(({ check }) => check).sort()).toEqual(['apps', 'invites plant', 'logs', 'versions']);
    const silent = findings.filter(({ check }) => check.startsWith('peer plant/')).map(({ finding }) => finding);
    expect(silent).toHaveLength(5);
    expect(silent[0]).toMatch(/ is connected, but did not answer when it was asked: it took longer than 50 ms$/);
    expect(findings.some(({ check }) => check === 'disk')).toBe(true);
  });

  it('takes a member that cannot be asked for nothing worse than that', async () => {
    const base = ports();
    const refuse = async (): Promise<never> => {
      throw new DtkdError('VERSION_TOO_OLD', 'unknown protocol');
    };
    const { findings } = await createCheckup({ ...base, mesh: { ...base.mesh, probe: refuse } })();
    expect(findings.filter(({ check }) => check.startsWith('clock') || check.startsWith('peer '))).toEqual([]);
    expect(findings.find(({ check }) => check === 'reach plant')?.state).toBe('ok');
  });

  it('answers with texts that fit, whatever members call themselves', async () => {
    const answer = await createCheckup(ports({ checks: [{ name: 'store', failing: async () => 'x'.repeat(10_000) }] }))();
    expect(checkup.safeParse(answer).success).toBe(true);
  });

  it('is made once for all who ask meanwhile', async () => {
    let looks = 0;
    const check = createCheckup(
      ports({
        apps: async () => {
          looks += 1;
          return [];
        },
      }),
    );
    const [one, other] = await Promise.all([check(), check()]);
    expect(other).toBe(one);
    await check();
    expect(looks).toBe(2);
  });
});
