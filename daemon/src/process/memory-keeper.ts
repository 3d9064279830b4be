/**
 * Gives memory back. Starting, loading libp2p and joining a domain leave tens of megabytes that V8 would keep for as long as little
 * happens, because it collects only when something is allocated. So once the daemon is calm and has grown, everything is collected, at
 * the cost of a pause of about a tenth of a second. Never collects while there is work, and never twice for the same growth. What is collected
 * while there is work is `young-generation.ts`'s.
 */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How often to look. */
export const LOOK_MS = 10_000;
/** Calm: the event loop was busy for at most this part of the time since the last look. */
const CALM = 0.1;
/** Growth since the last collection that is worth the pause, in bytes. */
const WORTH_BYTES = 24 * 1024 * 1024;

export interface MemoryPorts {
  /** The part of the time since the last call in which the event loop was busy. */
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

/** 0 where it cannot be read, as while all descriptors are in use: nothing is collected then. */
function residentNow(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

/** V8 gives its `gc` to contexts that are made while the flag stands. The flag goes at once: compiled code is cached under the flags. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof gc === 'function') await gc({ type: 'major', execution: 'async' });
}
