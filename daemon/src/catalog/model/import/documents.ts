/** Parses the documents of an import into targets. Each keeps its position, so that a refusal can name it. */
import { z } from 'zod';
import { isRecord } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { kindOf } from '../../../../../protocol/kinds/index.ts';
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import { DTKD_GROUP } from '../../../../../protocol/kinds/model.ts';
import { BREATH, MAX_CAUSES, MAX_DOCUMENT, MAX_IMPORT_OBJECTS } from '../limits.ts';
import { PLURALS, type Plural } from '../objects.ts';
import type { Documents, ModelDocument } from '../ports.ts';

const body = z.object({ objects: z.array(z.unknown()).min(1).max(MAX_IMPORT_OBJECTS), dryRun: z.boolean().optional() });

/** One document of an import. */
export interface Target {
  index: number;
  plural: Plural;
  kind: Kind;
  name: string;
  document: ModelDocument;
}

/** One fault in an import. */
export interface ImportCause {
  reason: string;
  message: string;
  /** Within the import: `objects[17].spec.type`. */
  field: string;
  index: number;
  /** `PLURAL/NAME`, if the document says it. */
  object?: string;
}

/** Parses the body of an import. Throws BAD_REQUEST, or INVALID with every faulty document (up to a limit). */
export async function readImport(
  input: unknown,
  documents: Pick<Documents, 'parse'>,
  node: string,
): Promise<{ targets: Target[]; dryRun: boolean }> {
  const parsed = body.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DtkdError('BAD_REQUEST', `the body is not an import: ${issue?.path.join('.') || 'it'} ${issue?.message ?? ''}`, {
      next: `Send {"objects": [1 to ${MAX_IMPORT_OBJECTS} documents of Models, Types and Resources], "dryRun": true or false}.`,
    });
  }
  const causes: ImportCause[] = [];
  const targets: Target[] = [];
  const places = new Map<string, number>();
  for (const [index, input] of parsed.data.objects.entries()) {
    if (index % BREATH === BREATH - 1) await new Promise((resolve) => setImmediate(resolve));
    if (causes.length >= MAX_CAUSES) break;
    const found = readOne(index, input, documents, node);
    if ('causes' in found) {
      causes.push(...found.causes);
      continue;
    }
    const object = `${found.plural}/${found.name}`;
    const earlier = places.get(object);
    if (earlier !== undefined) {
      const message = `the same as objects[${earlier}]: give each object once`;
      causes.push({ reason: 'FieldValueDuplicate', message, field: `objects[${index}].metadata.name`, index, object });
    }
    places.set(object, index);
    targets.push(found);
  }
  if (causes.length > 0) throw importInvalid(causes);
  return { targets, dryRun: parsed.data.dryRun ?? false };
}

function readOne(index: number, input: unknown, documents: Pick<Documents, 'parse'>, node: string): Target | { causes: ImportCause[] } {
  const wrong = (field: string, message: string, object?: string) => ({
    causes: [
      { reason: 'FieldValueInvalid', message, field: `objects[${index}]${field}`, index, ...(object === undefined ? {} : { object }) },
    ],
  });
  if (!isRecord(input)) return wrong('', 'expected a document');
  const kind = kindOf(input);
  const plural = PLURALS.find((known) => kind?.group === DTKD_GROUP && kind.plural === known);
  if (kind === undefined || plural === undefined) {
    const got = `${JSON.stringify(input['kind'] ?? null)} of ${JSON.stringify(input['apiVersion'] ?? null)}`.slice(0, 200);
    return wrong('.kind', `expected Model, Type or Resource of ${DTKD_GROUP}/v1, got ${got}`);
  }
  if (JSON.stringify(input).length > MAX_DOCUMENT) return wrong('', `expected a document of at most ${MAX_DOCUMENT} characters`);
  let document: ModelDocument;
  try {
    document = documents.parse(kind, input);
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    const name = isRecord(input['metadata']) ? String(input['metadata']['name']).slice(0, 253) : '';
    const causes = importCauses(error).map((cause) => placed(cause, index, `${plural}/${name}`));
    return causes.length > 0 ? { causes } : wrong('', error.message, `${plural}/${name}`);
  }
  const { name, namespace } = document.metadata;
  if (name === undefined) return wrong('.metadata.name', 'is required');
  const object = `${plural}/${name}`;
  if (namespace !== undefined && namespace !== '' && namespace !== 'default' && namespace !== node) {
    return wrong('.metadata.namespace', `expected none, or "${node}": an import makes objects of this node`, object);
  }
  if (document.unknown.length > 0) {
    return {
      causes: document.unknown
        .slice(0, MAX_CAUSES)
        .flatMap((field) => wrong(`.${field}`, `a ${kind.kind} has no such field`, object).causes),
    };
  }
  return { index, plural, kind, name, document };
}

const causeShape = z.object({ reason: z.string(), message: z.string(), field: z.string(), object: z.string().optional() });

/** The causes that an error carries. */
export function importCauses(error: DtkdError): z.infer<typeof causeShape>[] {
  return z.array(causeShape).safeParse(error.details?.['causes']).data ?? [];
}

/** A cause with its field and position in the import. */
export function placed(cause: z.infer<typeof causeShape>, index: number, object: string): ImportCause {
  const { reason, message, field } = cause;
  return { reason, message, field: `objects[${index}]${field === '(root)' || field === '' ? '' : `.${field}`}`, index, object };
}

/** The error for a faulty import, of which nothing is stored. */
export function importInvalid(causes: readonly ImportCause[]): DtkdError {
  const list = causes.slice(0, 5).map(({ field, object, message }) => `${field}${object === undefined ? '' : ` (${object})`}: ${message}`);
  const more = causes.length > 5 ? ` and ${causes.length - 5} more` : '';
  return new DtkdError('INVALID', `nothing was imported: ${list.join('; ')}${more}`, {
    next: 'Correct these and import all of it again.',
    details: { causes: causes.slice(0, MAX_CAUSES) },
  });
}
