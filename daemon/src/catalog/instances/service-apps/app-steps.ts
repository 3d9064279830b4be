/**
 * Plans apps as steps of a task: writes wanted apps that differ, on their nodes and on behalf of the principal, and removes the
 * others. The row of an app is written before the app, so that nothing that was begun is forgotten.
 */
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { ObjectStore } from '../../../store/object-store.types.ts';
import type { DesiredApp, Objects, PlannedStep } from '../instances.types.ts';
import type { OwnWork } from '../tasks/tasks.types.ts';
import { APP_KINDS, appDigest, appObjects } from './app-objects.ts';
import { type AppRow, dropApp, putApp } from './app-rows.ts';

export interface AppPlan {
  steps: PlannedStep[];
  own: Map<string, OwnWork>;
  /** Apps that are to be written. */
  coming: readonly DesiredApp[];
}

export interface AppPorts {
  store: Pick<ObjectStore, 'transact'>;
  objects: Objects;
}

export interface Apps {
  wanted: readonly DesiredApp[];
  made: readonly AppRow[];
  /** The steps that these are appended to. */
  before: readonly PlannedStep[];
  /** Names of the member nodes. Apps on any other node are forgotten, since it will never answer. */
  nodes: ReadonlySet<string>;
}

/** Step numbers continue after those of `before`. An app waits for the steps on the resources that it leads to. */
export function planApps(
  ports: AppPorts,
  { instance, principal }: { instance: string; principal: Principal },
  { wanted, made, before, nodes }: Apps,
  componentOf: (resource: string) => string | undefined,
): AppPlan {
  const known = new Map(made.map((row) => [placeOf(row), row]));
  const stay = new Set(wanted.map(placeOf));
  const leaving = made.filter((row) => !stay.has(placeOf(row)));
  const coming = wanted.filter((app) => known.get(placeOf(app))?.digest !== appDigest(instance, app));
  const steps: PlannedStep[] = [];
  const own = new Map<string, OwnWork>();
  if (leaving.length + coming.length === 0) return { steps, own, coming };
  const group = String(1 + Math.max(0, ...before.map(({ number }) => Number(number.split('.')[0]))));
  steps.push({ number: group, title: 'Apps', after: [] });
  const add = (title: string, after: readonly string[], work: OwnWork) => {
    const number = `${group}.${steps.length}`;
    steps.push({ number, title, after });
    own.set(number, work);
  };
  for (const row of leaving) {
    const work = nodes.has(row.node) ? () => removeApp(ports, instance, principal, row) : () => forgetApp(ports, instance, row);
    add(`Remove app ${row.name} of ${row.node}`, [], work);
  }
  for (const app of coming) {
    add(`App ${app.name} on ${app.node}`, upTo(app, before, componentOf), (signal) => makeApp(ports, instance, principal, app, signal));
  }
  return { steps, own, coming };
}

/** Steps on the resources of the app's component on its node. */
function upTo(app: DesiredApp, steps: readonly PlannedStep[], componentOf: (resource: string) => string | undefined): string[] {
  return steps.flatMap(({ number, work }) =>
    work !== undefined && work.act !== 'delete' && work.node === app.node && componentOf(work.resource) === app.component ? [number] : [],
  );
}

async function makeApp(
  { store, objects }: AppPorts,
  instance: string,
  principal: Principal,
  app: DesiredApp,
  signal: AbortSignal,
): Promise<void> {
  const { name, node } = app;
  await store.transact(async (tx) => putApp(tx, instance, { name, node }));
  for (const object of appObjects(instance, app)) {
    signal.throwIfAborted();
    await objects.apply(principal, node, object);
  }
  await store.transact(async (tx) => putApp(tx, instance, { name, node, digest: appDigest(instance, app) }));
}

async function removeApp({ store, objects }: AppPorts, instance: string, principal: Principal, row: AppRow): Promise<void> {
  for (const { group, plural } of [...APP_KINDS].reverse())
    await objects.remove(principal, row.node, { group, plural, name: row.name, instance });
  await forgetApp({ store }, instance, row);
}

async function forgetApp({ store }: Pick<AppPorts, 'store'>, instance: string, row: AppRow): Promise<void> {
  await store.transact(async (tx) => dropApp(tx, instance, row));
}

function placeOf({ name, node }: { name: string; node: string }): string {
  return `${node}/${name}`;
}
