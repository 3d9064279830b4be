/**
 * Keeps V8's young generation at one size while there is work. By itself V8 doubles it under load, up to three times 32 MiB, so that a long
 * download seems to cost memory that it does not need; and V8 shrinks it again when little happens. So it may grow to this size and no
 * further, and again after each rest: if it stayed small, it would be collected a hundred times a second.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves together, in bytes. At this size, collections are some fifty milliseconds of full load apart. */
export const YOUNG_BYTES = 32 * 1024 * 1024;

export interface YoungPorts {
  /** The current size of the young generation in bytes. */
  size(): number;
  /** The factor by which it grows when much of it is in use. 1: it stays. */
  setGrowth(factor: number): void;
  /** Calls back after collections. Returns a function that ends it. */
  onCollected(look: () => void): () => void;
}

export class YoungGeneration {
  readonly #ports: YoungPorts;
  #factor = 0;
  #end: () => void = () => {};

  constructor(ports: YoungPorts = ofProcess) {
    this.#ports = ports;
  }

  start(): void {
    this.#end = this.#ports.onCollected(() => this.#look());
    this.#look();
  }

  stop(): void {
    this.#end();
  }

  #look(): void {
    const factor = this.#ports.size() < YOUNG_BYTES ? 2 : 1;
    if (factor === this.#factor) return;
    this.#factor = factor;
    this.#ports.setGrowth(factor);
  }
}

const ofProcess: YoungPorts = {
  size: () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0,
  setGrowth: (factor) => setFlagsFromString(`--semi-space-growth-factor=${factor}`),
  onCollected(look) {
    const observer = new PerformanceObserver(look);
    observer.observe({ entryTypes: ['gc'] });
    return () => observer.disconnect();
  },
};
