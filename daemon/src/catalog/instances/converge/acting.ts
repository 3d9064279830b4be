/** Runs commands of applied resources, one action at a time or as a workflow, and checks for drift. Does not change what is wanted. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { TaskAction } from '../../../../../protocol/kinds/task.ts';
import type { ServicePlanAnswer } from '../../../../../protocol/requests/service.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import { planAction, planCheck, planWorkflow } from '../desired/plan/running.ts';
import type { AppliedResource, Plan } from '../instances.types.ts';
import { appliedNow, changeInstance } from './changing.ts';
import type { ConvergePorts } from './converge.types.ts';
import { assertOptions } from './exec-options.ts';
import type { Instance } from './instance-object.ts';
import { planAnswerOf } from './plan-answer.ts';
import { expandSource, findInstance } from './planning.ts';

export interface ExecRequest {
  component?: string | undefined;
  command?: string | undefined;
  workflow?: string | undefined;
  options?: Record<string, string> | undefined;
  batch?: string | undefined;
  threads?: number | undefined;
  keepGoing?: boolean | undefined;
  dryRun?: boolean | undefined;
}

/** Runs `web.restart`, `web-1.restart`, or a workflow. Errors: NOT_FOUND, BAD_REQUEST, INVALID, CONFLICT. */
export function exec(ports: ConvergePorts, principal: Principal, name: string, request: ExecRequest): Promise<ServicePlanAnswer> {
  const { component, command, workflow, options = {}, batch, threads } = request;
  const isAction = component !== undefined && command !== undefined;
  if (isAction === (workflow !== undefined)) {
    throw new DtkdError('BAD_REQUEST', 'name either a component and its command, or a workflow', {
      next: `For example: dtkd service exec ${name} web.restart.`,
    });
  }
  return act(ports, principal, name, request, {
    action: 'exec',
    title: isAction ? `${component}.${command}` : (workflow ?? ''),
    plan: async (applied, { status: { phase, applied: commit = 'HEAD' } }) => {
      if (!isAction) {
        const { desired } = await expandSource(ports, await ports.files.at(name, commit), applied);
        return planWorkflow(applied, desired?.workflows ?? {}, workflow ?? '', options, { threads });
      }
      const plan = planAction(applied, component, command, options, { batch, threads });
      // after a converge that did not end well, what is applied may be of another commit
      if (phase !== 'Ready') return plan;
      // actions still work on applied resources whose files can no longer be read
      const source = await ports.files.at(name, commit).catch(() => undefined);
      const types = plan.steps.flatMap(({ work }) => applied.get(work?.resource ?? '')?.type ?? []);
      await assertOptions(source?.files?.copies.values() ?? [], new Set(types), command, options);
      return plan;
    },
  });
}

/** Runs the `check` of every resource; a resource that is not as it should be is a failed step. Errors: NOT_FOUND, CONFLICT. */
export function drift(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  request: { threads?: number | undefined; dryRun?: boolean | undefined },
): Promise<ServicePlanAnswer> {
  return act(
    ports,
    principal,
    name,
    { ...request, keepGoing: true },
    {
      action: 'drift',
      title: 'look for drift',
      plan: async (applied) => planCheck(applied, { threads: request.threads }),
    },
  );
}

function act(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  { dryRun, keepGoing = false }: { dryRun?: boolean | undefined; keepGoing?: boolean | undefined },
  what: {
    action: TaskAction;
    title: string;
    plan(applied: ReadonlyMap<string, AppliedResource>, instance: Instance): Promise<Plan>;
  },
): Promise<ServicePlanAnswer> {
  return ports.turns.alone(name, async () => {
    const { tasks } = ports;
    if (dryRun !== true) tasks.assertIdle(name);
    const instance = await findInstance(ports, name);
    const applied = await tasks.applied(name);
    if (applied.size === 0) {
      throw new DtkdError('CONFLICT', `service "${name}" has no applied resources: it is ${instance.status.phase}`, {
        next: `Converge it first: dtkd converge ${name}.`,
      });
    }
    const plan = await what.plan(applied, instance);
    const answer = planAnswerOf({ ...plan, notes: [], tree: '' });
    if (dryRun === true || plan.steps.length === 0) return answer;
    const { name: task } = await tasks.start({
      instance: name,
      principal,
      action: what.action,
      title: what.title,
      commit: instance.status.applied,
      plan,
      keepGoing,
      goals: new Map(applied),
      applied,
      begin: async (tx, { metadata }) => {
        await changeInstance(tx, ports, name, { task: metadata.name });
      },
      finish: async (tx) => {
        await changeInstance(tx, ports, name, await appliedNow(ports, name));
      },
    });
    return { ...answer, task };
  });
}
