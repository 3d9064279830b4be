// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of services, which the tested code fills in.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expand } from '../../../../daemon/src/catalog/instances/desired/expand.ts';
import { interpolate, interpolateBut, piecesOf } from '../../../../daemon/src/catalog/instances/desired/interpolation.ts';
import { isKnown, known } from '../../../../daemon/src/catalog/instances/desired/outcome.ts';
import { planConverge } from '../../../../daemon/src/catalog/instances/desired/plan/plan-converge.ts';
import { planDelete } from '../../../../daemon/src/catalog/instances/desired/plan/plan-delete.ts';
import type { AppliedResource, Desired, Plan, PlannedStep } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import { serviceFile } from '../../../../protocol/definitions/service-file.ts';
import { filesOf, rowOf, WEB, world } from './fixtures.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const name = fc.constantFrom(...NAMES);
const nodes = fc.constantFrom('self', 'tags=web', 'name=.*');
const placement = fc.oneof(
  fc.record({ nodes }),
  fc.record({ nodes, count: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constant('all')), together: fc.constant(true) }),
  fc.record({ nodes: fc.constant('tags=web'), count: fc.integer({ min: 0, max: 3 }) }),
);
const command = fc.constantFrom('restart', 'check', undefined);
const step = fc.record({ component: name, command, batch: fc.constantFrom('1', '50%', undefined) });
const workflow = fc.record({
  order: fc.constantFrom('sequential', 'concurrent', undefined),
  steps: fc.array(fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 3 }) }), { minLength: 1, maxLength: 5 }),
});

/** Services that are sound: each component is linked only to those before it. */
const sound = fc
  .record({
    components: fc.array(
      fc.record({
        on: placement,
        tier: fc.constantFrom('gold', 'silver', undefined),
        needs: fc.subarray(NAMES),
        gives: fc.boolean(),
        after: fc.subarray(NAMES),
      }),
      { minLength: 1, maxLength: NAMES.length },
    ),
    create: fc.option(workflow, { nil: undefined }),
    remove: fc.option(workflow, { nil: undefined }),
    order: fc.shuffledSubarray(NAMES, { minLength: NAMES.length }),
  })
  .map(({ components, create, remove, order }) => {
    const there = components.map((component, index) => {
      const own = order[index] ?? '';
      const before = order.slice(0, index);
      const links = Object.fromEntries(
        component.needs
          .filter((other) => before.includes(other))
          // one that gives is needed by what it is linked to, and so must need nothing that might need that
          .slice(0, component.gives ? 1 : NAMES.length)
          .map((other, at) => [
            `l${at}`,
            { to: other, ...(component.gives ? { give: { peers: 'resource.name' } } : { take: { peers: 'node.name' } }) },
          ]),
      );
      const tier = component.tier === undefined ? {} : { tier: component.tier };
      return [
        own,
        {
          type: 'Server',
          on: component.on,
          properties: tier,
          links,
          ...(component.gives ? {} : { after: component.after.filter((other) => before.includes(other)) }),
        },
      ] as const;
    });
    const names = there.map(([own]) => own);
    const kept = (key: string, one: typeof create): [string, object][] => {
      const steps = (one?.steps ?? []).map((group) => ({ steps: group.steps.filter(({ component }) => names.includes(component)) }));
      const full = steps.filter((group) => group.steps.length > 0);
      return full.length === 0 ? [] : [[key, { ...one, steps: full }]];
    };
    return { components: Object.fromEntries(there), workflows: Object.fromEntries([...kept('create', create), ...kept('delete', remove)]) };
  });

const NODES = ['node1', 'node2 web', 'node3 web', 'node4 web', 'node5'];

async function desiredIn(body: object, applied: Iterable<AppliedResource>): Promise<Desired> {
  const { desired, violations } = await expand(filesOf(body, WEB), world({ nodes: NODES, applied }));
  expect(violations).toEqual([]);
  return desired;
}

/** Runs steps in the order of `picks` until `most` have ended, as tasks do: what is kept is what rows say. Returns the commands that were run. */
function run(plan: Plan, desired: Desired, applied: Map<string, AppliedResource>, picks: readonly number[], most: number): string[] {
  const left = new Map(plan.steps.filter(({ work }) => work !== undefined).map((one) => [one.number, one]));
  const ran: string[] = [];
  for (let turn = 0; left.size > 0 && turn < most; turn++) {
    const ready = [...left.values()].filter(({ after }) => after.every((before) => !left.has(before)));
    const next = ready[(picks[turn % Math.max(picks.length, 1)] ?? 0) % Math.max(ready.length, 1)];
    if (next === undefined) throw new Error(`nothing can run: ${JSON.stringify([...left.values()])}`);
    left.delete(next.number);
    ran.push(`${next.work?.act} ${next.work?.command} ${next.work?.resource} ${next.work?.settles ?? ''}`);
    record(next, desired, applied);
  }
  return ran;
}

function record({ work }: PlannedStep, desired: Desired, applied: Map<string, AppliedResource>): void {
  if (work === undefined) return;
  const row = applied.get(work.resource);
  const resource = desired.resources.get(work.resource);
  if (work.act === 'delete') applied.delete(work.resource);
  else if (work.act === 'run') {
    if (row !== undefined && work.settles !== undefined)
      applied.set(work.resource, { ...row, due: row.due?.filter((one) => one !== work.settles) });
  } else if (resource !== undefined) {
    expect(row === undefined || row.node === resource.node).toBe(true);
    applied.set(work.resource, rowOf(resource, { due: work.due }));
  }
}

function stateOf(applied: ReadonlyMap<string, AppliedResource>): unknown {
  return Object.fromEntries([...applied].map(([key, { digest, node }]) => [key, { digest, node }]).sort());
}

const picks = fc.array(fc.nat(50), { minLength: 1, maxLength: 20 });

describe('any two states of a service', () => {
  it('are brought from one to the other in an order that needs allow, once, and from wherever it was interrupted', async () => {
    await fc.assert(
      fc.asyncProperty(sound, sound, picks, fc.nat(12), async (first, second, order, stop) => {
        const applied = new Map<string, AppliedResource>();
        for (const body of [first, second]) {
          const desired = await desiredIn(body, applied.values());
          const plan = planConverge(desired, applied);
          assertOrder(plan, desired, applied);
          const undisturbed = new Map(applied);
          const whole = run(plan, desired, undisturbed, [0], Number.POSITIVE_INFINITY);
          // interrupted once, and planned again from what the rows say
          const ran = run(plan, desired, applied, order, stop);
          const again = await desiredIn(body, applied.values());
          const rest = planConverge(again, applied);
          ran.push(...run(rest, again, applied, order, Number.POSITIVE_INFINITY));
          expect(stateOf(applied)).toEqual(stateOf(undisturbed));
          // what runs before something is brought up runs again if that was not reached
          const lasting = (one: string): boolean => !one.startsWith('run') || !one.endsWith(' ');
          expect(ran.filter(lasting).sort()).toEqual(whole.filter(lasting).sort());
          const settled = await desiredIn(body, applied.values());
          expect(planConverge(settled, applied)).toMatchObject({
            steps: [],
            acts: new Map(),
            differences: [],
          });
        }
      }),
      { numRuns: 150 },
    );
  });

  it('are taken down in the opposite order, wholly', async () => {
    await fc.assert(
      fc.asyncProperty(sound, picks, fc.nat(6), async (body, order, stop) => {
        const applied = new Map<string, AppliedResource>();
        const desired = await desiredIn(body, []);
        run(planConverge(desired, applied), desired, applied, order, Number.POSITIVE_INFINITY);
        const plan = planDelete(applied, desired.workflows['delete'], { workflows: desired.workflows });
        const at = new Map(plan.steps.map((one) => [one.number, one]));
        for (const { work, after } of plan.steps) {
          if (work?.act !== 'delete') continue;
          const before = new Set(after.map((one) => at.get(one)?.work?.resource));
          for (const row of applied.values()) if (row.needs.includes(work.resource)) expect(before).toContain(row.name);
        }
        run(plan, desired, applied, order, stop);
        run(
          planDelete(applied, desired.workflows['delete'], { workflows: desired.workflows }),
          desired,
          applied,
          order,
          Number.POSITIVE_INFINITY,
        );
        expect([...applied.keys()]).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

/** Everything can run, and what is needed is there before who needs it. */
function assertOrder(plan: Plan, desired: Desired, applied: ReadonlyMap<string, AppliedResource>): void {
  const done = new Set([...applied.keys()].filter((one) => !plan.acts.has(one)));
  const waiting = new Map(plan.steps.filter(({ work }) => work !== undefined).map((one) => [one.number, one]));
  const reach = new Map<string, Set<string>>();
  while (waiting.size > 0) {
    const ready = [...waiting.values()].filter(({ after }) => after.every((before) => !waiting.has(before)));
    expect(ready.length).toBeGreaterThan(0);
    for (const { number, after, work } of ready) {
      waiting.delete(number);
      const above = new Set(after.flatMap((before) => [before, ...(reach.get(before) ?? [])]));
      reach.set(number, above);
      if (work === undefined || (work.act !== 'create' && work.act !== 'converge')) continue;
      const up = [...above]
        .flatMap((one) => plan.steps.find((other) => other.number === one)?.work ?? [])
        .filter(({ act }) => act === 'create' || act === 'converge');
      for (const need of desired.resources.get(work.resource)?.needs ?? []) {
        expect(done.has(need) || up.some(({ resource }) => resource === need)).toBe(true);
      }
    }
  }
}

describe('whatever a service file says', () => {
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('${parameters.a}', '${target.x}', '${components.a.port}', 'x${parameters.b}', '$${', '${', '${options.x}'),
    fc.integer(),
    fc.boolean(),
    fc.array(fc.integer(), { maxLength: 3 }),
    fc.constant(null),
  );
  const end = fc.oneof(name, fc.constantFrom('target', 'other/a', 'shop/a'));
  const mapping = fc.dictionary(
    fc.constantFrom('port', 'peers', 'named', 'x'),
    fc.constantFrom('port', 'node.address', 'resource.name', 'component.name', 'y'),
    { maxKeys: 3 },
  );
  const component = fc.record(
    {
      type: fc.constantFrom('Server', 'Database', 'Rack', 'Base', 'Service', 'None'),
      properties: fc.dictionary(fc.constantFrom('port', 'tier', 'peers', 'password', 'size', 'other'), value, { maxKeys: 4 }),
      on: fc.oneof(
        fc.constantFrom('self', 'tags=web', 'x!', '${parameters.a}'),
        fc.record({ count: fc.oneof(fc.nat(5), fc.constantFrom('all', '${parameters.a}', 'x')), together: fc.boolean() }),
      ),
      parents: fc.uniqueArray(name, { maxLength: 2 }),
      links: fc.dictionary(fc.constantFrom('db', 'x'), fc.oneof(end, fc.record({ to: end, take: mapping, give: mapping })), { maxKeys: 2 }),
      after: fc.uniqueArray(name, { maxLength: 2 }),
    },
    { requiredKeys: ['type'] },
  );
  const body = fc.record(
    {
      role: fc.constant('target'),
      target: fc.constantFrom('prod', 'none', 'shop'),
      'target-kind': fc.constantFrom('hosts', 'cloud'),
      'parameter-rules': fc.dictionary(
        fc.constantFrom('a', 'b'),
        fc.record(
          {
            type: fc.constantFrom('string', 'port', 'array', 'secret'),
            default: value,
            required: fc.boolean(),
            pattern: fc.constantFrom('[', 'a+'),
          },
          { requiredKeys: [] },
        ),
        { maxKeys: 2 },
      ),
      parameters: fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { maxKeys: 2 }),
      components: fc.dictionary(name, component, { maxKeys: 4 }),
      apps: fc.dictionary(
        fc.constantFrom('app'),
        fc.record({ component: name, domains: fc.constantFrom(['acme'], ['${parameters.a}']), port: fc.constantFrom('port', 'x') }),
      ),
      offers: fc.dictionary(fc.constantFrom('nodes', 'o'), value),
      workflows: fc.dictionary(
        fc.constantFrom('create', 'delete', 'roll'),
        fc.oneof(
          workflow,
          fc.record({
            steps: fc.array(fc.record({ workflow: fc.constantFrom('create', 'roll', 'none') }), { minLength: 1, maxLength: 2 }),
          }),
        ),
        { maxKeys: 3 },
      ),
    },
    { requiredKeys: [] },
  );
  const around = world({
    nodes: NODES,
    targets: [{ name: 'prod', kind: 'hosts', offers: { x: 1, nodes: 'tags=web' } }],
    services: [
      {
        name: 'other',
        phase: 'Ready',
        resources: [{ name: 'a', component: 'a', node: 'node2', types: ['Database'], properties: { port: 1 }, secrets: [] }],
      },
    ],
  });

  it('is told what is wrong with it, each thing once, or is planned', async () => {
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const parsed = serviceFile.safeParse({
          dsl_version: '1.0',
          name: 'shop',
          module: 'acme/web',
          version: '1.0.0',
          assembly: 'x',
          ...text,
        });
        if (!parsed.success) return;
        const { desired, violations } = await expand(filesOf(text, WEB), around);
        expect(new Set(violations.map((one) => JSON.stringify(one))).size).toBe(violations.length);
        if (violations.length > 0) return;
        expect(planConverge(desired, new Map()).acts.size).toBe(desired.resources.size);
      }),
      { numRuns: 500 },
    );
  });
});

describe('references in texts', () => {
  const nothing = { resolve: () => 'unset' as const, fault: () => undefined };

  it('are found as they were put together, and escapes mean themselves', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const escaped = text.replaceAll('${', () => '$${');
        expect(piecesOf(escaped)).toEqual([{ text }]);
        expect(interpolate(escaped, nothing)).toEqual(known(text));
      }),
    );
  });

  it('that are filled in at two times come to the same', () => {
    const part = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '{', '}', '$') }).map((text) => text.replaceAll('${', () => '$${')),
      fc.constantFrom('${options.x}', '${parameters.y}'),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.string({ unit: fc.constantFrom('b', '$', '{', '}') }), (parts, value) => {
        const text = parts.join(' ');
        const resolve = () => known(value);
        const early = interpolateBut('options', text, { ...nothing, resolve });
        const late = isKnown(early) ? interpolate(early.value, { ...nothing, resolve }) : early;
        expect(late).toEqual(interpolate(text, { ...nothing, resolve }));
      }),
    );
  });
});
