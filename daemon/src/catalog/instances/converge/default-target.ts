/** The target that is used where none is named: one for each kind. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { DEFAULT_TARGET_LABEL, serviceInstanceKind } from '../../../../../protocol/kinds/service-instance.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { ConvergePorts } from './converge.types.ts';
import { instanceOf, instanceRef } from './instance-object.ts';

/** Instances with the label that are looked up. */
const MAX_LABELLED = 1_000;

/**
 * Makes the instance the default target of its kind, in place of the previous one, or no longer the default. Errors: NOT_FOUND,
 * INVALID; FORBIDDEN if the principal may not MANAGE both.
 */
export function setDefaultTarget(ports: ConvergePorts, principal: Principal, name: string, isDefault: boolean): Promise<ApiObject> {
  const { store, node } = ports;
  return store.transact(async (tx) => {
    const found = instanceOf(await tx.get(instanceRef(node, name)));
    if (found === undefined) throw new DtkdError('NOT_FOUND', `there is no service "${name.slice(0, 80)}"`);
    if (isDefault && found.spec.role !== 'target') {
      throw new DtkdError('INVALID', `service "${name}" is not a target`, {
        next: 'Targets are staged from assemblies with "role: target".',
      });
    }
    if (isDefault) {
      for (const other of await defaultTargets(tx, node)) if (other !== name) await unlabel(tx, ports, principal, other, found.spec.kind);
    }
    return tx.put(withLabel(found.object, isDefault));
  });
}

/** Names of all default targets, of any kind. */
export async function defaultTargets(tx: Pick<Transaction, 'find'>, node: string): Promise<string[]> {
  const { group, plural } = serviceInstanceKind;
  const path = `metadata.labels.${DEFAULT_TARGET_LABEL}`;
  return (await tx.find({ group, plural, namespace: node, path, value: 'true', limit: MAX_LABELLED })).map((ref) => ref.name);
}

async function unlabel(
  tx: Transaction,
  { node, decide }: Pick<ConvergePorts, 'node' | 'decide'>,
  principal: Principal,
  name: string,
  kind: string | undefined,
): Promise<void> {
  const ref = instanceRef(node, name);
  const found = instanceOf(await tx.get(ref));
  if (found === undefined || found.spec.kind !== kind) return;
  const { group, plural } = ref;
  if (principal.type === 'user' && !decide(principal, { verb: 'MANAGE', group, plural, name, object: found.object }).allowed) {
    throw new DtkdError('FORBIDDEN', 'another target of its kind is the default, and you may not change that', {
      next: 'Name the target when you stage: --target. Or ask for MANAGE on all targets of the kind.',
    });
  }
  await tx.put(withLabel(found.object, false));
}

function withLabel(object: ApiObject, isDefault: boolean): ApiObject {
  const { [DEFAULT_TARGET_LABEL]: _label, ...others } = object.metadata.labels ?? {};
  return { ...object, metadata: { ...object.metadata, labels: isDefault ? { ...others, [DEFAULT_TARGET_LABEL]: 'true' } : others } };
}
