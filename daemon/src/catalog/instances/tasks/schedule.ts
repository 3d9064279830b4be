/**
 * The order in which the steps of a task run: which may start now, and how the end of one affects others. A group ends with its
 * last child. Has no clock and starts nothing. Pure but for its own state.
 */
import type { TaskState } from '../../../../../protocol/kinds/task.ts';

export interface ScheduledStep {
  number: string;
  after: readonly string[];
  /** False for groups, which have steps below them. */
  works: boolean;
}

interface Entry {
  readonly step: ScheduledStep;
  readonly parent: Entry | undefined;
  readonly children: Entry[];
  /** Steps that wait for this one. */
  readonly dependents: Entry[];
  /** Number of steps that it still waits for. */
  waiting: number;
  /** For groups: number of children that have not ended. */
  open: number;
  state: TaskState;
}

const ENDED: ReadonlySet<TaskState> = new Set(['succeeded', 'failed', 'cancelled', 'skipped']);

export class Schedule {
  readonly #entries = new Map<string, Entry>();
  readonly #ready = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #keepGoing: boolean;
  #stopped = false;

  /** `steps` in tree order: a group comes before its children. */
  constructor(steps: readonly ScheduledStep[], { keepGoing }: { keepGoing: boolean }) {
    this.#keepGoing = keepGoing;
    for (const step of steps) {
      const parent = this.#parentOf(step.number);
      const entry: Entry = { step, parent, children: [], dependents: [], waiting: 0, open: 0, state: 'created' };
      this.#entries.set(step.number, entry);
      parent?.children.push(entry);
    }
    for (const entry of this.#entries.values()) {
      entry.open = entry.children.length;
      for (const number of entry.step.works ? afterOf(entry) : []) {
        const before = this.#entries.get(number);
        if (before === undefined) continue;
        before.dependents.push(entry);
        entry.waiting += 1;
      }
    }
    for (const entry of this.#entries.values()) this.#look(entry);
    for (const entry of [...this.#entries.values()].reverse())
      if (!entry.step.works && entry.children.length === 0) this.#end(entry, 'skipped');
  }

  state(number: string): TaskState {
    return this.#entries.get(number)?.state ?? 'skipped';
  }

  /** At most `most` steps that may start, in the order in which they became ready; initially tree order. */
  ready(most = Number.POSITIVE_INFINITY): string[] {
    const first: string[] = [];
    for (const number of this.#ready) {
      if (first.length >= most) break;
      first.push(number);
    }
    return first;
  }

  started(number: string): void {
    const entry = this.#entries.get(number);
    if (entry === undefined || entry.state !== 'created') return;
    this.#ready.delete(number);
    for (let one: Entry | undefined = entry; one?.state === 'created'; one = one.parent) this.#set(one, 'executing');
  }

  ended(number: string, state: 'succeeded' | 'failed' | 'cancelled' | 'skipped'): void {
    const entry = this.#entries.get(number);
    if (entry === undefined || ENDED.has(entry.state)) return;
    this.#end(entry, state);
    if (state === 'failed' && !this.#keepGoing) this.stop();
  }

  /** Lets nothing more start: steps that have not begun are skipped. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const entry of this.#entries.values()) if (entry.step.works && entry.state === 'created') this.#end(entry, 'skipped');
  }

  /** Numbers of the steps whose state has changed since the last call. */
  changes(): string[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** The outcome. All steps must have ended. */
  outcome(): 'succeeded' | 'failed' {
    for (const entry of this.#entries.values()) if (entry.step.works && entry.state !== 'succeeded') return 'failed';
    return 'succeeded';
  }

  #parentOf(number: string): Entry | undefined {
    for (let at = number.lastIndexOf('.'); at > 0; at = number.lastIndexOf('.', at - 1)) {
      const parent = this.#entries.get(number.slice(0, at));
      if (parent !== undefined) return parent;
    }
    return undefined;
  }

  #look(entry: Entry): void {
    if (entry.step.works && entry.waiting === 0 && entry.state === 'created' && !this.#stopped) this.#ready.add(entry.step.number);
  }

  #set(entry: Entry, state: TaskState): void {
    entry.state = state;
    this.#changed.add(entry.step.number);
  }

  #end(first: Entry, state: TaskState): void {
    const ending: [Entry, TaskState][] = [[first, state]];
    for (let next = ending.pop(); next !== undefined; next = ending.pop()) {
      const [entry, as] = next;
      if (ENDED.has(entry.state)) continue;
      this.#ready.delete(entry.step.number);
      this.#set(entry, as);
      for (const dependent of entry.dependents) {
        dependent.waiting -= 1;
        if (as === 'succeeded') this.#look(dependent);
        else if (dependent.state === 'created') ending.push([dependent, 'skipped']);
      }
      const { parent } = entry;
      if (parent === undefined) continue;
      parent.open -= 1;
      if (parent.open === 0) ending.push([parent, groupState(parent.children)]);
    }
  }
}

/** What a step waits for, including what its groups wait for. */
function afterOf(entry: Entry): Set<string> {
  const after = new Set<string>();
  for (let one: Entry | undefined = entry; one !== undefined; one = one.parent) for (const number of one.step.after) after.add(number);
  return after;
}

function groupState(children: readonly Entry[]): TaskState {
  const states = new Set(children.map(({ state }) => state));
  if (states.has('failed')) return 'failed';
  if (states.has('cancelled')) return 'cancelled';
  if (states.has('succeeded')) return states.has('skipped') ? 'skipped' : 'succeeded';
  return 'skipped';
}
