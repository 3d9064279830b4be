/**
 * Makes plans of converging: from files to steps, or to violations. Changes nothing, except that it records the ends of earlier
 * commands that it learns of.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ConvergeRequest, ServicePlanAnswer } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import { expand } from '../desired/expand.ts';
import { planConverge } from '../desired/plan/plan-converge.ts';
import { serviceDifferences } from '../files/differences.ts';
import type { ReadFiles } from '../files/files.types.ts';
import type { AppliedResource, Desired, Difference, Plan, PlannedStep, ServiceFiles, Violation } from '../instances.types.ts';
import { appsOf } from '../service-apps/app-rows.ts';
import { type AppPlan, planApps } from '../service-apps/app-steps.ts';
import type { ConvergePorts } from './converge.types.ts';
import { type Instance, instanceOf, instanceRef } from './instance-object.ts';
import { mergedDifferences, planAnswerOf, violated } from './plan-answer.ts';
import { worldOf } from './world.ts';

/** Files that a plan is made from: of the work tree or of a commit. */
export interface Source extends ReadFiles {
  /** Differences of these files from the last commit. */
  edited: readonly Difference[];
}

export interface Planned {
  instance: Instance;
  files: ServiceFiles;
  desired: Desired;
  applied: ReadonlyMap<string, AppliedResource>;
  plan: Plan;
  apps: AppPlan;
  /** Steps of the plan followed by those of the apps. */
  steps: readonly PlannedStep[];
  edited: readonly Difference[];
  answer: ServicePlanAnswer;
}

/** Errors: NOT_FOUND. */
export async function findInstance({ store, node }: Pick<ConvergePorts, 'store' | 'node'>, name: string): Promise<Instance> {
  const found = instanceOf(await store.get(instanceRef(node, name)));
  if (found !== undefined) return found;
  throw new DtkdError('NOT_FOUND', `there is no service "${name.slice(0, 80)}" on ${node}`, {
    next: 'See those that are there with "dtkd service ls".',
  });
}

/** The work tree as a source. */
export async function workingSource(
  { files }: Pick<ConvergePorts, 'files'>,
  name: string,
): Promise<Source & { head: string; changed: boolean }> {
  const working = await files.working(name);
  const changed = working.changes.length > 0;
  const edited = changed ? await differencesBetween(await files.at(name, working.head), working) : [];
  return { ...working, edited, changed };
}

/** Differences by kind. Empty if either side cannot be read. */
export async function differencesBetween(before: ReadFiles, after: ReadFiles): Promise<Difference[]> {
  return before.files === undefined || after.files === undefined ? [] : serviceDifferences(before.files, after.files);
}

/** Expands files, and collects all violations. `desired` undefined: they cannot be read. `asker`: as in `worldOf`. */
export async function expandSource(
  ports: ConvergePorts,
  source: ReadFiles,
  applied: ReadonlyMap<string, AppliedResource>,
  asker?: Principal,
): Promise<{ desired: Desired | undefined; violations: Violation[] }> {
  if (source.files === undefined) return { desired: undefined, violations: [...source.violations] };
  const { desired, violations } = await expand(source.files, worldOf(ports, applied, asker));
  const seen = new Set(source.violations.map(({ kind, where }) => `${kind} ${where}`));
  // reading has already reported every missing or unsound module, in more detail
  const told = ({ kind, where }: Violation): boolean => seen.has(`${kind} ${where}`) || (kind === 'MISSING_MODULE' && seen.size > 0);
  return { desired, violations: [...source.violations, ...violations.filter((one) => !told(one))] };
}

/** Errors: NOT_FOUND; VIOLATIONS, with all of them in the details. */
export async function planOf(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  source: Source,
  request: Pick<ConvergeRequest, 'threads'>,
): Promise<Planned> {
  const instance = await findInstance(ports, name);
  const applied = await ports.tasks.applied(name);
  const { desired, violations } = await expandSource(ports, source, applied, principal);
  if (desired === undefined || source.files === undefined || violations.length > 0) throw violated(name, violations);
  const known = await ports.nodes.members();
  const plan = planConverge(desired, applied, { threads: request.threads, nodes: known });
  const apps = planApps(
    ports,
    { instance: name, principal },
    { wanted: desired.apps, made: await appsOf(ports.store.kv, name), before: plan.steps, nodes: known },
    (resource) => (desired.resources.get(resource) ?? applied.get(resource))?.component,
  );
  const steps = [...plan.steps, ...apps.steps];
  const differences = mergedDifferences(source.edited, plan.differences);
  const answer = planAnswerOf({ steps, unchanged: plan.unchanged, differences, notes: silentNotes(plan, desired), tree: source.tree.id });
  return { instance, files: source.files, desired, applied, plan, apps, steps, edited: source.edited, answer };
}

/** Notes on types without a create command, which may have been forgotten: their steps succeed without running anything. */
function silentNotes({ steps }: Plan, desired: Desired): string[] {
  const types = new Map<string, string[]>();
  for (const { work } of steps) {
    if (work === undefined || work.command !== undefined || (work.act !== 'create' && work.act !== 'converge')) continue;
    const type = desired.resources.get(work.resource)?.type ?? 'its type';
    types.set(type, [...(types.get(type) ?? []), work.resource]);
  }
  return [...types].map(
    ([type, names]) => `${type} has no create command: nothing is run for ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`,
  );
}
