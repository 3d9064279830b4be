/**
 * Imports models, types and resources in one transaction: all or nothing, and in any order. Objects that exist as given stay untouched, so
 * repeating an import changes nothing. Writes each object with the importer's rights. Deletes nothing.
 */
import { jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import { type Principal, subjectText } from '../../../../../protocol/rights/principal.ts';
import type { ObjectStore, Transaction } from '../../../store/object-store.types.ts';
import { assertNotComputed } from '../computed.ts';
import { BREATH, MAX_IMPORT_BYTES } from '../limits.ts';
import { type Plural, type Reads, refIn, typeKey, typeSpecOf } from '../objects.ts';
import type { Documents, ModelAction } from '../ports.ts';
import { invalid, objectText, withoutUnseen } from '../refusal.ts';
import type { NamedType, ResolvedType } from '../resolved-type.ts';
import type { Rights } from '../rights.ts';
import { withSpelling } from '../spelling.ts';
import { chainOf, resolveChain, type TypeBook } from '../type-book.ts';
import { importCauses, importInvalid, placed, readImport, type Target } from './documents.ts';

export type ImportResult = 'created' | 'changed' | 'unchanged';

export interface ImportAnswer {
  /** In the order of the documents. */
  objects: { kind: string; name: string; result: ImportResult }[];
  created: number;
  changed: number;
  unchanged: number;
  dryRun: boolean;
}

export interface ImportOptions {
  store: ObjectStore;
  node: string;
  rights: Rights;
  documents: Documents;
  /** Reads the durable state, in which `book` looks up types. */
  reads: Reads;
  book: TypeBook;
}

/** The order of writes that watchers see: types, then models, then resources. */
const ORDER: readonly Plural[] = ['types', 'models', 'resources'];

/** The daemon action `import`. */
export function importAction(options: ImportOptions): ModelAction {
  const action: ModelAction = async ({ method, body, principal }) => {
    if (method !== 'POST') throw new DtkdError('METHOD_NOT_ALLOWED', 'use POST to import');
    return importModel(options, principal, body);
  };
  action.maxBodyBytes = MAX_IMPORT_BYTES;
  action.open = 'user';
  return action;
}

/** Imports a body as `principal`. Errors: BAD_REQUEST, INVALID or CONFLICT naming objects and fields, FORBIDDEN. */
async function importModel(options: ImportOptions, principal: Principal, body: unknown): Promise<ImportAnswer> {
  const { store, node, documents, rights, reads } = options;
  const { targets, dryRun } = await readImport(body, documents, node);
  const types = new ComingTypes(options, targets);
  const ordered = ORDER.flatMap((plural) => targets.filter((target) => target.plural === plural));
  const results = new Map<number, ImportResult>();
  const coming = new Set(targets.flatMap(({ plural, name }) => (plural === 'resources' ? [name] : [])));
  const write = async (tx: Transaction): Promise<void> => {
    results.clear();
    for (let start = 0; start < ordered.length; start += BREATH) {
      const part = ordered.slice(start, start + BREATH);
      // read together: one by one, round trips to the database would take most of the time
      const stored = await Promise.all(part.map(({ plural, name }) => tx.get(refIn(node, plural, name))));
      for (const [at, target] of part.entries()) {
        results.set(target.index, await writeOne(options, tx, target, stored[at], { principal, types, coming }));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  try {
    await store.transact(write, { dryRun });
  } catch (error) {
    const told = withPlaces(error, targets);
    throw principal.type === 'operator' ? told : await withoutUnseen(told, rights.sees(principal, reads));
  }
  const count = (wanted: ImportResult): number => [...results.values()].filter((result) => result === wanted).length;
  return {
    objects: targets.map(({ kind, name, index }) => ({ kind: kind.kind, name, result: results.get(index) ?? 'unchanged' })),
    created: count('created'),
    changed: count('changed'),
    unchanged: count('unchanged'),
    dryRun,
  };
}

/** Types as they will be after the import: its own, or else the stored ones. */
class ComingTypes {
  readonly #options: ImportOptions;
  readonly #own = new Map<string, NamedType>();
  readonly #resolved = new Map<string, Promise<ResolvedType | undefined>>();

  constructor(options: ImportOptions, targets: readonly Target[]) {
    this.#options = options;
    const { documents, node } = options;
    for (const target of targets) {
      if (target.plural !== 'types') continue;
      const object = documents.created(target.kind, target.document, target.name, node);
      const said = Reflect.get(Object(object['spec']), 'name');
      const name = typeof said === 'string' ? said : target.name;
      this.#own.set(typeKey(name), { name, spec: typeSpecOf(object) ?? {} });
    }
  }

  /** A type's name in its own spelling. */
  async spelled(name: string): Promise<string | undefined> {
    const { book, reads } = this.#options;
    return this.#own.get(typeKey(name))?.name ?? (await book.resolve(reads, name))?.name;
  }

  resolve(name: string): Promise<ResolvedType | undefined> {
    const key = typeKey(name);
    const found = this.#resolved.get(key) ?? this.#resolve(name);
    this.#resolved.set(key, found);
    return found;
  }

  async #resolve(name: string): Promise<ResolvedType | undefined> {
    const { book, reads } = this.#options;
    const chain = await chainOf(name, async (one) => this.#own.get(typeKey(one)) ?? (await book.named(reads, one)));
    return 'fault' in chain ? undefined : resolveChain(chain);
  }
}

async function writeOne(
  { node, rights, documents, reads }: ImportOptions,
  tx: Transaction,
  { plural, kind, name, document: given, index }: Target,
  before: ApiObject | undefined,
  { principal, types, coming }: { principal: Principal; types: ComingTypes; coming: ReadonlySet<string> },
): Promise<ImportResult> {
  const document = { ...given, fields: await withSpelling(plural, given.fields, (type) => types.spelled(type)) };
  const after =
    before === undefined ? documents.created(kind, document, name, node, creatorOf(principal)) : documents.changed(kind, before, document);
  if (before !== undefined && (await tx.originOf(refIn(node, plural, name))) !== 'own') return unlessOurs(before, after);
  // checked even if nothing changes, since the answer would reveal what exists
  try {
    await rights.assertMay(principal, { plural, name, ...(before === undefined ? {} : { before }), after }, tx);
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    throw new DtkdError(error.code, `nothing was imported: objects[${index}] (${plural}/${name}): ${error.message}`, {
      next: 'Ask for the right, or leave that object out.',
      details: { index, object: objectText({ plural, name }) },
    });
  }
  if (plural === 'resources') {
    await rights.assertParents(principal, { before, after, coming }, reads);
    await assertNotComputed((type) => types.resolve(type), before, after);
  }
  if (before !== undefined && jsonEqual(before, after)) return 'unchanged';
  const stored = await tx.put(after);
  if (before === undefined) return 'created';
  return stored.metadata.resourceVersion === before.metadata.resourceVersion ? 'unchanged' : 'changed';
}

/** An import may contain a built-in type, as exports of other nodes do, if it is the same as here. */
function unlessOurs(before: ApiObject, after: ApiObject): ImportResult {
  if (after.metadata.generation === before.metadata.generation) return 'unchanged';
  const { name } = before.metadata;
  const message = `the type "${name}" comes with dtkd and cannot be changed; extend it`;
  throw invalid([{ reason: 'FieldValueForbidden', message, field: '', object: objectText({ plural: 'types', name }) }]);
}

function creatorOf(principal: Principal): string | undefined {
  return principal.type === 'user' ? subjectText(principal) : undefined;
}

/** Adds positions in the import to an error of the rules. */
function withPlaces(error: unknown, targets: readonly Target[]): unknown {
  if (!(error instanceof DtkdError) || error.code !== 'INVALID') return error;
  const places = new Map(targets.map(({ plural, name, index }) => [`${plural}/${name}`, index]));
  const causes = importCauses(error).flatMap((cause) => {
    const index = places.get(cause.object ?? '');
    return index === undefined || cause.object === undefined ? [] : [placed(cause, index, cause.object)];
  });
  return causes.length > 0 ? importInvalid(causes) : error;
}
