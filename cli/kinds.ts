import { DtkdError } from '../protocol/errors.ts';
import { KINDS, kindByAnyName, kindOf } from '../protocol/kinds/index.ts';
import type { Kind } from '../protocol/kinds/kind.ts';
import { textAt } from './json.ts';
import { nearest } from './suggest.ts';

/** Kinds that `get all` leaves out: it shows what a person made, not what follows from it. */
const LEFT_OUT_OF_ALL = new Set(['Event', 'Namespace', 'EndpointSlice']);

/** The kind with any of its names. Errors: NOT_FOUND, with a guess. */
export function requireKind(text: string): Kind {
  const kind = kindByAnyName(text);
  if (kind !== undefined) return kind;
  const word = text.toLowerCase();
  // only one edit for short names, since many words are near them
  const guess =
    nearest(
      word,
      KINDS.flatMap((known) => [known.plural, known.singular]),
    ) ??
    nearest(
      word,
      KINDS.flatMap((known) => known.shortNames),
      1,
    );
  throw new DtkdError('NOT_FOUND', `there is no kind "${text.slice(0, 80)}"${guess === undefined ? '' : `; did you mean ${guess}?`}`, {
    next: 'See "dtkd api-resources" for every kind.',
  });
}

/** The kinds of `services,endpoints` or `all`. */
export function requireKinds(text: string): Kind[] {
  if (text === 'all') return KINDS.filter((kind) => !LEFT_OUT_OF_ALL.has(kind.kind));
  return text.split(',').filter(Boolean).map(requireKind);
}

/** The kind of a document. */
export function requireKindOf(document: unknown): Kind {
  const apiVersion = textAt(document, 'apiVersion');
  const name = textAt(document, 'kind');
  const kind = kindOf({ apiVersion, kind: name });
  if (kind !== undefined) return kind;
  const guess = name === undefined ? undefined : kindByAnyName(name);
  const right =
    guess === undefined ? undefined : `apiVersion: ${guess.group === '' ? '' : `${guess.group}/`}${guess.version}, kind: ${guess.kind}`;
  const missing = name === undefined ? 'kind' : apiVersion === undefined ? 'apiVersion' : undefined;
  const message = missing === undefined ? `there is no kind "${name}" in apiVersion "${apiVersion}"` : `the document has no ${missing}`;
  throw new DtkdError('INVALID', message, {
    next: right === undefined ? 'See "dtkd api-resources" for every kind.' : `Write ${right}.`,
  });
}

/** `dtapp.sid.sightlineinnovation.com/name`, or `service/name` for core kinds. */
export function fullName(kind: Pick<Kind, 'singular' | 'group'>, name: string): string {
  return `${kind.singular}${kind.group === '' ? '' : `.${kind.group}`}/${name}`;
}

/** Objects that a person named on the command line. */
export interface Wanted {
  kind: Kind;
  names: string[];
}

/** Parses `KIND[,KIND] [NAME...]` and `KIND/NAME...`. */
export function parseWanted(args: readonly string[]): Wanted[] {
  const [first = '', ...rest] = args;
  if (!first.includes('/')) return requireKinds(first).map((kind) => ({ kind, names: rest }));
  const byKind = new Map<Kind, string[]>();
  for (const arg of args) {
    const [kindName = '', name = '', ...more] = arg.split('/');
    if (name === '' || more.length > 0) {
      throw new DtkdError('BAD_REQUEST', `"${arg.slice(0, 120)}" is not KIND/NAME`, {
        next: 'Write all arguments as KIND/NAME, or KIND NAME...',
      });
    }
    const kind = requireKind(kindName);
    byKind.set(kind, [...(byKind.get(kind) ?? []), name]);
  }
  return [...byKind].map(([kind, names]) => ({ kind, names }));
}
