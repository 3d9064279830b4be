/**
 * Follows a task to its end, over as many connections as that takes. The daemon repeats everything on each connection; output that was
 * shown, and the note that there is more of it, are not shown again.
 */
import type { ApiClient } from '../client/api.ts';
import { isCut, type Pause, Search } from '../client/search.ts';
import { type Named, taskTarget } from '../client/services.ts';
import { applyLine, emptyTask, hasEnded, type OutputLine, type TaskLine, type TaskView, taskLineOf } from './task.ts';
import type { TaskFollowView } from './task-views.ts';

export interface TaskFollowOptions {
  view: TaskFollowView;
  signal: AbortSignal;
  onContact(event: 'lost' | 'found'): void;
  pause?: Pause;
}

export class TaskFollowing {
  readonly #client: Pick<ApiClient, 'lines'>;
  readonly #named: Named;
  readonly #options: TaskFollowOptions;
  readonly #task: TaskView;
  /** Characters of output shown so far, by step and stream. */
  readonly #shown = new Map<string, number>();
  /** Executions for which the note that there is more output was shown. */
  readonly #cut = new Set<string>();

  constructor(client: Pick<ApiClient, 'lines'>, task: Named, options: TaskFollowOptions) {
    this.#client = client;
    this.#named = task;
    this.#options = options;
    this.#task = emptyTask(task.name);
  }

  get task(): TaskView {
    return this.#task;
  }

  /** `running`: the person detached. Errors: those of the request, DAEMON_UNREACHABLE. */
  async run(): Promise<'ended' | 'running'> {
    const { signal } = this.#options;
    const search = new Search(this.#options);
    for (;;) {
      let failure: unknown;
      try {
        if (await this.#read(search)) return 'ended';
      } catch (error) {
        if (!signal.aborted && !isCut(error)) throw error;
        failure = error;
      }
      if (signal.aborted) return 'running';
      await search.lost(failure);
    }
  }

  /** Reads one answer. False if it broke off before the task ended. */
  async #read(search: Search): Promise<boolean> {
    const told = new Map<string, number>();
    for await (const value of this.#client.lines(taskTarget(this.#named, 'follow'), this.#options.signal)) {
      search.found();
      const line = taskLineOf(value);
      if (line === undefined) continue;
      applyLine(this.#task, line);
      const fresh = line.type === 'output' ? this.#unseen(line, told) : line;
      if (fresh === undefined || (line.type === 'cut' && this.#cut.has(line.execution))) continue;
      if (line.type === 'cut') this.#cut.add(line.execution);
      this.#options.view.show(fresh, this.#task);
      if (line.type === 'end') return true;
    }
    return hasEnded(this.#task.state);
  }

  /** The part of an output line that was not shown yet. `told`: characters in this answer so far. */
  #unseen(line: OutputLine, told: Map<string, number>): TaskLine | undefined {
    const key = `${line.number} ${line.stream}`;
    const from = told.get(key) ?? 0;
    const to = from + line.text.length;
    told.set(key, to);
    const shown = this.#shown.get(key) ?? 0;
    if (to <= shown) return undefined;
    this.#shown.set(key, to);
    return from >= shown ? line : { ...line, text: line.text.slice(shown - from) };
  }
}
