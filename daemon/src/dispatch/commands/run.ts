/** Runs one prepared command: its steps in sequence or concurrently, with retries, handlers and time limits. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { LogLevel } from '../../../../protocol/orders/records.ts';
import type { Clock, CommandResult, ScriptResult, ScriptRunner } from './commands.types.ts';
import {
  abortedBy,
  type Ended,
  expiredBy,
  failed,
  isFinal,
  isUnknown,
  type Limit,
  leaving,
  nearer,
  ofScript,
  resultOf,
  summary,
  WELL,
} from './ended.ts';
import type { PreparedDispatch, PreparedScript, PreparedStep, PreparedWork, PreparedWorkflow } from './prepared.types.ts';

/** Longest wait between two attempts: one day. Longer waits do not fit Node's timers. */
const MAX_WAIT_MS = 24 * 3_600_000;
/** The step number of dtkd's own lines, which belong to no script. */
const NO_STEP = 0;

export class Run {
  readonly #runner: ScriptRunner;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  #started = 0;

  constructor(runner: ScriptRunner, signal: AbortSignal, clock: Clock) {
    this.#runner = runner;
    this.#signal = signal;
    this.#clock = clock;
  }

  async start(work: PreparedWork, timeoutMs: number | undefined): Promise<CommandResult> {
    return resultOf(await this.#work(work, this.#limit(undefined, timeoutMs, 'it')));
  }

  async #work(work: PreparedWork, outer: Limit | undefined): Promise<Ended> {
    const name = work.kind === 'script' ? work.script.command : work.command;
    const own = this.#limit(outer, work.timeoutMs, `the command "${name}"`);
    return leaving(await this.#inner(work, own), own, outer);
  }

  #inner(work: PreparedWork, limit: Limit | undefined): Promise<Ended> {
    switch (work.kind) {
      case 'script':
        return this.#script(work, limit);
      case 'workflow':
        return this.#workflow(work, limit);
      case 'dispatch':
        return this.#dispatch(work, limit);
    }
  }

  async #script({ script }: PreparedScript, limit: Limit | undefined): Promise<Ended> {
    const stopped = this.#stopped(limit);
    if (stopped !== undefined) return stopped;
    this.#started += 1;
    const timeoutMs = limit === undefined ? undefined : limit.at - this.#clock.now();
    const ended = ofScript(await this.#run(script, timeoutMs));
    if (ended.ok) return ended;
    // Keep how the process ended, but report why dtkd ended it: that says more.
    if (this.#signal.aborted) return { ...abortedBy(this.#signal), result: { ...ended.result, ...abortedBy(this.#signal).result } };
    if (limit !== undefined && ended.result.error?.code === 'DEADLINE') {
      return { ...expiredBy(limit), result: { ...ended.result, ...expiredBy(limit).result } };
    }
    return ended;
  }

  async #run(script: PreparedScript['script'], timeoutMs: number | undefined): Promise<ScriptResult> {
    try {
      return await this.#runner.run({ ...script, step: this.#started }, { timeoutMs, signal: this.#signal });
    } catch (error) {
      if (error instanceof DtkdError) return { error: { code: error.code, message: error.message } };
      // The script may have been started before the error.
      return { unknown: true, error: { code: 'INTERNAL', message: 'something went wrong in dtkd while it ran' } };
    }
  }

  async #workflow({ command, steps, threads }: PreparedWorkflow, limit: Limit | undefined): Promise<Ended> {
    const count = steps.length;
    const ended = await this.#together(steps, { threads, keepGoing: false }, (step, index) =>
      this.#step(step, `workflow command (${index + 1}/${count})`, command, limit),
    );
    return summary(ended, (index) => `step ${index + 1}/${count} "${steps[index]?.label}"`);
  }

  /** Runs a step with its attempts and handlers. `place` names it in its log lines; `command` is the command that these lines belong to. */
  async #step(step: PreparedStep, place: string, command: string, outer: Limit | undefined): Promise<Ended> {
    const stopped = this.#stopped(outer);
    if (stopped !== undefined) return stopped;
    const shown = `${place} -> "${step.label} "`;
    this.#log('info', command, `begin ${shown} ...`);
    const ended = await this.#attempts(step, shown, command, outer);
    if (ended.ok) {
      this.#log('info', command, `end ${shown}`);
      return ended;
    }
    if (isFinal(ended) || step.onFailure === 'fail' || (isUnknown(ended) && step.onFailure !== 'ignore')) {
      this.#log('error', command, `error ${shown} : ${ended.reason}`);
      return ended;
    }
    this.#log('warning', command, `error ${shown} : ${ended.reason}`);
    const handled = step.onFailure === 'ignore' ? WELL : await this.#handle(step.onFailure, ended, command, outer);
    if (handled.ok) this.#log('info', command, `end ${shown}`);
    else this.#log('error', command, `error ${shown} : ${handled.reason}`);
    return handled;
  }

  async #attempts(step: PreparedStep, shown: string, command: string, outer: Limit | undefined): Promise<Ended> {
    let delayMs = step.delayMs;
    for (let attempt = 1; ; attempt++) {
      const own = this.#limit(outer, step.timeoutMs, `the step "${step.label}"`);
      const ended = leaving(await this.#work(step.work, own), own, outer);
      if (ended.ok || isFinal(ended) || isUnknown(ended) || attempt >= step.attempts) return ended;
      const waitMs = Math.min(delayMs, MAX_WAIT_MS);
      if (outer !== undefined && this.#clock.now() + waitMs >= outer.at) {
        return { ...ended, reason: `${ended.reason}; no time is left for attempt ${attempt + 1} of ${step.attempts}` };
      }
      const next = `attempt ${attempt + 1}/${step.attempts} in ${seconds(waitMs)}`;
      this.#log('warning', command, `retry ${shown} : ${ended.reason}, ${next}`);
      await this.#clock.wait(waitMs, this.#signal);
      const stopped = this.#stopped(outer);
      if (stopped !== undefined) return stopped;
      delayMs *= step.backoff;
    }
  }

  async #handle(handlers: readonly PreparedStep[], failure: Ended, command: string, outer: Limit | undefined): Promise<Ended> {
    const count = handlers.length;
    const ended = await this.#together(handlers, { threads: 1, keepGoing: false }, (step, index) =>
      this.#step(step, `handler (${index + 1}/${count})`, command, outer),
    );
    const whole = summary(ended, (index) => `handler ${index + 1}/${count} "${handlers[index]?.label}"`);
    return whole.ok ? whole : { ...whole, reason: `${failure.reason}; ${whole.reason}` };
  }

  async #dispatch(work: PreparedDispatch, limit: Limit | undefined): Promise<Ended> {
    const { command, groups, threads, keepGoing } = work;
    const all = groups.flat();
    if (all.length === 0) {
      if (work.requireMatch) return failed('NO_MATCH', `there are no ${work.sought} here`);
      this.#log('info', command, `there are no ${work.sought} here`);
      return WELL;
    }
    const ended: (Ended | undefined)[] = [];
    for (const group of groups) {
      const before = ended.length;
      const place = (index: number) => `dispatch command (${before + index + 1}/${all.length})`;
      const parts = await this.#together(group, { threads, keepGoing }, (part, index) => this.#part(part, place(index), command, limit));
      ended.push(...parts);
      if (parts.some((one) => one === undefined || isFinal(one) || (!one.ok && !keepGoing))) break;
    }
    return summary(ended, (index) => `${index + 1}/${all.length} "${all[index]?.label}"`);
  }

  async #part(part: { label: string; work: PreparedWork }, place: string, command: string, limit: Limit | undefined): Promise<Ended> {
    const stopped = this.#stopped(limit);
    if (stopped !== undefined) return stopped;
    const shown = `${place} -> "${part.label} "`;
    this.#log('info', command, `begin ${shown} ...`);
    const ended = await this.#work(part.work, limit);
    if (ended.ok) this.#log('info', command, `end ${shown}`);
    else this.#log('error', command, `error ${shown} : ${ended.reason}`);
    return ended;
  }

  /**
   * Runs up to `threads` items at a time, in order. After a failure it starts no more, unless `keepGoing`, and waits for the running
   * ones. Nothing more starts after an abort or an expired limit. Items that were not started stay undefined.
   */
  async #together<T>(
    items: readonly T[],
    { threads, keepGoing }: { threads: number; keepGoing: boolean },
    start: (item: T, index: number) => Promise<Ended>,
  ): Promise<(Ended | undefined)[]> {
    const results = new Array<Ended | undefined>(items.length).fill(undefined);
    const waiting = items.entries();
    let stop = false;
    const worker = async () => {
      for (const [index, item] of waiting) {
        const ended = await start(item, index);
        results[index] = ended;
        stop ||= !ended.ok && (!keepGoing || isFinal(ended));
        if (stop) return;
      }
    };
    await Promise.all(Array.from({ length: Math.min(threads, items.length) }, worker));
    return results;
  }

  #stopped(limit: Limit | undefined): Ended | undefined {
    if (this.#signal.aborted) return abortedBy(this.#signal);
    return limit !== undefined && this.#clock.now() >= limit.at ? expiredBy(limit) : undefined;
  }

  #limit(outer: Limit | undefined, timeoutMs: number | undefined, what: string): Limit | undefined {
    return nearer(outer, timeoutMs === undefined ? undefined : { at: this.#clock.now() + timeoutMs, what });
  }

  #log(level: LogLevel, command: string, text: string): void {
    this.#runner.log(level, NO_STEP, command, text);
  }
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${ms}ms` : `${Math.round(ms / 100) / 10}s`;
}
