/** Staging: from an assembly to an instance's repository. */
import type { LockFile, ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Author } from '../repository/repository.types.ts';

export interface StageOrder {
  /** `acme/web`. */
  module: string;
  /** A version range. Absent: the version whose types this node has installed, else the newest. */
  version?: string | undefined;
  assembly: string;
  /** Absent: the assembly's name, with a number if that is taken. */
  name?: string | undefined;
  target?: string | undefined;
  parameters?: Readonly<Record<string, unknown>> | undefined;
  principal: Principal;
  author: Author;
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** True for names that must not be used, besides those of existing repositories. */
  taken?: ((name: string) => Promise<boolean>) | undefined;
}

export interface Staged {
  name: string;
  directory: string;
  /** Undefined for a dry run. */
  commit: string | undefined;
  service: ServiceFile;
  lock: LockFile;
  /** Parameters that must be set before the first converge. */
  unset: readonly string[];
}

export interface Staging {
  /**
   * Creates the repository, completely or not at all. The caller writes the ServiceInstance object, and drops the repository if
   * that fails. Errors: ALREADY_EXISTS, NOT_FOUND (module, assembly), INVALID (parameters, all at once; a module that is not
   * sound), those of resolving, DISK_FULL.
   */
  stage(order: StageOrder): Promise<Staged>;
}
