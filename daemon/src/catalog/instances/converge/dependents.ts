/** Services that are staged against others. They must be taken down first. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { serviceInstanceKind } from '../../../../../protocol/kinds/service-instance.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { ConvergePorts } from './converge.types.ts';
import { instanceRef, isDown } from './instance-object.ts';
import { findInstance } from './planning.ts';

/** Services staged against one target that are looked up. */
const MAX_DEPENDENTS = 1_000;
/** Names listed in a sentence. */
const LISTED = 8;

/** Services that are staged directly against `name`. */
export async function dependentsOf({ store, node }: Pick<ConvergePorts, 'store' | 'node'>, name: string): Promise<string[]> {
  const { group, plural } = serviceInstanceKind;
  const refs = await store.find({ group, plural, namespace: node, path: 'spec.target', value: name, limit: MAX_DEPENDENTS });
  return refs.map((ref) => ref.name);
}

/** All direct and indirect dependents, each before the service that it is staged against. `above`: the path so far, which breaks cycles. */
export async function allDependents(ports: ConvergePorts, name: string, above: ReadonlySet<string> = new Set()): Promise<string[]> {
  const found = new Set<string>();
  const path = new Set(above).add(name);
  for (const one of await dependentsOf(ports, name)) {
    if (path.has(one)) continue;
    for (const inner of await allDependents(ports, one, path)) found.add(inner);
    found.add(one);
  }
  return [...found];
}

/** Those of `names` that have something applied. The others block nobody. */
export async function withSomething(ports: ConvergePorts, names: readonly string[]): Promise<string[]> {
  const instances = await Promise.all(names.map((one) => findInstance(ports, one)));
  return instances.filter((one) => !isDown(one)).map(({ object }) => object.metadata.name);
}

export async function assertMayDelete({ decide, store, node }: ConvergePorts, principal: Principal, name: string): Promise<void> {
  if (principal.type === 'operator') return;
  const object = await store.get(instanceRef(node, name));
  const { group, plural } = instanceRef(node, name);
  const decision = decide(principal, { verb: 'DELETE', group, plural, name, ...(object === undefined ? {} : { object }) });
  if (!decision.allowed) throw new DtkdError('FORBIDDEN', decision.reason, { next: 'Nothing was taken down. Ask for the right.' });
}

export function hasDependents(name: string, dependents: readonly string[]): DtkdError {
  const listed = dependents.slice(0, LISTED).join(', ');
  const more = dependents.length > LISTED ? `, and ${dependents.length - LISTED} more` : '';
  return new DtkdError('CONFLICT', `service "${name}" is the target of others: ${listed}${more}`, {
    next: 'Take those down first, or all of them in order with --recursive.',
    details: { dependents: [...dependents] },
  });
}
