/**
 * How a command that follows an execution handles Ctrl-C. The first one announces that the execution goes on, and detaches a little later.
 * A second one within that time aborts the execution, whose end is then shown. A third one leaves at once. Other signals detach at once.
 */
export interface InterruptActions {
  /** Tells the person what the next Ctrl-C does, and that this command ends in `graceMs`. */
  announce(graceMs: number): void;
  abort(): void;
  letGo(status: number): void;
}

/** Time between the first Ctrl-C and the end, in milliseconds: enough to read one sentence. */
const GRACE_MS = 3_000;
const INTERRUPTED = 130;
const SIGNALS = [
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;

/** Installs the handlers and returns a function that removes them. `interactive`: somebody is there to press Ctrl-C again. */
export function onInterrupts(interactive: boolean, actions: InterruptActions): () => void {
  let presses = 0;
  let timer: NodeJS.Timeout | undefined;
  const onInterrupt = (): void => {
    presses += 1;
    clearTimeout(timer);
    if (presses === 1 && interactive) {
      actions.announce(GRACE_MS);
      timer = setTimeout(() => actions.letGo(INTERRUPTED), GRACE_MS);
    } else if (presses === 2 && interactive) actions.abort();
    else actions.letGo(INTERRUPTED);
  };
  const others = SIGNALS.map(([signal, status]) => [signal, () => actions.letGo(status)] as const);
  process.on('SIGINT', onInterrupt);
  for (const [signal, handler] of others) process.once(signal, handler);
  return () => {
    clearTimeout(timer);
    process.off('SIGINT', onInterrupt);
    for (const [signal, handler] of others) process.off(signal, handler);
  };
}
