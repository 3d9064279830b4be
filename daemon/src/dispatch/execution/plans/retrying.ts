/** What a retry repeats: every target that did not succeed, with the same work. Pure. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { DispatchRequestSpec, ExecutionFields, PlannedTarget } from '../../../../../protocol/kinds/execution.ts';
import type { OptionValue, Work } from '../../../../../protocol/orders/order.ts';
import type { Narrowing, Plan, Stage } from '../../plan/plan.types.ts';

/** One request that a retry repeats, and which of its targets. */
export interface Retry {
  request: DispatchRequestSpec;
  narrowing: Narrowing;
}

/** This node's names for nodes, which the starter may know by other names. Undefined for a node that is unknown here. */
export interface NamesHere {
  target(target: PlannedTarget): string | undefined;
  /** The node with this signing key. */
  owner(key: string): string | undefined;
}

/** The targets to repeat. Errors: CONFLICT if some parts have not ended, or all succeeded; GONE if nobody tells what they were to do. */
export function againOf(id: string, { spec, status }: ExecutionFields): PlannedTarget[] {
  const short = id.slice(0, 12);
  const parts = status?.parts ?? [];
  const going = parts.filter(({ state }) => state !== 'ended');
  if (going.length > 0) {
    throw new DtkdError('CONFLICT', `${going.length} of ${parts.length} targets of execution ${short} have not ended yet`, {
      next: `Wait for them (dtkd executions follow ${short}), or end them (dtkd executions abort ${short}).`,
    });
  }
  const failed = parts.filter(({ outcome }) => outcome !== 'succeeded');
  if (failed.length === 0) {
    throw new DtkdError('CONFLICT', `every target of execution ${short} succeeded: there is nothing to retry`);
  }
  const targets = new Map(spec.targets.map((target) => [target.index, target]));
  const known = failed.flatMap(({ index }) => targets.get(index) ?? []);
  if (known.length === 0) {
    throw new DtkdError('GONE', `no node that can be reached knows what execution ${short} was to do`, {
      next: `Retry it at ${spec.starter}, which started it, or run the command again.`,
    });
  }
  return known;
}

/** A retry by the execution's own request, for which stages and their order are planned anew. */
export function retryOfRequest(id: string, request: DispatchRequestSpec, again: readonly PlannedTarget[]): Retry {
  const { filter: _filter, only: _only, ...rest } = request;
  return {
    request: { ...rest, only: namesOf(again.map(({ node }) => node)), retryOf: id },
    narrowing: narrowingTo(again.map(({ node, work }) => ({ node, work }))),
  };
}

/**
 * Retries by the work of each target, where there is no request for all of them: one request for each different work, in the order of
 * their turns. `like`: parallelism, timeout and the like. `lost`: nodes that are not known here.
 */
export function retriesOfWork(
  id: string,
  again: readonly PlannedTarget[],
  names: NamesHere,
  like: Partial<DispatchRequestSpec>,
): { retries: Retry[]; lost: string[] } {
  const groups = new Map<string, { work: Work; nodes: string[] }>();
  const lost: string[] = [];
  for (const target of again) {
    const node = names.target(target);
    if (node === undefined) {
      lost.push(target.node);
      continue;
    }
    const key = JSON.stringify(target.work);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { work: target.work, nodes: [node] });
    else group.nodes.push(node);
  }
  const { threads, keepGoing, timeout, queue, batch, pauseOnFailure } = like;
  const how = {
    ...(threads === undefined ? {} : { threads }),
    ...(keepGoing === undefined ? {} : { keepGoing }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(queue === undefined ? {} : { queue }),
    ...(batch === undefined ? {} : { batch }),
    ...(pauseOnFailure === undefined ? {} : { pauseOnFailure }),
  };
  const retries = [...groups.values()].flatMap(({ work, nodes }): Retry[] => {
    const asked = requestOf(work, names);
    if (asked === undefined) {
      lost.push(...nodes);
      return [];
    }
    return [
      { request: { ...asked, ...how, only: namesOf(nodes), retryOf: id }, narrowing: narrowingTo(nodes.map((node) => ({ node, work }))) },
    ];
  });
  return { retries, lost };
}

/** Joins plans into one whose stages follow each other. `notes` are added to theirs. */
export function joined(plans: readonly Plan[], notes: readonly string[]): Plan {
  const stages: Stage[] = [];
  const parts: Plan['parts'] = [];
  for (const plan of plans) {
    const first = stages.length;
    parts.push(...plan.parts.map((part) => ({ ...part, stage: part.stage + first })));
    stages.push(...plan.stages.map((stage) => ({ ...stage, afterFailure: stage.afterFailure + first })));
  }
  return {
    parts,
    stages,
    batch: plans[0]?.batch,
    timeoutMs: Math.max(...plans.map(({ timeoutMs }) => timeoutMs)),
    unanswered: [...new Set(plans.flatMap(({ unanswered }) => unanswered))],
    notes: [...plans.flatMap((plan) => plan.notes), ...notes],
  };
}

/** Undefined if the node that owns the resource is not known here. */
function requestOf(work: Work, names: NamesHere): DispatchRequestSpec | undefined {
  switch (work.type) {
    case 'command': {
      const owner = names.owner(work.owner);
      if (owner === undefined) return undefined;
      const { model, type, name } = work.resource;
      return { model: `${owner}/${model}`, type, resource: name, command: work.command, options: asTexts(work.options) };
    }
    case 'exec': {
      const { type: _type, ...exec } = work;
      return { exec };
    }
    case 'put': {
      const { type: _type, ...put } = work;
      return { put };
    }
    case 'get':
      return { get: { path: work.path } };
  }
}

function asTexts(options: Readonly<Record<string, OptionValue>>): Record<string, string> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]));
}

function namesOf(nodes: readonly string[]): string[] {
  return [...new Set(nodes)];
}

function narrowingTo(pairs: readonly { node: string; work: Work }[]): Narrowing {
  const known = new Set(pairs.map(({ node, work }) => pairOf(node, work)));
  return { has: (node, work) => known.has(pairOf(node, work)), size: known.size };
}

function pairOf(node: string, work: Work): string {
  const what = work.type === 'command' ? `${work.owner} ${work.resource.object} ${work.command}` : work.type;
  return `${node} ${what}`;
}
