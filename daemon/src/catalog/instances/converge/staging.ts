/** Creates service instances: the repository, then the object. Removes the repository if the object cannot be written. */
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { serviceInstanceKind } from '../../../../../protocol/kinds/service-instance.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { StageRequest } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Staged } from '../staging/staging.types.ts';
import type { ConvergePorts } from './converge.types.ts';
import { defaultTargets } from './default-target.ts';
import { authorOf, instanceOf, instanceRef, newInstance } from './instance-object.ts';

export interface StageAnswer {
  instance: ApiObject;
  notes: string[];
}

/** Errors: FORBIDDEN (CREATE on serviceinstances), those of staging, NOT_FOUND or INVALID for the target. */
export async function stage(ports: ConvergePorts, principal: Principal, request: StageRequest, signal: AbortSignal): Promise<StageAnswer> {
  const { node, staging, repositories } = ports;
  assertMayCreate(ports, principal, request.name ?? request.assembly);
  if (request.target !== undefined) await assertTarget(ports, principal, request.target);
  const order = {
    module: request.module,
    version: request.version,
    assembly: request.assembly,
    name: request.name,
    parameters: request.parameters,
    principal,
    author: authorOf(principal, node),
    signal,
    taken: async (name: string) => (await ports.store.get(instanceRef(node, name))) !== undefined,
  };
  const target =
    request.target ?? (await defaultFor(ports, principal, async () => (await staging.stage({ ...order, dryRun: true })).service));
  const staged = await staging.stage({ ...order, target, ...(request.dryRun === undefined ? {} : { dryRun: request.dryRun }) });
  const object = newInstance({ node, principal, directory: staged.directory, head: staged.commit }, staged.service);
  const notes = notesOf(staged, request.target === undefined ? target : undefined);
  if (request.dryRun === true) {
    assertMayCreate(ports, principal, staged.name, object);
    return { instance: object, notes };
  }
  try {
    assertMayCreate(ports, principal, staged.name, object);
    return { instance: await store(ports, object), notes };
  } catch (error) {
    await repositories.drop(staged.name);
    throw error;
  }
}

async function store({ store: objects, node }: ConvergePorts, object: ApiObject): Promise<ApiObject> {
  const { name } = object.metadata;
  return objects.transact(async (tx) => {
    if ((await tx.get(instanceRef(node, name))) !== undefined) {
      throw new DtkdError('ALREADY_EXISTS', `there is a service "${name}" already`, { next: 'Give the new one another name.' });
    }
    return tx.put(object);
  });
}

function notesOf({ name, unset }: Staged, target: string | undefined): string[] {
  return [
    ...(target === undefined ? [] : [`its target is ${target}, the default of this node`]),
    ...(unset.length === 0
      ? []
      : [`to be set before it can be converged: ${unset.map((one) => `dtkd service set ${name} ${one}=…`).join(', ')}`]),
  ];
}

/** This node's default target of the kind that the assembly needs, if the principal may see it. */
async function defaultFor(ports: ConvergePorts, principal: Principal, wanted: () => Promise<ServiceFile>): Promise<string | undefined> {
  const { store: objects, node, decide } = ports;
  const { group, plural } = serviceInstanceKind;
  const names = await defaultTargets(objects, node);
  if (names.length === 0) return undefined;
  const kind = (await wanted())['target-kind'];
  if (kind === undefined) return undefined;
  for (const name of names) {
    const object = await objects.get(instanceRef(node, name));
    const found = instanceOf(object);
    if (object === undefined || found?.spec.role !== 'target' || found.spec.kind !== kind) continue;
    if (principal.type === 'operator' || decide(principal, { verb: 'READ', group, plural, name, object }).allowed) return name;
  }
  return undefined;
}

/** Checks that the target is one and is visible to the principal. Whether it fits is judged at converge. */
async function assertTarget({ store: objects, node, decide }: ConvergePorts, principal: Principal, name: string): Promise<void> {
  const object = await objects.get(instanceRef(node, name));
  const found = instanceOf(object);
  const { group, plural } = instanceRef(node, name);
  const seen =
    object !== undefined && (principal.type === 'operator' || decide(principal, { verb: 'READ', group, plural, name, object }).allowed);
  if (found === undefined || !seen) {
    throw new DtkdError('NOT_FOUND', `there is no service "${name}" on ${node} to be the target`, {
      next: 'See those that are there with "dtkd service ls".',
    });
  }
  if (found.spec.role === 'target') return;
  throw new DtkdError('INVALID', `service "${name}" is not a target`, { next: 'Targets are staged from assemblies with "role: target".' });
}

function assertMayCreate({ decide, node }: ConvergePorts, principal: Principal, name: string, object?: ApiObject): void {
  if (principal.type === 'operator') return;
  const { group, plural } = instanceRef(node, name);
  const decision = decide(principal, { verb: 'CREATE', group, plural, name, ...(object === undefined ? {} : { object }) });
  if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason, { next: 'Ask for the right CREATE on serviceinstances.' });
}
