/** What a retry takes: every target that did not succeed, with the same work. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DispatchRequestSpec, ExecutionFields } from '../../../../protocol/kinds/execution.ts';
import type { Work } from '../../../../protocol/orders/order.ts';
import type { Narrowing } from '../plan/plan.types.ts';

export interface Retry {
  request: DispatchRequestSpec;
  narrowing: Narrowing;
}

/** Errors: CONFLICT if something of it still goes on, or all succeeded; GONE if it is not known what was asked for. */
export function retryOf(id: string, { spec, status }: ExecutionFields): Retry {
  const { request, targets } = spec;
  const short = id.slice(0, 12);
  if (request === undefined) {
    throw new DtkdError('GONE', `what was asked for in execution ${short} is only known at ${spec.starter}, which started it`, {
      next: `Retry it there, or run the command again for the nodes that did not succeed.`,
    });
  }
  const parts = new Map((status?.parts ?? []).map((part) => [part.index, part]));
  const going = targets.filter(({ index }) => parts.get(index)?.state !== 'ended');
  if (going.length > 0) {
    throw new DtkdError('CONFLICT', `${going.length} of ${targets.length} targets of execution ${short} have not ended yet`, {
      next: `Wait for them (dtkd executions follow ${short}), or end them (dtkd executions abort ${short}).`,
    });
  }
  const again = targets.filter(({ index }) => parts.get(index)?.outcome !== 'succeeded');
  if (again.length === 0) {
    throw new DtkdError('CONFLICT', `all ${targets.length} targets of execution ${short} succeeded: there is nothing to retry`);
  }
  const pairs = new Set(again.map(({ node, work }) => pairOf(node, work)));
  const { filter: _filter, only: _only, ...rest } = request;
  return {
    request: {
      ...rest,
      only: [...new Set(again.map(({ node }) => node))],
      retryOf: id,
    },
    narrowing: { has: (node, work) => pairs.has(pairOf(node, work)), size: pairs.size },
  };
}

function pairOf(node: string, work: Work): string {
  const what = work.type === 'command' ? `${work.owner} ${work.resource.object} ${work.command}` : work.type;
  return `${node} ${what}`;
}
