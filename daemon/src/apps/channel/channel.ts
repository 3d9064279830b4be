/**
 * A connection as tunnels and the HTTP engine see it: bytes both ways, back-pressure, half-close, and an end that is never mistaken for an
 * abort. Delivers to one receiver at a time, by plain method calls: on this path a promise or an event object per chunk would cost more
 * than the work itself.
 */
export interface ChannelSink {
  /** Bytes arrived. The receiver owns the chunk. Not called while paused. */
  onData(chunk: Buffer): void;
  /** The other side will send no more, and everything that it sent has been delivered. */
  onEnd(): void;
  /** There is room again after a `write` that returned false. */
  onDrain(): void;
  /** The channel is closed. Called once, last. Without `onEnd` before it, the data may be truncated. */
  onClose(): void;
}

/** Bytes received and sent by all channels that count into this object. */
export interface Traffic {
  received: number;
  sent: number;
}

/** For channels whose traffic is not counted. */
export const UNCOUNTED: Traffic = { received: 0, sent: 0 };

export interface Channel {
  /** Hands the channel to a receiver. Data flows from the next `resume` on. */
  attach(sink: ChannelSink): void;
  /**
   * Sends bytes, which must not be changed afterwards. Returns false if the caller should wait for `onDrain` before sending more. `give`:
   * the caller keeps no other view of the memory, so it may be released as soon as the bytes are sent.
   */
  write(chunk: Uint8Array, give?: boolean): boolean;
  /** Ends this side. Bytes already written still go out. */
  end(): void;
  /** Closes both directions at once; the other side sees an abort, not an end. */
  abort(): void;
  /** Closes without waiting for the other side. Bytes already handed to the system still go out. */
  discard(): void;
  pause(): void;
  resume(): void;
  /** Puts bytes back, for the next receiver to get first. Only while paused. */
  unshift(chunk: Buffer): void;
  /** Counts traffic from now on. */
  countInto(traffic: Traffic): void;
  /** Bytes written but not yet handed to the system. */
  readonly pending: number;
  readonly closed: boolean;
  /**
   * True for a channel over one of this process's own sockets: nothing else holds the memory of its chunks, and a completed write has been
   * handed to the system.
   */
  readonly native: boolean;
}

/** Ignores everything, for a channel that only waits to be closed. */
export const IDLE_SINK: ChannelSink = {
  onData: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
