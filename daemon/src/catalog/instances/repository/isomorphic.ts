/** isomorphic-git for one repository, loaded when first needed. It reads packs and refs. */
import fs from 'node:fs';

export interface GitReader {
  readObject(what: { oid: string; format: 'content' }): Promise<{ type: string; object: unknown }>;
  /** Errors: NotFoundError, AmbiguousError (in `code`). */
  expandOid(prefix: string): Promise<string>;
  resolveRef(ref: string): Promise<string>;
  listRefs(prefix: string): Promise<string[]>;
  deleteRef(ref: string): Promise<void>;
}

/** Packs that were read stay in memory as long as the returned reader. */
export async function isomorphicGit(gitdir: string): Promise<GitReader> {
  const { default: git } = await import('isomorphic-git');
  const here = { fs, gitdir, cache: {} };
  return {
    readObject: (what) => git.readObject({ ...here, ...what }),
    expandOid: (oid) => git.expandOid({ ...here, oid }),
    resolveRef: (ref) => git.resolveRef({ ...here, ref }),
    listRefs: (filepath) => git.listRefs({ ...here, filepath }),
    deleteRef: (ref) => git.deleteRef({ ...here, ref }),
  };
}
