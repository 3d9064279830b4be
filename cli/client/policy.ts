/** Reads the policy of this node, and replaces it as a whole. */
import { DtkdError } from '../../protocol/errors.ts';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import { POLICY_NAME, type PolicySpec, policyKind, policySpec } from '../../protocol/kinds/policy.ts';
import { booleanAt, textAt } from '../json.ts';
import { type ApiClient, THIS_NODE } from './api.ts';
import { whileRaced } from './raced.ts';

const TARGET = { kind: policyKind, namespace: THIS_NODE, name: POLICY_NAME };

/** The policy's spec; empty if there is no policy. Errors: FORBIDDEN. */
export async function readPolicy(client: ApiClient): Promise<PolicySpec> {
  return specOf(await find(client));
}

/**
 * Undefined if there is none. Callers who may not READ it get FORBIDDEN: the daemon does not tell them whether it exists. Errors:
 * FORBIDDEN.
 */
async function find(client: ApiClient): Promise<unknown> {
  const object = await client.find(TARGET);
  if (object !== undefined) return object;
  const query = new URLSearchParams({ verb: 'READ', what: `${policyKind.singular}/${POLICY_NAME}` });
  if (booleanAt(await client.daemon('GET', `can?${query.toString()}`), 'allowed')) return undefined;
  throw new DtkdError('FORBIDDEN', 'you may not READ the policy of this node', {
    next: `Ask its operator for READ, and to change it for READ,CREATE,UPDATE, --on ${policyKind.singular}/${POLICY_NAME}.`,
  });
}

/** Changes the policy and returns the result. `change` returns the whole new spec, or undefined to leave it. */
export function changePolicy(client: ApiClient, change: (spec: PolicySpec) => PolicySpec | undefined): Promise<PolicySpec> {
  const write = async (): Promise<PolicySpec> => {
    const object = await find(client);
    const before = specOf(object);
    const spec = change(before);
    if (spec === undefined) return before;
    const resourceVersion = textAt(object, 'metadata', 'resourceVersion');
    const metadata = { name: POLICY_NAME, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const written = { apiVersion: apiVersionOf(policyKind), kind: policyKind.kind, metadata, spec };
    return specOf(await (object === undefined ? client.create({ ...TARGET, name: undefined }, written) : client.replace(TARGET, written)));
  };
  return whileRaced(write, ['CONFLICT', 'ALREADY_EXISTS']);
}

function specOf(object: unknown): PolicySpec {
  const spec = typeof object === 'object' && object !== null && 'spec' in object ? object.spec : {};
  const parsed = policySpec.safeParse(spec);
  if (parsed.success) return parsed.data;
  throw new DtkdError('INVALID', 'this dtkd does not understand the policy of this node', {
    next: 'Use the dtkd that was installed with the daemon, or "dtkd edit policy node".',
  });
}
