/**
 * A signal that aborts when any of its sources does, until it is released. `AbortSignal.any` keeps its result and all listeners of
 * it for as long as any source lives, even if it never aborts. Here the sources live as long as the server, and requests do not.
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Stops listening to the sources. */
  release(): void;
}

/** One reason for all: creating one, with its stack, costs more than everything else about a short request. */
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
