/** Shows the output of each target as a whole, once the target has ended and all of its output is here. */
import { escapeControls } from '../output/escape.ts';
import { BatchedScreen } from './batched-screen.ts';
import type { ExecutionView, PartView, ShownParts } from './execution.ts';
import type { FollowEvent } from './follow-event.ts';
import { HeldOutput } from './held-output.ts';
import { durationOf, whyOf } from './summary.ts';
import type { FollowView, Screen } from './view.types.ts';

/** How each target is shown. */
export interface GroupForm {
  view(screen: Screen): FollowView;
  /** A line before its output. */
  heading?(part: PartView): string;
}

export class GroupView implements FollowView {
  readonly #screen: Screen;
  readonly #form: GroupForm;
  readonly #held = new HeldOutput();
  readonly #parts = new Map<number, { view: FollowView; screen: BatchedScreen }>();
  readonly #received = new Map<number, number>();
  readonly #shown: Set<number>;
  readonly #rest: FollowView;

  constructor(screen: Screen, form: GroupForm, shown?: ShownParts) {
    this.#screen = screen;
    this.#shown = new Set(shown?.keys());
    this.#form = form;
    this.#rest = form.view(screen);
  }

  show(event: FollowEvent, execution: ExecutionView): void {
    if (event.type === 'output') {
      const { view, screen } = this.#viewOf(event.index);
      view.show(event, execution);
      screen.flush();
      this.#received.set(event.index, event.next);
      const part = execution.parts.get(event.index);
      if (part !== undefined) this.#showIfWhole(part, execution);
    } else if (event.type === 'part') this.#showIfWhole(event.part, execution);
    else {
      this.#rest.show(event, execution);
      if (event.type === 'execution') for (const part of execution.parts.values()) this.#showIfWhole(part, execution);
    }
  }

  end(execution: ExecutionView): void {
    for (const part of execution.parts.values()) if (part.state === 'ended' || this.#parts.has(part.index)) this.#show(part, execution);
    this.#held.close();
  }

  #showIfWhole(part: PartView, execution: ExecutionView): void {
    if (part.state === 'ended' && (this.#received.get(part.index) ?? 0) >= part.offset) this.#show(part, execution);
  }

  #show(part: PartView, execution: ExecutionView): void {
    if (this.#shown.has(part.index)) return;
    this.#shown.add(part.index);
    const { view, screen } = this.#viewOf(part.index);
    view.end(execution);
    view.show({ type: 'part', part }, execution);
    screen.flush();
    const heading = this.#form.heading?.(part);
    if (heading !== undefined) this.#screen.out(`${heading}\n`);
    this.#held.release(part.index, this.#screen);
    this.#parts.delete(part.index);
  }

  #viewOf(index: number): { view: FollowView; screen: BatchedScreen } {
    let part = this.#parts.get(index);
    if (part === undefined) {
      const screen = new BatchedScreen(this.#held.screen(index));
      part = { view: this.#form.view(screen), screen };
      this.#parts.set(index, part);
    }
    return part;
  }
}

/** `---- node1 demo.Service.web Start: failed, exit status 3 (0.4s) ----`. */
export function headingOf(part: PartView): string {
  const why = part.outcome === 'succeeded' ? '' : whyOf(part);
  const took = durationOf(part, part.startedAt ?? 0);
  const how = `${part.outcome ?? part.state}${why === '' ? '' : `, ${why}`}${took === '' ? '' : ` (${took})`}`;
  return escapeControls(`---- ${part.node} ${part.what}: ${how} ----`);
}
