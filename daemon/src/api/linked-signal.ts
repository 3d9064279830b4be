/**
 * A signal that aborts when any of others does, until it is released. `AbortSignal.any` keeps what it made, and all that listens to it,
 * for as long as a source lives that never aborts; here the sources live as long as the server, and the requests do not.
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Lets go of the sources. */
  release(): void;
}

export function linkSignals(sources: readonly AbortSignal[]): LinkedSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const source of sources) {
    if (source.aborted) abort();
    source.addEventListener('abort', abort, { once: true });
  }
  return {
    signal: controller.signal,
    release() {
      for (const source of sources) source.removeEventListener('abort', abort);
    },
  };
}
