/** Converts what is wanted into what is written: Types, Resources, and rows of what is applied. */
import type { Transaction } from '../../../store/object-store.types.ts';
import type { ResourceToWrite, TypeToWrite } from '../apply/apply.types.ts';
import type { AppliedResource, Desired, DesiredResource, ModuleCopy, ServiceFiles } from '../instances.types.ts';
import { readCounters } from '../tasks/counters.ts';
import { SELF_OPERATOR } from '../tasks/run-step.ts';
import type { Deleted } from '../tasks/tasks.types.ts';
import { changeInstance } from './changing.ts';
import type { ConvergePorts } from './converge.types.ts';

type Code = Awaited<ReturnType<ConvergePorts['copies']['publishCopy']>>;

export function resourceToWrite({ name, component, type, node, properties, parents }: DesiredResource): ResourceToWrite {
  return { name, component, type, node, properties, parents };
}

/** The row of a resource once it is up to date. */
export function goalOf(resource: DesiredResource, commit: string, at: number): AppliedResource {
  const { name, component, type, node, properties, parents, needs, digest, commands, secrets, port } = resource;
  return {
    name,
    component,
    type,
    node,
    properties,
    parents,
    needs,
    digest,
    created: true,
    commands,
    secrets,
    ...(port === undefined ? {} : { port }),
    commit,
    at,
  };
}

/**
 * Publishes each copy that defines types as code of this node, in a version of its own. Copies published before keep theirs.
 * `dryRun`: only returns what would be published.
 */
export async function publishCopies(
  { copies, store }: Pick<ConvergePorts, 'copies' | 'store'>,
  { service, copies: all }: ServiceFiles,
  { dryRun }: { dryRun?: boolean } = {},
): Promise<Map<string, Code>> {
  const { revision } = await readCounters({ getRow: (key) => store.kv.get(key) }, service.name);
  const published = new Map<string, Code>();
  for (const { name, bytes, manifest } of all.values()) {
    if (Object.keys(manifest.types ?? {}).length === 0) continue;
    published.set(name, await copies.publishCopy({ instance: service.name, revision: revision + 1, archive: bytes, module: name, dryRun }));
  }
  return published;
}

/** The number after `0.0.`. */
export function revisionOf({ version }: Code): number {
  return Number(version.slice(version.lastIndexOf('.') + 1)) || 0;
}

export function typesToWrite({ types }: Desired, published: ReadonlyMap<string, Code>): TypeToWrite[] {
  return [...types].flatMap(([name, { type, copy }]: [string, { type: TypeToWrite['type']; copy: ModuleCopy }]) => {
    const code = published.get(copy.name);
    return code === undefined ? [] : [{ name, type, code }];
  });
}

/** Runs in the transaction that records that a resource was taken down: deletes the Resource, or writes it as it is wanted now. */
export function resourceTaken(
  { model, node }: Pick<ConvergePorts, 'model' | 'node'>,
  instance: string,
  desired?: ReadonlyMap<string, DesiredResource>,
): Deleted {
  return async (tx: Transaction, resource: string) => {
    if (!(await changeInstance(tx, { node }, instance, {}))) return;
    const wanted = desired?.get(resource);
    const as = { tx, principal: SELF_OPERATOR, instance };
    if (wanted === undefined) await model.applyResources(as, [], [resource]);
    else await model.applyResources(as, [resourceToWrite(wanted)], []);
  };
}
