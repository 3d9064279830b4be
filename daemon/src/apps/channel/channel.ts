/**
 * A connection as tunnels and the HTTP engine see it: bytes both ways, back-pressure, half-close, and an end that is never mistaken for an
 * abort. One object receives at a time, by plain method calls: on this path a promise or an event object per chunk would cost more than the
 * work itself.
 */
export interface ChannelSink {
  /** Bytes arrived. They belong to the receiver. Not called while paused. */
  onData(chunk: Buffer): void;
  /** The other side will send no more, and everything that it sent has arrived. */
  onEnd(): void;
  /** After a `write` that answered false: there is room again. */
  onDrain(): void;
  /** The channel is gone; called once, last. Without `onEnd` before it, what arrived may be cut short. */
  onClose(): void;
}

/** Bytes that came and went, of all channels that count into it. */
export interface Traffic {
  received: number;
  sent: number;
}

/** Of channels that nobody counts. */
export const UNCOUNTED: Traffic = { received: 0, sent: 0 };

export interface Channel {
  /** Hands the channel to a receiver; data flow from the next `resume` on. */
  attach(sink: ChannelSink): void;
  /**
   * Sends bytes, which must not be changed afterwards. False: wait for `onDrain` before sending more. `give`: nobody else has a view of
   * their memory, which may be released as soon as they are sent.
   */
  write(chunk: Uint8Array, give?: boolean): boolean;
  /** Sends no more; what was written still goes out. */
  end(): void;
  /** Closes both directions at once; the other side sees an abort, not an end. */
  abort(): void;
  /** Closes without waiting for the other side; what was handed to the system still goes out. */
  discard(): void;
  pause(): void;
  resume(): void;
  /** Gives bytes back that the next receiver shall get first. Only while paused. */
  unshift(chunk: Buffer): void;
  /** Counts what comes and goes from now on. */
  countInto(traffic: Traffic): void;
  /** Bytes written and not yet handed to the system. */
  readonly pending: number;
  readonly closed: boolean;
  /** True for a channel of this process's own sockets: chunks from it have no other owner, and what is sent is with the system. */
  readonly native: boolean;
}

/** Receives nothing; for a channel that only waits to be closed. */
export const IDLE_SINK: ChannelSink = {
  onData: () => undefined,
  onEnd: () => undefined,
  onDrain: () => undefined,
  onClose: () => undefined,
};
