/**
 * The policy of this node: whose code may run here, and within which limits. Owns the one Policy object: what may be written there, and the
 * pins that are added when trusted code is seen first. Does not decide who may ask for something; that is access.
 */

import { isRecord } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { apiVersionOf } from '../../../../protocol/kinds/kind.ts';
import { POLICY_NAME, pinParts, policyKind, policySpec } from '../../../../protocol/kinds/policy.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import type { NodePolicy, PolicyReader } from '../target/target.types.ts';
import { type Pins, policyOf } from './policy-spec.ts';

export interface PolicyOptions {
  store: Pick<ObjectStore, 'get' | 'subscribe'>;
  node: { name: string };
  /** The signing key in the Node object of the node with this name here. */
  signingKeyOf(node: string): Promise<string | undefined>;
}

/** Called by the API before it stores a Policy. */
export interface PolicyHandler {
  create(object: ApiObject): Promise<ApiObject>;
  update(object: ApiObject, previous: ApiObject): Promise<ApiObject>;
}

export interface Policy extends PolicyReader {
  handler: PolicyHandler;
  stop(): void;
}

export function createPolicy({ store, node, signingKeyOf }: PolicyOptions): Policy {
  let known: Promise<NodePolicy> | undefined;
  const listeners = new Set<() => void>();
  const stop = store.subscribe((changes) => {
    if (!changes.some(({ ref }) => ref.plural === policyKind.plural && ref.group === policyKind.group)) return;
    known = undefined;
    for (const listener of listeners) listener();
  });

  function read(): Promise<NodePolicy> {
    if (known !== undefined) return known;
    const reading = store.get(policyRef(node.name)).then(policyOf);
    known = reading;
    // a failed read is not kept: the next caller reads again
    reading.catch(() => {
      if (known === reading) known = undefined;
    });
    return reading;
  }

  async function written(object: ApiObject, previous: ApiObject | undefined): Promise<ApiObject> {
    if (object.metadata.name !== POLICY_NAME) {
      throw invalid([{ field: 'metadata.name', message: `must be "${POLICY_NAME}": a node has one policy` }]);
    }
    const spec = policySpec.safeParse(object['spec'] ?? {}).data ?? {};
    const before = policySpec.safeParse(previous?.['spec'] ?? {}).data?.trust ?? [];
    const causes: Cause[] = pinCauses(spec.pins ?? {});
    const trust = [];
    const seen = new Set<string>();
    for (const [at, entry] of (spec.trust ?? []).entries()) {
      const field = `spec.trust[${at}]`;
      if (seen.has(entry.node)) causes.push({ field, message: `names ${entry.node} a second time` });
      seen.add(entry.node);
      const told = await signingKeyOf(entry.node);
      const kept = before.find(({ node: name, key }) => name === entry.node && key !== undefined && (entry.key ?? key) === key);
      const key = kept?.key ?? entry.key ?? told;
      if (key === undefined)
        causes.push({ field, message: `${entry.node} is not a node known here, or has not published its signing key yet` });
      else if (kept === undefined && told !== undefined && told !== key) {
        causes.push({ field: `${field}.key`, message: `is not the signing key of ${entry.node}, which is ${told}` });
      }
      trust.push(key === undefined ? entry : { ...entry, key });
    }
    if (causes.length > 0) throw invalid(causes);
    return { ...object, spec: { ...spec, ...(spec.trust === undefined ? {} : { trust }) } };
  }

  return {
    read,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop,
    handler: { create: (object) => written(object, undefined), update: (object, previous) => written(object, previous) },
  };
}

interface Cause {
  field: string;
  message: string;
}

/** The name of a module, of a copy of one, or of a type, which may belong to a service instance. */
const CODE_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*\/[A-Za-z0-9][A-Za-z0-9_-]*(@[A-Za-z0-9][A-Za-z0-9_.-]*)?$/;

function pinCauses(pins: Pins): Cause[] {
  return Object.keys(pins)
    .filter((name) => !CODE_NAME.test(pinParts(name).code))
    .map((name) => ({
      field: 'spec.pins',
      message: `"${name.slice(0, 80)}" is not the name of code, such as acme/web, acme/web@INSTANCE@NODE or type/Service@NODE`,
    }));
}

function invalid(causes: Cause[]): DtkdError {
  return new DtkdError('INVALID', `the policy is not valid: ${causes.map(({ field, message }) => `${field} ${message}`).join('; ')}`, {
    next: 'See "dtkd explain policy" for its fields, and "dtkd get nodes" for the nodes that are known.',
    details: { causes: causes.map(({ field, message }) => ({ reason: 'FieldValueInvalid', field, message })) },
  });
}

export function policyRef(node: string): ObjectRef {
  return { group: policyKind.group, plural: policyKind.plural, namespace: node, name: POLICY_NAME };
}

/**
 * Adds pins to the Policy of a node, in the transaction of what relies on them. Errors: CONFLICT if another pin was written since
 * `judgedOn`.
 */
export async function writePins(tx: Transaction, node: string, pins: Pins, judgedOn: Pins): Promise<void> {
  if (Object.keys(pins).length === 0) return;
  const object = await tx.get(policyRef(node));
  const now = policyOf(object).pins;
  for (const [name, value] of Object.entries(pins)) {
    const there = now[name]?.digest;
    if (there !== judgedOn[name]?.digest && there !== value.digest) {
      throw new DtkdError('CONFLICT', `the pin of ${name} has changed meanwhile`, { next: 'Try again.' });
    }
  }
  const spec = object?.['spec'];
  const base =
    object === undefined ? newPolicy(node) : { ...object, metadata: { ...object.metadata, generation: object.metadata.generation + 1 } };
  await tx.put({ ...base, spec: { ...(isRecord(spec) ? spec : {}), pins: { ...now, ...pins } } });
}

/** Removes pins of a publisher's code from this node's Policy, in the transaction that makes them needless. */
export async function dropPins(tx: Transaction, node: string, publisher: string, isNeedless: (code: string) => boolean): Promise<void> {
  const object = await tx.get(policyRef(node));
  const spec = object?.['spec'];
  const pins = Object.entries(policyOf(object).pins);
  const kept = pins.filter(([name, pin]) => pin.publisher !== publisher || !isNeedless(pinParts(name).code));
  if (object === undefined || kept.length === pins.length) return;
  const metadata = { ...object.metadata, generation: object.metadata.generation + 1 };
  await tx.put({ ...object, metadata, spec: { ...(isRecord(spec) ? spec : {}), pins: Object.fromEntries(kept) } });
}

/** True if the node's policy follows a publisher: newer code of it runs at once. */
export async function isFollowed(tx: Transaction, node: string, publisher: string): Promise<boolean> {
  return policyOf(await tx.get(policyRef(node))).trust.some(({ key, follow }) => key === publisher && follow);
}

function newPolicy(node: string): ApiObject {
  return {
    apiVersion: apiVersionOf(policyKind),
    kind: policyKind.kind,
    metadata: { name: POLICY_NAME, namespace: node, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
  };
}
