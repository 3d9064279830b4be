/** Services that are staged against others: these cannot go before them. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { serviceInstanceKind } from '../../../../../protocol/kinds/service-instance.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { ConvergePorts } from './converge.types.ts';
import { instanceRef, isDown } from './instance-object.ts';
import { findInstance } from './planning.ts';

/** Services staged against one that are looked for. */
const MAX_DEPENDENTS = 1_000;
/** Names in a sentence. */
const LISTED = 8;

/** Services that are staged against one. */
export async function dependentsOf({ store, node }: Pick<ConvergePorts, 'store' | 'node'>, name: string): Promise<string[]> {
  const { group, plural } = serviceInstanceKind;
  const refs = await store.find({ group, plural, namespace: node, path: 'spec.target', value: name, limit: MAX_DEPENDENTS });
  return refs.map((ref) => ref.name);
}

/** All that depend on it, also through others: each before what it is staged against. */
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

/** One that has nothing applied is in nobody's way. */
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
