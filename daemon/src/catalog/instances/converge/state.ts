/**
 * The state of an instance: what is staged, edited, applied and running. Reads only, except that it records the ends of earlier
 * commands that it learns of.
 */

import type { TaskFields } from '../../../../../protocol/kinds/task.ts';
import { toTimestamp } from '../../../../../protocol/objects/objects.ts';
import type { ServiceState } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import { planConverge } from '../desired/plan/plan-converge.ts';
import type { AppliedResource, Desired, Difference } from '../instances.types.ts';
import { appsOf } from '../service-apps/app-rows.ts';
import { fieldsOfTask, messageOf, taskRef } from '../tasks/task-object.ts';
import type { ConvergePorts } from './converge.types.ts';
import { differencesBetween, expandSource, findInstance, type Source, workingSource } from './planning.ts';

export async function stateOf(ports: ConvergePorts, principal: Principal, name: string): Promise<ServiceState> {
  const { tasks, store, node, apps } = ports;
  const { spec, status } = await findInstance(ports, name);
  const source = await workingSource(ports, name);
  const applied = await tasks.applied(name);
  const { desired, violations } = await expandSource(ports, source, applied, principal);
  const made = await appsOf(store.kv, name);
  const last = status.task === undefined ? undefined : await store.get(taskRef(node, status.task));
  const task = last === undefined ? undefined : fieldsOfTask(last);
  const message = task === undefined ? undefined : messageOf(task, status.phase === 'Ready' && status.applied === source.head);
  const { module, version, assembly, target, directory } = spec;
  return {
    name,
    node,
    phase: status.phase,
    module,
    version,
    assembly,
    ...(target === undefined ? {} : { target }),
    directory,
    head: source.head,
    ...(status.applied === undefined ? {} : { applied: status.applied }),
    edited: [...source.edited],
    // violations might make a plan impossible
    pending:
      desired === undefined || violations.length > 0
        ? []
        : [...planConverge(desired, applied, {}).differences, ...(await copiesPending(ports, name, status.applied, source))],
    violations: violations.map(({ next, ...rest }) => (next === undefined ? rest : { ...rest, next })),
    resources: resourcesOf(desired, applied, underWay(task)),
    apps: await Promise.all(
      made.map(async (app) => {
        const uri = await apps.uri(app.node, app.name);
        return { name: app.name, node: app.node, ...(uri === undefined ? {} : { uri }) };
      }),
    ),
    ...(task === undefined || status.task === undefined
      ? {}
      : {
          task: {
            name: status.task,
            title: task.spec.title,
            state: task.status.state,
            ...(message === undefined ? {} : { message }),
          },
        }),
  };
}

/**
 * How the module copies differ from the applied commit, if that is not the last one. Nothing else shows changed code of a resource whose
 * last command failed.
 */
async function copiesPending(
  { files }: Pick<ConvergePorts, 'files'>,
  name: string,
  applied: string | undefined,
  source: Source & { head: string },
): Promise<Difference[]> {
  if (applied === undefined || applied === source.head) return [];
  const before = await files.at(name, applied).catch(() => undefined);
  const differences = before === undefined ? [] : await differencesBetween(before, source);
  return differences.filter(({ kind }) => kind === 'module');
}

/** Resources for which a command is running. */
function underWay(task: TaskFields | undefined): ReadonlySet<string> {
  if (task?.status.state !== 'executing') return new Set();
  return new Set(task.status.steps.flatMap(({ state, resource }) => (state === 'executing' && resource !== undefined ? [resource] : [])));
}

function resourcesOf(
  desired: Desired | undefined,
  applied: ReadonlyMap<string, AppliedResource>,
  changing: ReadonlySet<string>,
): ServiceState['resources'] {
  const names = new Set([...(desired?.resources.keys() ?? []), ...applied.keys()]);
  return [...names].flatMap((name) => {
    const row = applied.get(name);
    const wanted = desired?.resources.get(name);
    const shown = row ?? wanted;
    if (shown === undefined) return [];
    const { component, type, node } = shown;
    const state =
      row === undefined
        ? 'new'
        : row.digest === undefined
          ? changing.has(name)
            ? 'changing'
            : 'broken'
          : applicable(row, wanted, desired);
    return [
      {
        name,
        component,
        type,
        node,
        state,
        ...(row === undefined ? {} : { at: toTimestamp(row.at) }),
        ...(row?.check === undefined ? {} : { check: { ...row.check, at: toTimestamp(row.check.at) } }),
      },
    ];
  });
}

function applicable(
  row: AppliedResource,
  wanted: { digest: string } | undefined,
  desired: Desired | undefined,
): ServiceState['resources'][number]['state'] {
  if (desired === undefined) return 'applied';
  if (wanted === undefined) return 'leaving';
  return wanted.digest === row.digest ? 'applied' : 'changed';
}
