/**
 * The clock of one site, which can be set while its daemon runs, as by an NTP client, an operator, or the end of a virtual machine's sleep. Only what JavaScript reads as the
 * time of day: not what files show, nor what TLS and the commands that the daemon starts look at.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SiteOptions } from './site.ts';

const PRELOAD = fileURLToPath(new URL('./clock-preload.mjs', import.meta.url));

export class SiteClock {
  readonly #file: string;

  /** `file`: where the shift is kept; its directory is made. */
  constructor(file: string) {
    this.#file = file;
    mkdirSync(dirname(file), { recursive: true });
    this.shift(0);
  }

  /** For the options of a site. Its command line has the same clock. */
  get env(): NonNullable<SiteOptions['env']> {
    return { NODE_OPTIONS: `--import ${PRELOAD}`, TEST_CLOCK: this.#file };
  }

  /** Sets it to the time of the machine and so many milliseconds more. */
  shift(ms: number): void {
    // whole or not at all: the daemon may be reading
    writeFileSync(`${this.#file}.new`, String(ms));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
