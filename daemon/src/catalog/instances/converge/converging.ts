/**
 * Converges an instance to its files, or to an earlier commit of them. Violations stop it before anything is changed, and edits
 * are committed before anything runs.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ConvergeRequest, ServicePlanAnswer } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import { carryOut } from './carrying-out.ts';
import type { ConvergePorts } from './converge.types.ts';
import { authorOf } from './instance-object.ts';
import { assertAsShown, commitMessage } from './plan-answer.ts';
import { differencesBetween, type Planned, planOf, workingSource } from './planning.ts';
import { assertRights } from './rights.ts';

/** Digits of a commit id in sentences. */
const SHORT = 8;

export interface RollbackRequest extends ConvergeRequest {
  to: string;
  discard?: boolean | undefined;
}

/**
 * Converges the instance to its work tree. Errors: NOT_FOUND, VIOLATIONS, CONFLICT (a task runs; the plan or the files have
 * changed), FORBIDDEN, INVALID.
 */
export function converge(ports: ConvergePorts, principal: Principal, name: string, request: ConvergeRequest): Promise<ServicePlanAnswer> {
  return ports.turns.alone(name, async () => {
    const { tasks, repositories, node } = ports;
    if (request.dryRun !== true) tasks.assertIdle(name);
    const source = await workingSource(ports, name);
    const planned = await planOf(ports, principal, name, source, request);
    const settled = !source.changed && isSettled(planned, source.head);
    if (!settled) await assertRights(ports, principal, planned);
    assertAsShown(request.plan, planned.answer);
    if (request.dryRun === true) return planned.answer;
    const repository = await repositories.open(name);
    if (settled) {
      if ((await repository.applied()) !== source.head) await repository.setApplied(source.head);
      return planned.answer;
    }
    const commit = source.changed
      ? (
          await repository.commit({
            message: request.message ?? commitMessage(planned.edited, 'what was edited'),
            author: authorOf(principal, node),
            expect: { head: source.head, tree: source.tree.id },
          })
        ).commit
      : source.head;
    return carryOut(ports, planned, howOf(principal, commit, `converge to ${commit.slice(0, SHORT)}`, request));
  });
}

/** Restores the files of an earlier commit in a new commit, and converges. Errors: as `converge`, and those of revisions. */
export function rollback(ports: ConvergePorts, principal: Principal, name: string, request: RollbackRequest): Promise<ServicePlanAnswer> {
  return ports.turns.alone(name, async () => {
    const { tasks, repositories, files, node } = ports;
    if (request.dryRun !== true) tasks.assertIdle(name);
    const repository = await repositories.open(name);
    const [{ changes, head }, old] = await Promise.all([files.working(name), files.at(name, request.to)]);
    if (changes.length > 0 && request.discard !== true) throw dirty(name, changes.length);
    const edited = await differencesBetween(await files.at(name, head), old);
    const planned = await planOf(ports, principal, name, { ...old, edited }, request);
    await assertRights(ports, principal, planned);
    assertAsShown(request.plan, planned.answer);
    if (request.dryRun === true) return planned.answer;
    const short = old.commit.slice(0, SHORT);
    const { commit } = await repository.restore(old.commit, {
      message: request.message ?? `Roll back to ${short}`,
      author: authorOf(principal, node),
      discard: request.discard,
      expect: { head },
    });
    return carryOut(ports, planned, howOf(principal, commit, `roll back to ${short}`, request));
  });
}

/** True if everything is applied as in `head`, and the status says so. */
function isSettled({ steps, instance }: Planned, head: string): boolean {
  const { phase, applied } = instance.status;
  return steps.length === 0 && phase === 'Ready' && applied === head;
}

function howOf(principal: Principal, commit: string, title: string, { keepGoing = false, timeout }: ConvergeRequest) {
  return { principal, commit, title, keepGoing, timeout };
}

function dirty(name: string, files: number): DtkdError {
  return new DtkdError('CONFLICT', `${files} ${files === 1 ? 'file' : 'files'} of service "${name}" were edited since the last commit`, {
    next: `Look at them with "dtkd service diff ${name}"; converge them first, or lose them with --discard.`,
  });
}
