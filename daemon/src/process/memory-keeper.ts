/**
 * Gives memory back. Starting, loading libp2p and joining a domain leave tens of megabytes of garbage, which V8 keeps while little happens,
 * because it collects only on allocation. So once the daemon is calm and has grown, this forces a full collection, at the cost of a pause
 * of about a tenth of a second. Never collects while there is work, nor twice for the same growth. `young-generation.ts` deals with
 * collections under load.
 */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Interval of the checks. Milliseconds. */
export const LOOK_MS = 10_000;
/** The daemon counts as calm if the event loop was busy for at most this part of the time since the last check. */
const CALM = 0.1;
/** Growth since the last collection that is worth the pause, in bytes. */
const WORTH_BYTES = 24 * 1024 * 1024;

export interface MemoryPorts {
  /** The fraction of the time since the last call in which the event loop was busy. */
  busy(): number;
  /** Resident bytes. */
  resident(): number;
  collect(): Promise<void>;
}

export class MemoryKeeper {
  readonly #ports: MemoryPorts;
  #timer: NodeJS.Timeout | undefined;
  #after = 0;
  #collecting = false;

  constructor(ports: MemoryPorts = ofProcess()) {
    this.#ports = ports;
  }

  start(): void {
    this.#ports.busy();
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { busy, resident, collect } = this.#ports;
    const calm = busy() <= CALM;
    if (!calm || this.#collecting || resident() - this.#after < WORTH_BYTES) return;
    this.#collecting = true;
    try {
      await collect();
    } finally {
      this.#collecting = false;
      this.#after = resident();
    }
  }
}

function ofProcess(): MemoryPorts {
  let last = performance.eventLoopUtilization();
  return {
    busy() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    resident: residentNow,
    collect: collectGarbage,
  };
}

/** 0 if it cannot be read, as while all descriptors are in use. Nothing is collected then. */
function residentNow(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

/**
 * Runs a full collection. V8 exposes `gc` to contexts that are created while the flag is set. The flag is cleared at once, because cached
 * compiled code depends on the flags.
 */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof gc === 'function') await gc({ type: 'major', execution: 'async' });
}
