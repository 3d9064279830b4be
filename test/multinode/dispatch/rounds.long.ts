/**
 * Two hundred commands while wires are cut and daemons die, at random moments: no command is started twice anywhere, and no outcome is
 * another than what the command itself wrote. The seed is printed, so that a failure can be run again.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { connected, formDomain } from '../../harness/domain.ts';
import { type Network, networkMissing } from '../../harness/network.ts';
import { randomFrom } from '../../harness/random.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';
import { allow, DOMAIN, deploy, type Field, makeType, marked, partsOf, phaseOf, start } from './field.ts';

const ROUNDS = Number(process.env['DTKD_TEST_ROUNDS'] ?? 200);
const SEED = Number(process.env['DTKD_TEST_SEED'] ?? Date.now() % 1_000_000);
const stage = useStage({ story: true });
const why = networkMissing();

describe.skipIf(why !== undefined)(`${ROUNDS} rounds with seed ${SEED}${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  const random = randomFrom(SEED);
  let network: Network;
  let field: Field;
  let targets: Site[];

  beforeAll(async () => {
    network = await stage.current.network({ segments: { here: ['home'], there: ['a', 'b'] }, cables: [['here', 'there']] });
    const sites = await Promise.all(['home', 'a', 'b'].map((name) => stage.current.start({ name, inside: network.inside(name) })));
    const [home, ...others] = sites;
    if (home === undefined) throw new Error('no home');
    await formDomain(DOMAIN, sites);
    const ops = await addUser(home, 'ops');
    for (const site of sites) await allow(site, home, ops);
    field = { sites, home, ops, marks: stage.current.directory };
    targets = others;
    await makeType(field, 'Job', {
      Work: {
        options: { round: { required: true }, ms: { type: 'integer', required: true }, status: { type: 'integer', required: true } },
        script: {
          inline: `echo "start $DTKD_OPTION_ROUND $DTKD_NODE" >> '${field.marks}/rounds'
sleep "$(printf '0.%03d' "$DTKD_OPTION_MS")"
echo "said $DTKD_OPTION_ROUND"
echo "end $DTKD_OPTION_ROUND $DTKD_NODE $DTKD_OPTION_STATUS" >> '${field.marks}/rounds'
exit "$DTKD_OPTION_STATUS"`,
        },
      },
    });
    await deploy(field, 'Job', 'job', targets);
  });

  /** How often a target's daemon was killed. */
  let kills = 0;

  async function killAndStart(victim: Site | undefined, between: () => Promise<unknown> = async () => undefined): Promise<void> {
    kills += 1;
    await victim?.kill9();
    await between();
    await victim?.start();
  }

  /** What goes wrong in a round; resolves once it is mended. */
  const troubles: readonly (() => Promise<void>)[] = [
    async () => undefined,
    async () => {
      await network.cut('here', 'there');
      await network.heal('here', 'there');
    },
    () => killAndStart(targets[random(targets.length)]),
    async () => {
      await field.home.kill9();
      await field.home.start();
    },
    async () => {
      const victim = targets[random(targets.length)];
      await network.cut('here', 'there');
      await killAndStart(victim, () => network.heal('here', 'there'));
    },
  ];

  it('start nothing twice, and tell every outcome as it was', async () => {
    const rounds: { id: string; round: number; status: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const status = random(3) === 0 ? 1 + random(100) : 0;
      const trouble = troubles[random(troubles.length)];
      const early = random(2) === 0;
      // most rounds begin with all that there is, some with what the last one has left
      if (random(4) > 0) await connected(field.home, DOMAIN, field.sites);
      const request = {
        type: 'Job',
        resource: 'job',
        command: 'Work',
        options: { round: String(round), ms: String(random(400)), status: String(status) },
        filter: { include: ['.*'] },
        threads: 1 + random(2),
        keepGoing: true,
        timeout: '30s',
      };
      const mending = early ? trouble?.() : undefined;
      // a starter that dies meanwhile has started nothing that is known, or something: the marks tell
      const id = await start(field.ops, request).catch(() => undefined);
      await (early ? mending : trouble?.());
      if (id !== undefined) rounds.push({ id, round, status });
    }
    const settled = async ({ id }: { id: string }) =>
      (await phaseOf(field.ops, id)) === 'Finished' && ![...(await partsOf(field.ops, id)).values()].some(({ state }) => state !== 'ended');
    for (const one of rounds) await waitFor(() => settled(one), { what: `round ${one.round} to be settled`, timeoutMs: 180_000 });

    const lines = await marked(field, 'rounds');
    expect(new Set(lines).size, 'each line once').toBe(lines.length);
    const counts = new Map<string, number>();
    for (const { id, round, status } of rounds) {
      for (const [node, part] of await partsOf(field.ops, id)) {
        const what = `round ${round} on ${node}: ${JSON.stringify(part)}`;
        const started = lines.includes(`start ${round} ${node}`);
        const ended = lines.includes(`end ${round} ${node} ${status}`);
        if (part.outcome === 'succeeded') expect(ended && status === 0, what).toBe(true);
        else if (part.outcome === 'failed') expect(ended && status !== 0 && part.exitStatus === status, what).toBe(true);
        // all daemons run and all wires are whole in the end: what stays unknown was about to start as its daemon was killed, which a directory that was made for it may hide
        else if (part.outcome === 'unknown' && started) expect(part.reason, what).toMatch(/ended as this was about to start/);
        else if (part.outcome === 'unknown')
          expect(part.reason, what).toMatch(/ended as this was about to start|it is not known how it ended/);
        else expect(started, what).toBe(false);
        counts.set(part.outcome ?? part.state, (counts.get(part.outcome ?? part.state) ?? 0) + 1);
      }
    }
    // each kill leaves at most what its node was about to start, mostly nothing and seldom more than one part; and most must have run
    const count = (outcome: string): number => counts.get(outcome) ?? 0;
    const told = JSON.stringify(Object.fromEntries(counts));
    expect(count('unknown'), told).toBeLessThanOrEqual(kills);
    expect(count('succeeded') + count('failed'), told).toBeGreaterThan(rounds.length);
  }, 1_500_000);
});
