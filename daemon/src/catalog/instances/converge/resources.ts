/** From what is wanted to what is written of it: Types and Resources, and the rows of what is applied. */
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

/** What the row of a resource says once it is as it should be. */
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

/** Makes all copies that define types code of this node, each in a version of its own; those that are already stay as they are. `dryRun`: tells what it would be. */
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

/** The number behind `0.0.`. */
export function revisionOf({ version }: Code): number {
  return Number(version.slice(version.lastIndexOf('.') + 1)) || 0;
}

export function typesToWrite({ types }: Desired, published: ReadonlyMap<string, Code>): TypeToWrite[] {
  return [...types].flatMap(([name, { type, copy }]: [string, { type: TypeToWrite['type']; copy: ModuleCopy }]) => {
    const code = published.get(copy.name);
    return code === undefined ? [] : [{ name, type, code }];
  });
}

/** What is done in the transaction that records that a resource was taken down: it goes, or is written as it is wanted now. */
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
