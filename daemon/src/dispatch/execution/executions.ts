/**
 * The starting side of dispatch: plans requests, freezes plans into Execution objects, tells the targets, collects their answers, and
 * shows executions, also those that other nodes started. Guarantees that after a restart it is known which targets may have been told,
 * and that each part ends with the outcome that can be known. Does not decide what may run: targets do.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { ContextAnswer, FollowLine, PlanAnswer } from '../../../../protocol/requests/follow.ts';
import { CREATOR_ANNOTATION, displayOf, OPERATOR, type Principal, SELF, subjectText } from '../../../../protocol/rights/principal.ts';
import type { KnownContext } from '../plan/context.ts';
import type { Plan } from '../plan/plan.types.ts';
import { createPlanner, type Planner } from '../plan/planner.ts';
import { asLongAs } from '../target/visibility.ts';
import { executionActions } from './actions.ts';
import { abortElsewhere } from './elsewhere/aborting.ts';
import { ElsewhereView } from './elsewhere/elsewhere-view.ts';
import { executionRef, fieldsOf } from './execution-object.ts';
import type {
  AbortAnswer,
  DispatchOptions,
  ExecutionAction,
  Executions,
  ExecutionsOptions,
  PreparedDispatch,
  StartedExecutions,
} from './executions.types.ts';
import { SWEEP_MS, TIMING } from './limits.ts';
import { type Known, type LookupPorts, lookUp, may, seenBy, startedHere } from './lookup.ts';
import { forgetOpen, keepOpen, openRows, principalOf } from './open-rows.ts';
import { assertWhole, planAgain } from './plans/plan-again.ts';
import { emptyExecution, planAnswer } from './plans/plan-answer.ts';
import { MOST_AGE_MS, PlansAhead } from './plans/plans-ahead.ts';
import { removeCollected, removeOld } from './retention.ts';
import { FinishedCounts, type FinishedFigures } from './run/finished-counts.ts';
import type { Run } from './run/run.ts';
import { Runs } from './run/runs.ts';
import { RunsAhead } from './run/runs-ahead.ts';
import { endOf, unless } from './run/waiting.ts';
import { collectedDirectory, collectedIn, type Started, type StartingPorts, startRun, takeUpRun } from './starting.ts';
import { type FollowOptions, follow } from './views/follow.ts';
import { handleOf, handlesOf } from './views/handles.ts';
import { storedView } from './views/stored-view.ts';
import type { View } from './views/view.types.ts';

export function createExecutions(options: ExecutionsOptions): Executions {
  return new StartedHere(options);
}

class StartedHere implements Executions {
  readonly actions: ReadonlyMap<string, ExecutionAction>;
  readonly started: StartedExecutions;
  readonly handler: Executions['handler'];
  readonly #options: ExecutionsOptions;
  readonly #planner: Planner;
  readonly #plansAhead: PlansAhead;
  readonly #runsAhead = new RunsAhead();
  readonly #runs = new Runs();
  readonly #finished = new FinishedCounts();
  readonly #ports: StartingPorts;
  readonly #lookup: LookupPorts;
  /** Resolves once the executions that an earlier daemon left have been taken up. */
  readonly #ready = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  #sweep: NodeJS.Timeout | undefined;
  #forget: (() => void) | undefined;
  #closed = false;

  constructor(options: ExecutionsOptions) {
    this.#options = options;
    const { store, node, members, isGone, target, holding, content, directory, logger, now, access, names } = options;
    this.#planner = createPlanner(options);
    this.#plansAhead = new PlansAhead({ store, members, self: node.signingKey });
    const timing = { ...TIMING, ...options.timing };
    this.#ports = {
      node,
      members,
      isGone,
      target,
      holding,
      content,
      directory,
      logger,
      now,
      timing,
      save: (object, open) => this.#save(object, open),
      mark: (id, upTo) => store.transact(async (tx) => keepOpen(tx, id, upTo)),
      finished: (parts) => this.#finished.add(parts),
    };
    this.#lookup = { store, node, members, target, access, names, runs: this.#runs };
    this.actions = executionActions({
      dispatch: (principal, request) => this.dispatch(principal, request),
      plan: (principal, request) => this.plan(principal, request),
      context: (principal, known) => this.context(principal, known),
      follow: (principal, id, how) => this.follow(principal, id, how),
      show: (principal, id) => this.show(principal, id),
      abort: (principal, id, index) => this.abort(principal, id, index),
      resume: (principal, id, pause) => this.resume(principal, id, pause),
      retry: (principal, id, dryRun) => this.retry(principal, id, dryRun),
    });
    this.started = {
      find: (principal, id) => this.#find(principal, id),
      attach: (principal, id, index) => this.#attach(principal, id, index),
      abort: (principal, id, index) => this.#abortForOthers(principal, id, index),
    };
    this.handler = { delete: (object, context) => this.#deleted(object, context) };
  }

  async start(): Promise<void> {
    const { holding, logger } = this.#options;
    this.#forget = holding.onDelivery(({ id, index }) => this.#runs.get(id)?.look(index));
    await this.#takeUpAll();
    this.#ready.resolve();
    const sweep = () => {
      this.#removeOld().catch((error: unknown) => logger.warn({ err: error }, 'Old executions could not be removed'));
    };
    this.#sweep = setInterval(sweep, SWEEP_MS);
    this.#sweep.unref();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopping.abort(new DtkdError('UNAVAILABLE', 'the daemon is stopping; targets that were told go on'));
    clearInterval(this.#sweep);
    this.#plansAhead.stop();
    this.#runsAhead.stop();
    this.#forget?.();
    await Promise.all([...this.#runs.values()].map((run) => run.close()));
  }

  counts(): { running: number; parts: number } {
    return this.#runs.counts();
  }

  figures(): FinishedFigures & { running: number; queued: number } {
    return { ...this.#finished.figures(), running: this.counts().running, queued: this.#runs.queued() };
  }

  async plan(principal: Principal, request: DispatchRequestSpec): Promise<PlanAnswer> {
    return planAnswer(await this.#planner.plan(principal, request), request);
  }

  context(principal: Principal, known: KnownContext): Promise<ContextAnswer> {
    return this.#planner.context(principal, known);
  }

  async dispatch(principal: Principal, request: DispatchRequestSpec, options: DispatchOptions = {}): Promise<ApiObject> {
    return this.#begin(principal, request, await this.#planner.plan(principal, request), options);
  }

  async prepare(principal: Principal, request: DispatchRequestSpec): Promise<PreparedDispatch> {
    const plan = () => this.#planner.plan(principal, request);
    const ahead = await this.#plansAhead.make(plan);
    const made = ahead();
    const canBeReady = made?.parts.length === 1 && request.put === undefined && request.queue === undefined;
    const ready = canBeReady ? this.#runsAhead.keep(startRun(this.#ports, principal, request, made), MOST_AGE_MS) : undefined;
    return {
      dispatch: async (options = {}) => {
        const counts = ahead();
        return this.#begin(principal, request, counts ?? (await plan()), options, ready?.(counts !== undefined));
      },
    };
  }

  async ended(principal: Principal, id: string, signal: AbortSignal, succeeded?: () => void): Promise<ApiObject> {
    const signals = [signal, this.#stopping.signal];
    await unless(signals, this.#ready.promise);
    const known = await startedHere(this.#lookup, principal, id);
    if (known === undefined) throw new DtkdError('NOT_FOUND', `this node has not started an execution ${id.slice(0, 12)}`);
    return known.at === 'running' ? endOf(known.run, signals, succeeded) : known.object;
  }

  async follow(
    principal: Principal,
    id: string,
    { from, signal, allNotes }: { from?: ReadonlyMap<number, number>; signal: AbortSignal; allNotes?: boolean },
  ): Promise<AsyncIterable<FollowLine>> {
    const known = await lookUp(this.#lookup, principal, id);
    const mayRead = seenBy(this.#lookup, principal, known);
    return followed(() => this.#viewOf(known, principal, from ?? new Map()), { from, signal, allNotes }, mayRead);
  }

  async answered(
    { domain, target }: { domain: string; target: string },
    { id, index }: { id: string; index: number },
    answer: { part: Part; records: Uint8Array },
  ): Promise<'taken' | 'known'> {
    const { store, node } = this.#options;
    const run = this.#runs.get(id);
    const object = run?.object() ?? (await store.get(executionRef(node.name, id)));
    const fields = object === undefined ? undefined : fieldsOf(object);
    if (fields === undefined) throw new DtkdError('NOT_FOUND', `this node knows no execution ${id.slice(0, 12)} (any more)`);
    const planned = fields.spec.targets.find((one) => one.index === index);
    if (planned === undefined || planned.domain !== domain || planned.key !== target || answer.part.index !== index) {
      throw new DtkdError('ORDER_INVALID', 'the answer is not from the target of that order');
    }
    if (run !== undefined) return (await run.answered(index, answer, this.#ports.timing.answerMs)) ? 'taken' : 'known';
    const part = fields.status?.parts.find((one) => one.index === index);
    if (part?.state === 'ended' && part.outcome !== 'unknown') return 'known';
    throw new DtkdError('GONE', `execution ${id.slice(0, 12)} is over: no answer is awaited any more`);
  }

  waitingCode(domains: ReadonlySet<string>): ReadonlySet<string> {
    return this.#runs.waitingCode(domains);
  }

  async show(principal: Principal, id: string): Promise<ApiObject> {
    const known = await lookUp(this.#lookup, principal, id);
    switch (known.at) {
      case 'running':
        return known.run.object();
      case 'here':
        return known.object;
      case 'elsewhere':
        return known.merged.object;
    }
  }

  async abort(principal: Principal, text: string, index?: number): Promise<AbortAnswer> {
    const known = await lookUp(this.#lookup, principal, text);
    this.#audit(principal, 'abort', known.at === 'running' ? known.run.id : text, 'asked for');
    if (known.at === 'here') return { id: known.object.metadata.name, told: [], notTold: [] };
    if (known.at === 'elsewhere') {
      const { members, target } = this.#options;
      return abortElsewhere({ members, target, principal, timing: this.#ports.timing, merged: known.merged, index });
    }
    this.#assertMayEnd(principal, known.run);
    return known.run.abort(index);
  }

  async resume(principal: Principal, text: string, pause?: number): Promise<ApiObject> {
    const known = await lookUp(this.#lookup, principal, text);
    if (known.at === 'elsewhere') {
      const { starter } = fieldsOf(known.merged.object)?.spec ?? { starter: 'another node' };
      throw new DtkdError('CONFLICT', `the execution was started by ${starter}and is resumed there`, { next: `Resume it at ${starter}.` });
    }
    if (known.at === 'here') throw new DtkdError('CONFLICT', 'the execution is not paused: it has ended');
    this.#assertMayEnd(principal, known.run);
    known.run.resume(pause);
    this.#audit(principal, 'resume', known.run.id, 'asked for');
    return known.run.object();
  }

  async retry(principal: Principal, text: string, dryRun: boolean): Promise<ApiObject | PlanAnswer> {
    const known = await lookUp(this.#lookup, principal, text);
    const object = known.at === 'running' ? known.run.object() : known.at === 'here' ? known.object : known.merged.object;
    if (known.at === 'elsewhere' && !dryRun) assertWhole(text, object);
    const { plan, request } = await planAgain({ ...this.#options, planner: this.#planner }, principal, object);
    return dryRun ? planAnswer(plan, request) : this.#begin(principal, request, plan);
  }

  /** `made`: the run that was already made from this plan, if any. */
  async #begin(
    principal: Principal,
    request: DispatchRequestSpec,
    plan: Plan,
    { record }: DispatchOptions = {},
    made?: Started,
  ): Promise<ApiObject> {
    const { store, content } = this.#options;
    if (plan.parts.length === 0) {
      return emptyExecution(this.#options.node.name, principal, request, { now: this.#options.now(), why: plan.notes[0] });
    }
    // a caller that records its executions limits their number itself
    const starter = record === undefined ? starterText(principal) : undefined;
    try {
      this.#runs.assertRoom(starter, plan.parts.length);
    } catch (error) {
      await made?.run.close();
      throw error;
    }
    const { run, frozen } = made ?? startRun(this.#ports, principal, request, plan);
    const { id } = frozen;
    // counted before it is stored, so that concurrent dispatches cannot exceed the limits meanwhile
    this.#runs.add(id, run, starter);
    const marked = run.firstWave();
    run.approach();
    try {
      if (request.put !== undefined) await this.#allowFile(request.put.digest, plan, frozen.notAfter + plan.timeoutMs, content);
      // finds out ahead that no such object exists, so that the transaction need not wait for the disk: others wait for the transaction
      void store.get(executionRef(this.#options.node.name, id)).catch(() => undefined);
      const stored = await store.transact(async (tx) => {
        keepOpen(tx, id, marked);
        record?.(tx, id);
        return tx.put(run.begins(this.#options.now()));
      });
      run.isStored(stored);
    } catch (error) {
      this.#drop(id);
      await run.close();
      throw error;
    }
    this.#audit(principal, 'dispatch', id, `${plan.parts.length} targets; each decides by itself`);
    void run.run(marked).finally(() => this.#drop(id));
    return run.object();
  }

  /** Allows the targets to fetch the file, which they do by its digest. */
  async #allowFile(digest: string, plan: Plan, until: number, content: ExecutionsOptions['content']): Promise<void> {
    const readers = plan.parts.flatMap(({ target }) => (target.self ? [] : [{ domain: target.domain, key: target.key }]));
    await content.allow(digest, readers, until);
  }

  async #save(object: ApiObject, open: boolean): Promise<void> {
    const { store, node } = this.#options;
    const id = object.metadata.name;
    await store.transact(async (tx) => {
      const stored = await tx.get(executionRef(node.name, id));
      if (stored !== undefined) await tx.put({ ...stored, status: object['status'] });
      if (!open || stored === undefined) forgetOpen(tx, id);
    });
  }

  async #takeUpAll(): Promise<void> {
    const { store, logger } = this.#options;
    for await (const { id, told } of openRows(store.kv)) {
      try {
        await this.#takeUp(id, told);
      } catch (error) {
        logger.warn({ err: error, id }, 'An execution could not be taken up again');
      }
    }
  }

  async #takeUp(id: string, told: number): Promise<void> {
    const { store, node, now } = this.#options;
    const object = await store.get(executionRef(node.name, id));
    const fields = object === undefined ? undefined : fieldsOf(object);
    const run =
      object === undefined || fields === undefined ? undefined : await takeUpRun(this.#ports, principalOf(object), object, fields);
    if (object === undefined || run?.worthTakingUp(now()) !== true) {
      await store.transact(async (tx) => forgetOpen(tx, id));
      return;
    }
    this.#runs.add(id, run, object.metadata.annotations?.[CREATOR_ANNOTATION] ?? OPERATOR);
    void run.takeUp(told).finally(() => this.#drop(id));
  }

  #drop(id: string): void {
    if (this.#closed) return;
    this.#runs.delete(id);
  }

  #viewOf(known: Known, principal: Principal, from: ReadonlyMap<number, number>): View {
    const { directory, members, target, node, now, logger } = this.#options;
    switch (known.at) {
      case 'running':
        return known.run;
      case 'here':
        return storedView(known.object, known.fields, collectedDirectory(directory, known.object.metadata.name));
      case 'elsewhere':
        return new ElsewhereView({
          merged: known.merged,
          members,
          target,
          principal,
          self: node.name,
          from,
          timing: this.#ports.timing,
          now,
          logger,
        });
    }
  }

  async #find(principal: Principal, start: string): ReturnType<StartedExecutions['find']> {
    const [id, other] = await this.#options.names(start, 2);
    if (id === undefined || other !== undefined) return undefined;
    const known = await startedHere(this.#lookup, principal, id);
    if (known === undefined) return undefined;
    const view = this.#viewOf(known, principal, new Map());
    const fields = known.at === 'here' ? known.fields : fieldsOf(known.run.object());
    return fields === undefined ? undefined : handlesOf(view, fields.spec);
  }

  async #attach(principal: Principal, id: string, index: number): ReturnType<StartedExecutions['attach']> {
    const known = await startedHere(this.#lookup, principal, id);
    const view = known === undefined ? undefined : this.#viewOf(known, principal, new Map());
    const part = view?.part(index);
    if (known !== undefined && view !== undefined && part !== undefined) {
      return asLongAs(seenBy(this.#lookup, principal, known), handleOf(view, index, part));
    }
    throw new DtkdError('NOT_FOUND', `this node knows no part ${index} of execution ${id.slice(0, 12)}`);
  }

  async #abortForOthers(principal: Principal, id: string, index?: number): Promise<Part[]> {
    const known = await startedHere(this.#lookup, principal, id);
    if (known === undefined) throw new DtkdError('NOT_FOUND', `this node has not started an execution ${id.slice(0, 12)}`);
    if (known.at === 'here') return [];
    this.#assertMayEnd(principal, known.run);
    await known.run.abort(index);
    return [...known.run.indexes()].flatMap((at) => (index === undefined || index === at ? (known.run.part(at) ?? []) : []));
  }

  #assertMayEnd(principal: Principal, run: Run): void {
    if (may(this.#lookup, principal, 'EXECUTE', run.object())) return;
    throw new DtkdError('FORBIDDEN', `you may follow execution ${run.id.slice(0, 12)}, but not control it`, {
      next: 'The user who started it may, the operator of this node, and users with EXECUTE on its resource.',
    });
  }

  async #deleted(object: ApiObject, { dryRun }: { dryRun: boolean }): Promise<undefined> {
    const id = object.metadata.name;
    const run = this.#runs.get(id);
    if (run !== undefined && run.openParts() > 0) {
      throw new DtkdError('CONFLICT', `the execution ${id.slice(0, 12)} is still running`, {
        next: `End it first: dtkd executions abort ${id.slice(0, 12)}.`,
      });
    }
    if (dryRun || object.metadata.namespace !== this.#options.node.name) return undefined;
    await run?.close();
    this.#drop(id);
    await removeCollected(collectedIn(this.#options.directory), id);
    return undefined;
  }

  async #removeOld(): Promise<void> {
    const { store, node, directory, now } = this.#options;
    const keep = await this.#options.keep();
    const open = (id: string) => this.#runs.has(id);
    await removeOld({ store, node: node.name, directory: collectedIn(directory), keep, open, now: now() });
  }

  #audit(principal: Principal, verb: string, id: string, because: string): void {
    const home = principal.type === 'user' && principal.home !== SELF ? { home: principal.home } : {};
    this.#options.audit.record({ who: displayOf(principal), ...home, verb, what: `executions/${id}`, outcome: 'allowed', because });
  }
}

function starterText(principal: Principal): string {
  return principal.type === 'operator' ? OPERATOR : subjectText(principal);
}

/**
 * Makes a view for one reader when the first line is asked for (which may never happen), and closes it in the end. Errors: FORBIDDEN as
 * soon as `mayRead` returns false.
 */
async function* followed(make: () => View, how: FollowOptions, mayRead: () => boolean): AsyncGenerator<FollowLine> {
  const view = make();
  try {
    for await (const line of follow(view, how)) {
      if (!mayRead()) throw new DtkdError('FORBIDDEN', 'your right to see this execution has ended');
      yield line;
    }
  } finally {
    if (view instanceof ElsewhereView) view.close();
  }
}
