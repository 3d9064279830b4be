/** Plans a retry: by the execution's request if this node has it, else by the work of each target, under this node's names for nodes. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Plan } from '../../plan/plan.types.ts';
import type { Planner } from '../../plan/planner.ts';
import { some } from '../../plan/some.ts';
import { fieldsOf } from '../execution-object.ts';
import type { ExecutionsOptions } from '../executions.types.ts';
import { againOf, joined, type NamesHere, retriesOfWork, retryOfRequest } from './retrying.ts';

type PlanAgainPorts = Pick<ExecutionsOptions, 'node' | 'nodes' | 'members'> & { planner: Pick<Planner, 'plan'> };

/** A plan for all targets that did not succeed. Errors: those of againOf and of planning; NO_MATCH if none of its nodes is known here. */
export async function planAgain(
  ports: PlanAgainPorts,
  principal: Principal,
  object: ApiObject,
): Promise<{ plan: Plan; request: DispatchRequestSpec }> {
  const { planner } = ports;
  const fields = fieldsOf(object);
  if (fields === undefined) throw new DtkdError('INTERNAL', 'the execution cannot be read');
  const id = object.metadata.name;
  const again = againOf(id, fields);
  const { request } = fields.spec;
  // the request of a retry may cover only some of its targets
  if (request !== undefined && request.retryOf === undefined) {
    const retry = retryOfRequest(id, request, again);
    return { plan: await planner.plan(principal, retry.request, retry.narrowing), request: retry.request };
  }
  const { retries, lost } = retriesOfWork(id, again, await namesHere(ports), request ?? { keepGoing: true });
  const [first] = retries;
  if (first === undefined) {
    throw new DtkdError('NO_MATCH', `none of the nodes of execution ${id.slice(0, 12)} is known here: ${some(lost)}`, {
      next: `Retry it at ${fields.spec.starter}, which started it.`,
    });
  }
  const plans = await Promise.all(retries.map((one) => planner.plan(principal, one.request, one.narrowing)));
  const notes = [
    ...(lost.length === 0 ? [] : [`left out, because not known here: ${some(lost)}`]),
    ...(fields.status?.message === undefined ? [] : [fields.status.message]),
  ];
  return {
    plan: joined(plans, notes),
    request: { ...first.request, only: [...new Set(retries.flatMap((one) => one.request.only ?? []))] },
  };
}

/** This node's names for the nodes in another node's plan. */
async function namesHere({ node, nodes, members }: PlanAgainPorts): Promise<NamesHere> {
  const views = await nodes.list();
  const owner = (key: string) => (key === node.signingKey ? node.name : views.find(({ signingKey }) => signingKey === key)?.node);
  const selfKeys = new Set(members.list().map(({ domain, selfKey }) => `${domain} ${selfKey}`));
  return {
    owner,
    target: ({ domain, key }) => {
      if (domain === '') return owner(key);
      return selfKeys.has(`${domain} ${key}`) ? node.name : members.byKey(domain, key)?.node;
    },
  };
}

/**
 * Errors: BAD_REQUEST unless `text` is the whole id. The id is the hash of the plan, so the whole id means exactly this plan. Anybody can
 * make another plan whose id begins alike and claim that it is theirs; a retry would run it here in the asker's name.
 */
export function assertWhole(text: string, object: ApiObject): void {
  const id = object.metadata.name;
  if (text.toLowerCase() === id) return;
  const { starter = 'another node', user = 'somebody' } = fieldsOf(object)?.spec ?? {};
  throw new DtkdError(
    'BAD_REQUEST',
    `${user} started this execution at ${starter}: give its whole id to run in your name what other nodes say of it`,
    {
      next: `Look at it (dtkd executions show ${text}), then: dtkd executions retry ${id}`,
    },
  );
}
