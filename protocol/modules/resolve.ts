/**
 * Chooses one version of each module that a module depends on, directly or indirectly. Pure. Chooses the newest version that fits, or the
 * locked one. The same question gets the same answer, whatever the order of its parts. Ranges and graphs are untrusted: the search gives
 * up after a bounded number of tries.
 */
import semver from 'semver';
import { compareVersions } from '../definitions/version-order.ts';
import { DtkdError } from '../errors.ts';
import { cycleFrom } from './cycle.ts';

/** Maximum number of modules in one graph, including its root. */
export const MAX_GRAPH_MODULES = 128;
/** Versions to try before giving up: a fraction of a second. */
const MAX_TRIES = 5_000;
/**
 * Comparisons of a version with a range before giving up; each pair counts once. Ranges are short, and a comparison takes some
 * microseconds.
 */
const MAX_COMPARED = 100_000;
/** Versions, wishes and clashes listed in one message. */
const SHOWN = 10;

/** An available version of a module. */
export interface Candidate {
  version: string;
  digest: string;
  dependencies: Readonly<Record<string, string>>;
  /** Names of the types that it defines. */
  types: readonly string[];
}

/** The module whose dependencies are resolved. */
export interface Root extends Omit<Candidate, 'digest'> {
  name: string;
}

/** A locked version, used as long as the ranges allow it. */
export interface Pin {
  version: string;
  digest: string;
}

export interface Question<C extends Candidate> {
  root: Root;
  /** Available versions of a module, in any order. Called once for each module of the graph. */
  available(name: string): readonly C[];
  lock?: ReadonlyMap<string, Pin>;
}

/** A module's requirement for a range of another. */
interface Wish {
  by: string;
  version: string;
  range: string;
}

/**
 * Returns the chosen version of each module that the root needs, by name, without the root itself.
 * Errors: NO_MATCH if nothing is in a range, CONFLICT if ranges contradict one another or the search gives up, CONTENT_MISSING if a
 * locked version is not available, INVALID for cycles, for a type that two modules define, and for graphs that are too large.
 */
export function resolveModules<C extends Candidate>(question: Question<C>): Map<string, C> {
  const found = new Search(question).run();
  assertNoCycle(question.root, found);
  assertTypesApart(question.root, found);
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** True if a version is in a range in npm's syntax. */
export function isInRange(version: string, range: string): boolean {
  return version === range || semver.satisfies(version, range);
}

/** Depth-first search over the wanted modules, with backjumping to a module that caused the dead end. */
class Search<C extends Candidate> {
  readonly #question: Question<C>;
  readonly #known = new Map<string, readonly C[]>();
  readonly #chosen = new Map<string, C>();
  /** Requirements for each module, in the order of the choices that brought them. */
  readonly #wishes = new Map<string, Wish[]>();
  readonly #ranges = new Map<string, semver.Range | undefined>();
  /** Results of comparisons, by range and version. */
  readonly #compared = new Map<string, Map<string, boolean>>();
  /** Which available versions of a module are in a range, by name and range. Cached because it is asked repeatedly. */
  readonly #within = new Map<string, Map<string, readonly boolean[]>>();
  #comparisons = 0;
  #firstDeadEnd: DtkdError | undefined;
  #tries = 0;

  constructor(question: Question<C>) {
    this.#question = question;
  }

  run(): ReadonlyMap<string, C> {
    const { root } = this.#question;
    this.#want(root.name, root);
    const blamed = this.#solve();
    if (blamed === undefined) return this.#chosen;
    throw this.#firstDeadEnd ?? new DtkdError('INTERNAL', 'modules could not be chosen, for an unknown reason');
  }

  /** Returns undefined once every requirement is met, else the modules whose choices led to the dead end. */
  #solve(): Set<string> | undefined {
    const name = this.#next();
    if (name === undefined) return undefined;
    const wishes = this.#wishes.get(name) ?? [];
    const blamed = new Set(wishes.map(({ by }) => by));
    const candidates = this.#candidates(name, wishes);
    if (candidates.length === 0) this.#firstDeadEnd ??= this.#deadEnd(name, wishes);
    for (const candidate of candidates) {
      this.#tries += 1;
      if (this.#tries > MAX_TRIES) throw tooHard(this.#firstDeadEnd);
      const against = this.#contradicted(candidate);
      if (against !== undefined) {
        this.#firstDeadEnd ??= this.#contradiction(name, candidate, against);
        blamed.add(against);
        for (const { by } of this.#wishes.get(against) ?? []) blamed.add(by);
        continue;
      }
      this.#chosen.set(name, candidate);
      this.#want(name, candidate);
      const below = this.#solve();
      if (below === undefined) return undefined;
      this.#unwant(name, candidate);
      this.#chosen.delete(name);
      // Another version of this module would change nothing.
      if (!below.has(name)) return below;
      for (const one of below) blamed.add(one);
    }
    blamed.delete(name);
    return blamed;
  }

  /** Returns the first wanted module, by name, that was not chosen yet. */
  #next(): string | undefined {
    const open = [...this.#wishes.keys()].filter((name) => name !== this.#question.root.name && !this.#chosen.has(name));
    if (this.#wishes.size > MAX_GRAPH_MODULES) {
      throw new DtkdError('INVALID', `${this.#question.root.name} needs more than ${MAX_GRAPH_MODULES} modules`, {
        next: 'Depend on fewer modules.',
      });
    }
    return open.sort()[0];
  }

  #want(by: string, { version, dependencies }: Omit<Candidate, 'digest'>): void {
    for (const [name, range] of Object.entries(dependencies)) {
      const wishes = this.#wishes.get(name) ?? [];
      wishes.push({ by, version, range });
      this.#wishes.set(name, wishes);
    }
  }

  #unwant(by: string, { dependencies }: Candidate): void {
    for (const name of Object.keys(dependencies)) {
      const left = (this.#wishes.get(name) ?? []).filter((wish) => wish.by !== by);
      if (left.length > 0) this.#wishes.set(name, left);
      else this.#wishes.delete(name);
    }
  }

  /** Returns the versions to try, newest first, or only the locked one if it fits. */
  #candidates(name: string, wishes: readonly Wish[]): readonly C[] {
    const pin = this.#pin(name, wishes);
    const there = this.#available(name);
    if (pin !== undefined) return there.filter(({ version, digest }) => version === pin.version && digest === pin.digest).slice(0, 1);
    const within = wishes.map(({ range }) => this.#inRange(name, range));
    return there.filter((_candidate, at) => within.every((those) => those[at] === true));
  }

  #inRange(name: string, range: string): readonly boolean[] {
    const known = this.#within.get(name) ?? new Map<string, readonly boolean[]>();
    this.#within.set(name, known);
    const those = known.get(range) ?? this.#available(name).map(({ version }) => this.#fits(version, range));
    known.set(range, those);
    return those;
  }

  /** Like `isInRange`, but computes each pair once. */
  #fits(version: string, range: string): boolean {
    const known = this.#compared.get(range) ?? new Map<string, boolean>();
    this.#compared.set(range, known);
    const before = known.get(version);
    if (before !== undefined) return before;
    this.#comparisons += 1;
    if (this.#comparisons > MAX_COMPARED) throw tooHard(this.#firstDeadEnd);
    const fits = version === range || this.#range(range)?.test(version) === true;
    known.set(version, fits);
    return fits;
  }

  #range(range: string): semver.Range | undefined {
    if (!this.#ranges.has(range)) this.#ranges.set(range, rangeOf(range));
    return this.#ranges.get(range);
  }

  /** Returns the locked version, unless the ranges exclude it by now. */
  #pin(name: string, wishes: readonly Wish[]): Pin | undefined {
    const pin = this.#question.lock?.get(name);
    return pin !== undefined && wishes.every(({ range }) => this.#fits(pin.version, range)) ? pin : undefined;
  }

  #available(name: string): readonly C[] {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const sorted = [...this.#question.available(name)].sort(
      (a, b) => compareVersions(b.version, a.version) || (a.digest < b.digest ? -1 : 1),
    );
    this.#known.set(name, sorted);
    return sorted;
  }

  /** Returns a chosen module, or the root, whose version this candidate does not accept. */
  #contradicted(candidate: C): string | undefined {
    const { root } = this.#question;
    for (const [name, range] of Object.entries(candidate.dependencies)) {
      // If it is the root, this is a cycle, reported once everything is chosen.
      const version = name === root.name ? root.version : this.#chosen.get(name)?.version;
      if (version !== undefined && !this.#fits(version, range)) return name;
    }
    return undefined;
  }

  #deadEnd(name: string, wishes: readonly Wish[]): DtkdError {
    const there = this.#available(name);
    const pin = this.#pin(name, wishes);
    const details = { module: name, wanted: wishes.slice(0, SHOWN), there: there.slice(0, SHOWN).map(({ version }) => version) };
    if (pin !== undefined) {
      const other = there.some(({ version }) => version === pin.version);
      return new DtkdError(
        'CONTENT_MISSING',
        `the lock names ${name} ${pin.version} of digest ${pin.digest.slice(0, 12)}…, which is not there${other ? ': that version is here with other content' : ''}`,
        { next: 'Fetch or install that version, or choose again: dtkd module install DIR --update.', details },
      );
    }
    const wanted = list(wishes.map(({ by, version, range }) => `${by} ${version} wants ${name} ${shown(range)}`));
    const has =
      there.length === 0 ? `there is no ${name}, neither here nor released` : `there is ${list(there.map(({ version }) => version))}`;
    const unmet = wishes.filter(({ range }) => !this.#inRange(name, range).includes(true));
    if (unmet.length === 0 && wishes.length > 1) {
      return new DtkdError('CONFLICT', `no version of ${name} is in all ranges: ${wanted}; ${has}`, {
        next: this.#wayOut(),
        details,
      });
    }
    return new DtkdError('NO_MATCH', `no version is in the range: ${wanted}; ${has}`, {
      next: `Install or fetch such a version: dtkd module fetch '${name}@RANGE'; or change the range.`,
      details,
    });
  }

  #contradiction(name: string, { version, dependencies }: C, against: string): DtkdError {
    const other = this.#chosen.get(against)?.version ?? this.#question.root.version;
    const wants = `${name} ${version} wants ${against} ${shown(dependencies[against] ?? '')}`;
    const others = (this.#wishes.get(against) ?? []).map((wish) => `${wish.by} ${wish.version} wants ${against} ${shown(wish.range)}`);
    return new DtkdError(
      'CONFLICT',
      `no version of ${against} is in all ranges: ${list([...others, wants])}; the chosen version is ${other}`,
      {
        next: this.#wayOut(),
        details: { module: against, chosen: other },
      },
    );
  }

  /** Suggests a next step. The locked versions may be the only obstacle. */
  #wayOut(): string {
    const change = 'Change one of the ranges, or install a version that is in all of them.';
    return (this.#question.lock?.size ?? 0) === 0 ? change : `${change} Or choose all versions again: dtkd module install DIR --update.`;
  }
}

/** Parses a range. Undefined if it is invalid: then only an identical version matches. */
function rangeOf(range: string): semver.Range | undefined {
  try {
    return new semver.Range(range);
  } catch {
    return undefined;
  }
}

function tooHard(first: DtkdError | undefined): DtkdError {
  return new DtkdError(
    'CONFLICT',
    `no versions that fit one another were found in reasonable time${first === undefined ? '' : `; the first that did not fit: ${first.message}`}`,
    { next: 'Narrow the ranges.' },
  );
}

/** Refuses modules that depend on themselves. */
function assertNoCycle<C extends Candidate>(root: Root, chosen: ReadonlyMap<string, C>): void {
  const all = new Map<string, Omit<Candidate, 'digest'>>([...chosen, [root.name, root]]);
  const cycle = cycleFrom(root.name, (name) => Object.keys(all.get(name)?.dependencies ?? {}).sort(), new Set());
  if (cycle === undefined) return;
  throw new DtkdError('INVALID', `modules depend on one another in a circle: ${cycle.join(' → ')}`, {
    next: 'Move what they share into a separate module.',
    details: { cycle },
  });
}

/** Refuses a type that two modules define, since it would be ambiguous. */
function assertTypesApart<C extends Candidate>(root: Root, chosen: ReadonlyMap<string, C>): void {
  const owners = new Map<string, string>();
  const clashes: string[] = [];
  const names = [...chosen.keys()].sort();
  for (const [name, { version, types }] of [[root.name, root] as const, ...names.map((one) => [one, chosen.get(one) ?? root] as const)]) {
    for (const type of types) {
      const owner = owners.get(type.toLowerCase());
      if (owner !== undefined) clashes.push(`${type} (${owner} and ${name} ${version})`);
      else owners.set(type.toLowerCase(), `${name} ${version}`);
    }
  }
  if (clashes.length === 0) return;
  throw new DtkdError('INVALID', `two modules define one type: ${list(clashes)}`, {
    next: 'Rename it in one of them, or depend on a version of one that does not define it.',
    details: { types: clashes.slice(0, SHOWN) },
  });
}

function shown(range: string): string {
  return JSON.stringify(range.slice(0, 128));
}

function list(texts: readonly string[]): string {
  return `${texts.slice(0, SHOWN).join(', ')}${texts.length > SHOWN ? `, … (${texts.length})` : ''}`;
}
