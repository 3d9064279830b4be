/** Gets the modules of a bundle's types: from this node, else from the starter or any other member, verified by their signed statements. */
import { readFile } from 'node:fs/promises';
import { MAX_MODULE_BYTES, type ModuleArchive, type ModuleManifest } from '../../../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Bundle } from '../../../../../protocol/orders/bundle.ts';
import { verifyStatement } from '../../../../../protocol/orders/signed-bundle.ts';
import type { Content, Member, Modules } from '../../dispatch.types.ts';
import { modulesOf } from '../../plan/chains.ts';

export interface HeldModule {
  manifest: ModuleManifest;
  archive: ModuleArchive;
}

/**
 * The modules by digest. Undefined if one is not here and may not be fetched. Errors: CONTENT_MISSING, CONTENT_ALTERED,
 * SIGNATURE_INVALID, TIMEOUT, TOO_LARGE.
 */
export async function modulesFor(
  bundle: Bundle,
  { modules, content }: { modules: Modules; content: Pick<Content, 'fetch'> },
  { from, signal, mayFetch }: { from: Member | undefined; signal: AbortSignal; mayFetch: boolean },
): Promise<ReadonlyMap<string, HeldModule> | undefined> {
  const held = new Map<string, HeldModule>();
  for (const digest of modulesOf(bundle)) {
    let found = await modules.get(digest);
    if (found === undefined) {
      if (!mayFetch) return undefined;
      const signed = bundle.modules.find((one) => verifyStatement(one).digest === digest);
      if (signed === undefined) throw new DtkdError('CONTENT_ALTERED', 'the resource bundle names a module without its signature');
      const path = await content.fetch(digest, {
        ...(from === undefined ? {} : { from: { domain: from.domain, key: from.key } }),
        signal,
      });
      const archive = await readFile(path);
      if (archive.length > MAX_MODULE_BYTES) throw new DtkdError('TOO_LARGE', `a module has at most ${MAX_MODULE_BYTES} bytes`);
      await modules.keep(signed, archive);
      found = await modules.get(digest);
    }
    if (found === undefined) throw new DtkdError('CONTENT_MISSING', `the module with digest ${digest.slice(0, 16)}… is not here`);
    held.set(digest, { manifest: found.manifest, archive: found.archive });
  }
  return held;
}
