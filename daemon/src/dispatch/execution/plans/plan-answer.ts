/** The answers about a plan that is only tried (dry run), and about one without targets. Pure but for the id of the latter. */
import { randomBytes } from 'node:crypto';
import type { DispatchRequestSpec } from '../../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { PlanAnswer } from '../../../../../protocol/requests/follow.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Plan } from '../../plan/plan.types.ts';
import { whatOf } from '../../target/about.ts';
import { newExecution, statusOf } from '../execution-object.ts';

export function planAnswer(
  { parts, stages, batch, timeoutMs, unanswered, notes }: Plan,
  { threads, keepGoing, pauseOnFailure, queue }: DispatchRequestSpec,
): PlanAnswer {
  const said = [...notes];
  if (stages.length > 1) said.push(`${stages.length} stages, one after another: ${stages.map(({ title }) => title).join('; ')}`);
  if (batch !== undefined)
    said.push(
      `in batches of ${'count' in batch ? batch.count : `${batch.percent}%`}${pauseOnFailure === true ? ', pausing after one with a failure' : ''}`,
    );
  said.push(
    `${threads ?? 1} at a time${keepGoing === true ? ', going on after failures' : ', until one fails'}; each may take ${seconds(timeoutMs)}`,
  );
  if (queue !== undefined) said.push(`orders for nodes that are away are held for ${queue}`);
  return {
    targets: parts.map(({ target: { node, key, domain, starter }, work, stage, skip }, index) => ({
      node,
      key,
      domain,
      starter,
      work,
      index,
      stage,
      what: whatOf(work),
      ...(skip === undefined ? {} : { skip: skip.reason }),
    })),
    unanswered,
    notes: said,
  };
}

function seconds(ms: number): string {
  return ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1_000} s`;
}

/** An execution without targets, where that is no error. It is not stored anywhere. `why`: what the plan says about it. */
export function emptyExecution(
  node: string,
  principal: Principal,
  request: DispatchRequestSpec,
  { now, why }: { now: number; why: string | undefined },
): ApiObject {
  const message = `there was no target${why === undefined ? '' : `: ${why}`}`.slice(0, 1_024);
  const status = statusOf({ phase: 'Finished', parts: [], startedAt: now, finishedAt: now, message });
  return newExecution({ id: randomBytes(32).toString('hex'), node, principal, request, header: new Uint8Array(), targets: [], status });
}
