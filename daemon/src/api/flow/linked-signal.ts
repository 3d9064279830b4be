/**
 * A signal that aborts when any of others does, until it is released. `AbortSignal.any` keeps what it made, and all that listens to it,
 * for as long as a source lives that never aborts; here the sources live as long as the server, and the requests do not.
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Lets go of the sources. */
  release(): void;
}

/** One for all: making a reason, with its stack, costs more than all else about a short request. */
export const GIVEN_UP = new DOMException('The request was given up', 'AbortError');

export function linkSignals(sources: readonly AbortSignal[]): LinkedSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(GIVEN_UP);
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
