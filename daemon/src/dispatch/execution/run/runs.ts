/** Executions that still run or settle here, and who started each. Enforces the limits on their number. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { fieldsOf } from '../execution-object.ts';
import { MAX_RUNNING_PARTS, MAX_RUNNING_PER_USER } from '../limits.ts';
import type { Run } from './run.ts';

export class Runs {
  readonly #runs = new Map<string, { run: Run; starter: string | undefined }>();

  /** `starter`: the user whose limit it counts against. Absent if the caller limits their number itself. */
  add(id: string, run: Run, starter: string | undefined): void {
    this.#runs.set(id, { run, starter });
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id)?.run;
  }

  has(id: string): boolean {
    return this.#runs.has(id);
  }

  delete(id: string): void {
    this.#runs.delete(id);
  }

  *values(): Generator<Run> {
    for (const { run } of this.#runs.values()) yield run;
  }

  /** Executions that have not ended, and their targets that have not. */
  counts(): { running: number; parts: number } {
    let running = 0;
    let parts = 0;
    for (const run of this.values()) {
      const open = run.openParts();
      parts += open;
      if (open > 0) running += 1;
    }
    return { running, parts };
  }

  /** Targets whose orders are held. */
  queued(): number {
    let queued = 0;
    for (const run of this.values()) queued += run.queuedParts();
    return queued;
  }

  /** Digests of the code that held orders name, for targets in these domains. */
  waitingCode(domains: ReadonlySet<string>): ReadonlySet<string> {
    const digests = new Set<string>();
    for (const run of this.values()) {
      for (const { index, domain, work } of fieldsOf(run.object())?.spec.targets ?? []) {
        if (work.type !== 'command' || !domains.has(domain) || run.part(index)?.state !== 'queued') continue;
        for (const digest of Object.values(work.code)) digests.add(digest);
      }
    }
    return digests;
  }

  /** Errors: TOO_MANY_REQUESTS. */
  assertRoom(starter: string | undefined, parts: number): void {
    const own = [...this.#runs.values()].filter(
      (one) => starter !== undefined && one.starter === starter && one.run.openParts() > 0,
    ).length;
    if (own >= MAX_RUNNING_PER_USER) {
      throw new DtkdError('TOO_MANY_REQUESTS', `${own} of your executions are running; at most ${MAX_RUNNING_PER_USER} may run at a time`, {
        next: 'Wait for one of them to end, or abort one.',
      });
    }
    const sum = this.counts().parts;
    if (sum + parts > MAX_RUNNING_PARTS) {
      throw new DtkdError(
        'TOO_MANY_REQUESTS',
        `${sum} targets run executions of this node; with ${parts} more it would be more than ${MAX_RUNNING_PARTS}`,
        { next: 'Wait for running executions to end.' },
      );
    }
  }
}
