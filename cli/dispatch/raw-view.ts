import type { FollowEvent } from './follow-event.ts';
import type { FollowView, Screen } from './view.types.ts';

/** Writes what processes wrote, byte for byte, and nothing else: for pipes. */
export class RawView implements FollowView {
  readonly #screen: Screen;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(event: FollowEvent): void {
    if (event.type !== 'output') return;
    for (const { stream, bytes } of event.records) {
      if (stream === 'out') this.#screen.out(bytes);
      else if (stream === 'err') this.#screen.err(bytes);
    }
  }

  end(): void {}
}
