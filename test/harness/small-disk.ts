import { mkdir } from 'node:fs/promises';
import { Child } from './child.ts';
import { findProgram, missing } from './programs.ts';
import type { SiteOptions } from './site.ts';

/** Why a small disk cannot be made here, or undefined. */
export function smallDiskMissing(): string | undefined {
  return missing(['unshare', 'nsenter', 'mount'], { root: true });
}

/**
 * A disk of a few megabytes: a tmpfs in a mount namespace that only its holder and the daemons started through `site` see. It lasts as
 * long as the holder, so that a daemon restarted on it finds what it had written.
 */
export class SmallDisk {
  readonly #holder: Child;
  readonly #directory: string;

  private constructor(holder: Child, directory: string) {
    this.#holder = holder;
    this.#directory = directory;
  }

  static async create(directory: string, megabytes: number): Promise<SmallDisk> {
    await mkdir(directory, { recursive: true });
    const holder = new Child({
      command: findProgram('unshare') ?? 'unshare',
      args: [
        '--mount',
        'sh',
        '-c',
        `mount -t tmpfs -o size=${megabytes}m,mode=700 tmpfs "$0" && echo mounted && exec sleep infinity`,
        directory,
      ],
    });
    await holder.output(/mounted/);
    return new SmallDisk(holder, directory);
  }

  /** What a Site needs to have its data on this disk. */
  site(): Pick<SiteOptions, 'dir' | 'wrapper' | 'seenAt'> {
    return {
      dir: `${this.#directory}/data`,
      seenAt: `${this.root}/data`,
      wrapper: [findProgram('nsenter') ?? 'nsenter', '--target', String(this.#holder.pid), '--mount', '--'],
    };
  }

  /** The disk as this process sees it. */
  get root(): string {
    return `/proc/${this.#holder.pid}/root${this.#directory}`;
  }

  async close(): Promise<void> {
    await this.#holder.end('SIGKILL');
  }
}
