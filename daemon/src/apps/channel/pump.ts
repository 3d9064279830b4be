import type { Channel, ChannelSink } from './channel.ts';

/** One direction: carries what `from` receives to `to`. */
class Direction implements ChannelSink {
  private readonly from: Channel;
  private readonly to: Channel;
  private readonly done: () => void;
  private readonly give: boolean;
  private ended = false;
  /** The opposite direction. */
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

  /** `from` has room again for data of the opposite direction. */
  onDrain(): void {
    this.to.resume();
  }

  onClose(): void {
    // A close before both directions have ended is an abort. The other side must see an abort, too, not a clean end.
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
