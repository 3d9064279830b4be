/** Nine targets with nine different outcomes. Each is reported as it is, and a retry takes those that did not succeed. */
import { describe, expect, it } from 'vitest';
import { formDomain } from '../../harness/domain.ts';
import { networkMissing } from '../../harness/network.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import {
  allow,
  DOMAIN,
  deploy,
  type Field,
  makeType,
  mark,
  marked,
  ok,
  openGate,
  partsOf,
  phaseOf,
  shell,
  start,
  waitForGate,
} from './field.ts';

const stage = useStage();
const why = networkMissing();

const TARGETS = ['fine', 'wrong', 'unwilling', 'stopped', 'killed', 'resting', 'cut', 'flooding', 'hanging'] as const;
/** What each node does when it is told. */
const commandFor = (field: Pick<Field, 'marks'>): string => `
${mark(field, 'started')}
case "$DTKD_NODE" in
  wrong) exit 3 ;;
  killed) n=0; while [ $n -lt 240 ]; do sleep 1; n=$((n+1)); done ;;
  cut) echo before; ${waitForGate(field, 'cut')}; echo after ;;
  flooding) i=0; while [ $i -lt 60000 ]; do echo "line $i of a flood that nobody can read to its end"; i=$((i+1)); done ;;
  hanging) trap '' TERM; n=0; while [ $n -lt 240 ]; do sleep 1; n=$((n+1)); done ;;
esac`;

describe.skipIf(why !== undefined)(`nine targets${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  it('come to nine ends, and each is told as it is', async () => {
    const network = await stage.current.network({
      segments: { here: ['home', ...TARGETS.filter((name) => name !== 'cut')], there: ['cut'] },
      cables: [['here', 'there']],
    });
    const sites = await Promise.all(['home', ...TARGETS].map((name) => stage.current.start({ name, inside: network.inside(name) })));
    const byName = new Map(sites.map((site) => [site.name, site]));
    const at = (name: string): Site => {
      const site = byName.get(name);
      if (site === undefined) throw new Error(`no site ${name}`);
      return site;
    };
    const home = at('home');
    await formDomain(DOMAIN, sites);
    const ops = await addUser(home, 'ops');
    for (const site of sites) if (site.name !== 'unwilling') await allow(site, home, ops);
    await ok(at('unwilling'), 'policy', 'trust', 'home');
    await ok(at('flooding'), 'policy', 'set', 'output=1048576');
    await ok(at('resting'), 'node', 'maintain', 'on', '--reason', 'new disks');
    const field: Field = { sites, home, ops, marks: stage.current.directory };
    await makeType(field, 'Worker', { Work: shell(commandFor(field)) });
    await deploy(
      field,
      'Worker',
      'worker',
      TARGETS.map((name) => at(name)),
    );
    await waitFor(async () => (await home.get('node', 'resting'))?.['spec'] !== undefined, { what: 'home to hear of the maintenance' });
    await at('stopped').stop();

    const id = await start(ops, {
      type: 'Worker',
      resource: 'worker',
      command: 'Work',
      filter: { include: ['.*'] },
      threads: 16,
      keepGoing: true,
      // all that comes to an end by itself has to, also on a slow machine
      timeout: '90s',
    });
    await waitFor(async () => (await marked(field, 'started')).length === 6, { what: 'six targets to have started' });
    await at('killed').kill9();
    await network.cut('here', 'there');
    await openGate(field, 'cut');
    await waitFor(async () => (await partsOf(ops, id)).get('hanging')?.state === 'ended', { what: 'the deadline', timeoutMs: 300_000 });
    await network.heal('here', 'there');
    await waitFor(async () => (await phaseOf(ops, id)) === 'Finished', { what: 'the end', timeoutMs: 300_000 });

    const parts = await partsOf(ops, id);
    const outcomes = Object.fromEntries([...parts].map(([node, { outcome }]) => [node, outcome]));
    expect(outcomes).toEqual({
      fine: 'succeeded',
      wrong: 'failed',
      unwilling: 'refused',
      stopped: 'unreachable',
      killed: 'unknown',
      resting: 'skipped',
      cut: 'succeeded',
      flooding: 'succeeded',
      hanging: 'failed',
    });
    expect(parts.get('wrong')).toMatchObject({ exitStatus: 3 });
    expect(parts.get('unwilling')?.reason).toContain('EXECUTE');
    expect(parts.get('resting')?.reason).toContain('new disks');
    expect(parts.get('flooding')?.dropped).toBeGreaterThan(0);
    expect(parts.get('hanging')).toMatchObject({ code: 'DEADLINE' });
    expect((await marked(field, 'started')).sort()).toEqual(['cut', 'fine', 'flooding', 'hanging', 'killed', 'wrong']);

    const { stdout } = await ops.cli('executions', 'retry', id.slice(0, 12), '--dry-run', '-o', 'json');
    const retried = JSON.parse(stdout) as { targets: { node: string }[] };
    expect(retried.targets.map(({ node }) => node).sort()).toEqual(
      Object.entries(outcomes)
        .filter(([, outcome]) => outcome !== 'succeeded')
        .map(([node]) => node)
        .sort(),
    );
    const followed = await ops.cli('executions', 'follow', id);
    expect(followed.stdout).toContain('before');
    expect(followed.stdout).toContain('after');
    expect(followed.code).not.toBe(0);
  });
});
