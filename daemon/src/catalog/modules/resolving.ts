/**
 * Resolves which versions of modules belong together: gives the versions on this node and those released to it to the pure resolver
 * (protocol/modules/resolve.ts), and fetches what that chooses. Prefers what is here, so that an instance can be staged while all others
 * are away.
 */

import { LOCK_FILE, type LockFile } from '../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { readLock } from '../../../../protocol/modules/lock.ts';
import { type Candidate, isInRange, MAX_GRAPH_MODULES, type Root, resolveModules } from '../../../../protocol/modules/resolve.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import { chooseRelease, type FetchingOptions, pinnedTo, takeRelease } from './fetching.ts';
import type { LoadedModule, ModuleResolving, ResolvedModules } from './ports.ts';
import type { Asker } from './progress.ts';
import type { Released, Releases } from './releases.ts';
import { type VersionHere, versionsHere } from './versions.ts';

/** Module names that are looked up for one request: those of a graph, and those that only other versions would need. */
const MAX_NAMES = 4 * MAX_GRAPH_MODULES;

export interface ResolvingOptions extends FetchingOptions {
  releases: Releases;
}

/** A version that can be chosen: on this node, or released. */
interface Choice extends Candidate {
  publisher: string;
  release: Released | undefined;
}

/**
 * Which versions are preferred. `here`: the newest one on this node, and released ones only if those do not suffice; `newest`: the newest
 * of all.
 */
type Preference = 'here' | 'newest';

export class ModuleResolver implements ModuleResolving {
  readonly #options: ResolvingOptions;

  constructor(options: ResolvingOptions) {
    this.#options = options;
  }

  async resolve(
    root: { name: string; version?: string | undefined },
    lock?: LockFile,
    as?: { principal: Principal; signal?: AbortSignal | undefined },
  ): Promise<ResolvedModules> {
    const asker =
      as === undefined ? undefined : { principal: as.principal, signal: as.signal ?? new AbortController().signal, tell: () => undefined };
    return this.resolveAs(root, lock, asker);
  }

  /** Like `resolve`, and reports progress to the asker. */
  async resolveAs(
    root: { name: string; version?: string | undefined },
    lock: LockFile | undefined,
    asker: Asker | undefined,
  ): Promise<ResolvedModules> {
    const loaded = await this.#root(root, asker);
    const { manifest, archive } = loaded;
    const wanted = {
      name: manifest.module,
      version: manifest.version,
      dependencies: manifest.dependencies ?? {},
      types: Object.keys(manifest.types ?? {}),
    };
    const chosen = await this.choose(wanted, lock ?? (await lockIn(archive)), asker, 'here');
    const modules = new Map<string, LoadedModule>([[manifest.module, loaded]]);
    for (const [name, choice] of chosen) modules.set(name, await this.#load(name, choice));
    return { root: loaded, modules, lock: lockOf(modules) };
  }

  /** Chooses the versions that a module needs; when it resolves, all of them are on this node. */
  async choose(
    root: Root,
    lock: LockFile | undefined,
    asker: Asker | undefined,
    prefer: Preference,
  ): Promise<Map<string, { version: string; digest: string; publisher: string }>> {
    const pins = new Map(Object.entries(lock?.modules ?? {}));
    // a fetched module may say more about itself (its types) than its release did, so repeat until nothing is missing
    for (let round = 0; round <= MAX_GRAPH_MODULES; round++) {
      const chosen = await this.#pick(root, pins, prefer);
      const missing = [...chosen].flatMap(([, { release }]) => release ?? []);
      if (missing.length === 0) return chosen;
      if (asker === undefined) throw notHere(missing);
      for (const release of missing) await takeRelease(this.#options, release, asker);
    }
    throw new DtkdError('INTERNAL', 'modules that were fetched are not here');
  }

  async #pick(
    root: Root,
    lock: ReadonlyMap<string, { version: string; digest: string }>,
    prefer: Preference,
  ): Promise<Map<string, Choice>> {
    const here = prefer === 'newest' ? undefined : attempt(root, lock, await this.#shelf(root, false));
    return here ?? resolveModules({ root, lock, available: await this.#shelf(root, true) });
  }

  /** All modules that a version in the graph might need, with their available versions. */
  async #shelf(root: Root, released: boolean): Promise<(name: string) => readonly Choice[]> {
    const found = new Map<string, readonly Choice[] | DtkdError>();
    const open = Object.keys(root.dependencies);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (found.has(name) || name === root.name) continue;
      if (found.size >= MAX_NAMES)
        throw new DtkdError('INVALID', `${root.name} leads to more than ${MAX_NAMES} modules`, { next: 'Depend on fewer modules.' });
      const choices = await this.#choices(name, released);
      found.set(name, choices);
      if (!(choices instanceof DtkdError)) for (const { dependencies } of choices) open.push(...Object.keys(dependencies));
    }
    return (name) => {
      const choices = found.get(name) ?? [];
      if (choices instanceof DtkdError) throw choices;
      return choices;
    };
  }

  async #choices(name: string, withReleases: boolean): Promise<readonly Choice[] | DtkdError> {
    const { store, node, releases } = this.#options;
    const here = await versionsHere(store, node, name);
    const own = here.map(
      ({ fields }): Choice => ({
        version: fields.version,
        digest: fields.digest,
        dependencies: fields.dependencies ?? {},
        types: fields.types,
        publisher: fields.publisher.key,
        release: undefined,
      }),
    );
    if (!withReleases) return own;
    const believed = pinnedTo(await releases.of(name), here);
    const publishers = new Set(believed.map(({ node: publisher }) => publisher));
    // an error only if the module is really needed
    if (publishers.size > 1) return ambiguous(name, [...publishers]);
    const there = new Set(own.map(({ version }) => version));
    return [...own, ...believed.filter(({ fields }) => !there.has(fields.version)).map(choiceOf)];
  }

  async #root({ name, version }: { name: string; version?: string | undefined }, asker: Asker | undefined): Promise<LoadedModule> {
    const { store, node, releases } = this.#options;
    const here = await versionsHere(store, node, name);
    const meant = meantHere(here, version);
    if (meant !== undefined) return this.#load(name, { ...meant.fields, publisher: meant.fields.publisher.key });
    const released = await releases.of(name);
    if (released.length === 0) {
      const next = 'See "dtkd module ls" and "dtkd module ls --released".';
      if (here.length === 0)
        throw new DtkdError('NOT_FOUND', `there is no module ${name} on this node, and none is released to it`, { next });
      const there = here.map(({ fields }) => fields.version).join(', ');
      throw new DtkdError('NO_MATCH', `no version of ${name} is in ${version ?? ''}; here is ${there}`, { next });
    }
    const chosen = chooseRelease({ module: name, range: version }, released, here);
    if (asker === undefined) throw notHere([chosen]);
    await takeRelease(this.#options, chosen, asker);
    return this.#load(name, chosen.fields);
  }

  /** Names the publisher from whom the version is here, even if others have signed the same bytes. */
  async #load(name: string, { version, digest, publisher }: Pick<Choice, 'version' | 'digest' | 'publisher'>): Promise<LoadedModule> {
    const loaded = await this.#options.library.get(digest);
    if (loaded !== undefined) return { ...loaded, ref: { name, version, digest, publisher } };
    throw new DtkdError('CONTENT_MISSING', `the archive of module ${name} ${version} is not on this node, or was altered`, {
      next: 'Install it again from its directory, or remove that version and fetch it again.',
    });
  }
}

/** A version on this node: without a range the active one or else the newest; with a range, the newest in it. Pure. */
function meantHere(here: readonly VersionHere[], range: string | undefined): VersionHere | undefined {
  if (range === undefined) return here.find(({ fields }) => fields.active) ?? here[0];
  return here.find(({ fields }) => isInRange(fields.version, range));
}

function choiceOf(release: Released): Choice {
  const { version, digest, dependencies, publisher } = release.fields;
  return { version, digest, dependencies: dependencies ?? {}, types: [], publisher, release };
}

/** Undefined if these versions do not suffice. */
function attempt(
  root: Root,
  lock: ReadonlyMap<string, { version: string; digest: string }>,
  available: (name: string) => readonly Choice[],
): Map<string, Choice> | undefined {
  try {
    return resolveModules({ root, lock, available });
  } catch (error) {
    if (error instanceof DtkdError) return undefined;
    throw error;
  }
}

/** The lock that names all of these modules. */
function lockOf(modules: ReadonlyMap<string, LoadedModule>): LockFile {
  return {
    dsl_version: '1.0',
    modules: Object.fromEntries(
      [...modules]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, { manifest, ref }]) => [name, { version: manifest.version, digest: ref.digest, publisher: ref.publisher }]),
    ),
  };
}

async function lockIn({ files }: LoadedModule['archive']): Promise<LockFile | undefined> {
  const file = files.find(({ path }) => path === LOCK_FILE);
  return file === undefined ? undefined : readLock(file.data);
}

function ambiguous(name: string, publishers: readonly string[]): DtkdError {
  return new DtkdError('AMBIGUOUS', `module ${name} is released by ${publishers.join(' and ')}: these are different modules`, {
    next: `Fetch the one that you mean: dtkd module fetch ${name} --from ${publishers[0] ?? 'NODE'}.`,
  });
}

function notHere(releases: readonly Released[]): DtkdError {
  const names = releases.map(({ fields }) => `${fields.module} ${fields.version}`);
  return new DtkdError('CONTENT_MISSING', `${names.join(', ')} is published, but not on this node`, {
    next: `Fetch it first: dtkd module fetch ${releases[0]?.fields.module ?? 'NAME'}.`,
  });
}
