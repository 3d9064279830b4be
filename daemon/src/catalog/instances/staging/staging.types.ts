/** Staging: from an assembly to an instance's repository. */
import type { LockFile, ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Author } from '../repository/repository.types.ts';

export interface StageOrder {
  /** `acme/web`. */
  module: string;
  /** A range; absent: the version whose types are the node's, else the newest. */
  version?: string | undefined;
  assembly: string;
  /** Absent: after the assembly, with a number if that is taken. */
  name?: string | undefined;
  target?: string | undefined;
  parameters?: Readonly<Record<string, unknown>> | undefined;
  principal: Principal;
  author: Author;
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** True for names that are not to be used, besides those of the repositories that are there. */
  taken?: ((name: string) => Promise<boolean>) | undefined;
}

export interface Staged {
  name: string;
  directory: string;
  /** Absent: `dryRun`. */
  commit: string | undefined;
  service: ServiceFile;
  lock: LockFile;
  /** Parameters that have to be set before it can be converged. */
  unset: readonly string[];
}

export interface Staging {
  /**
   * Makes the repository: whole or not at all. Whoever calls it writes the ServiceInstance object, and drops the repository if that fails.
   * Errors: ALREADY_EXISTS, NOT_FOUND (module, assembly), INVALID (parameters, all at once; a module that is not sound), those of resolving, DISK_FULL.
   */
  stage(order: StageOrder): Promise<Staged>;
}
