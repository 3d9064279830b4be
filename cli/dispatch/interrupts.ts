/**
 * What Ctrl-C does to a command that follows an execution: the first one says that the execution goes on, and lets go of it a little later; a second one in that
 * time aborts the execution, whose end is then shown; a third one leaves at once. Other signals let go at once.
 */
export interface InterruptActions {
  /** Tells the person what the next Ctrl-C does, and that this command ends so soon. */
  announce(graceMs: number): void;
  abort(): void;
  letGo(status: number): void;
}

/** Between the first Ctrl-C and the end, in milliseconds: long enough to read one sentence. */
const GRACE_MS = 3_000;
const INTERRUPTED = 130;
const SIGNALS = [
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;

/** Installs the handlers; answers with a function that takes them away. `interactive`: somebody is there to press it again. */
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
