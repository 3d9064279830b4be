import type { Channel, ChannelSink } from './channel.ts';

/** Carries one direction: what `from` receives goes to `to`. */
class Direction implements ChannelSink {
  private readonly from: Channel;
  private readonly to: Channel;
  private readonly done: () => void;
  private readonly give: boolean;
  private ended = false;
  /** The direction that leads back. */
  opposite: Direction | undefined;
  bytes = 0;

  constructor(from: Channel, to: Channel, done: () => void) {
    this.from = from;
    this.to = to;
    this.done = done;
    this.give = from.native && to.native;
  }

  onData(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (!this.to.write(chunk, this.give)) this.from.pause();
  }

  onEnd(): void {
    this.ended = true;
    this.to.end();
  }

  /** `from` has room for what comes the other way. */
  onDrain(): void {
    this.to.resume();
  }

  onClose(): void {
    // Closed before both directions had ended is an abort: the other side must learn that, and not see a clean end.
    if (!this.ended || this.opposite?.ended !== true) this.to.abort();
    this.done();
  }
}

export interface Pump {
  /** Bytes carried from the first channel to the second, and back. */
  readonly forward: number;
  readonly back: number;
}

/** Joins two channels until both are closed, with back-pressure, half-close and abort in both directions. */
export function pump(first: Channel, second: Channel, onClosed: () => void = () => undefined): Pump {
  let open = 2;
  const done = () => {
    open -= 1;
    if (open === 0) onClosed();
  };
  const forward = new Direction(first, second, done);
  const back = new Direction(second, first, done);
  forward.opposite = back;
  back.opposite = forward;
  first.attach(forward);
  second.attach(back);
  first.resume();
  second.resume();
  return {
    get forward() {
      return forward.bytes;
    },
    get back() {
      return back.bytes;
    },
  };
}
