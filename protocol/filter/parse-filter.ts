/**
 * Parses node filters, `-I` and `-X`. Matching them afterwards is synchronous. Pure, except that the pattern library is loaded on demand.
 */
import { DtkdError } from '../errors.ts';
import type { NodeFilter } from '../kinds/execution.ts';
import { type Clause, clausesOf, filterFault, type Piece, split } from './clauses.ts';
import type { Alternative, CompiledFilter, Condition, FilterKey } from './filter.types.ts';
import { ignoresCase, keyId, keyOf } from './filter-keys.ts';
import { compilePattern } from './pattern.ts';

/** Maximum total values of one filter: enough for every node of a large domain by name. */
const MAX_VALUES = 4_096;
/** Maximum instructions of all patterns of one filter: with the longest texts, some milliseconds per node. */
const MAX_PROGRAMS = 2_000;

/** Running totals while the texts of a filter are read. */
interface Budget {
  values: number;
  programs: number;
}

/**
 * Parses a filter. `known` are the names of properties and labels that nodes have (`propertyKeysOf`). Any other key is an error; without
 * `known`, every key is accepted. Errors: BAD_REQUEST that shows the place, also for a repeated key, since one of the two would be lost.
 */
export async function parseNodeFilter(filter: NodeFilter, known?: ReadonlySet<string>): Promise<CompiledFilter> {
  const budget: Budget = { values: 0, programs: 0 };
  const include = await parseTexts(filter.include ?? [], 'include', known, budget);
  const exclude = await parseTexts(filter.exclude ?? [], 'exclude', known, budget);
  return { include: include.flat(), exclude, excludePrecedence: filter.excludePrecedence ?? true };
}

async function parseTexts(
  sources: readonly string[],
  what: 'include' | 'exclude',
  known: ReadonlySet<string> | undefined,
  budget: Budget,
): Promise<Condition[][]> {
  const seen = new Set<string>();
  const lists: Condition[][] = [];
  for (const text of sources) {
    const list: Condition[] = [];
    for (const clause of clausesOf(text)) {
      const key = keyOf(clause.key, known, { text, at: clause.at });
      if (seen.has(keyId(key))) throw repeated(clause, key, what, text);
      seen.add(keyId(key));
      list.push(await conditionOf(clause, key, text, budget));
    }
    lists.push(list);
  }
  return lists;
}

async function conditionOf(clause: Clause, key: FilterKey, text: string, budget: Budget): Promise<Condition> {
  budget.values += clause.values.length;
  if (budget.values > MAX_VALUES) throw tooLarge(`more than ${MAX_VALUES} values`);
  const ignoreCase = ignoresCase(key);
  const literals = new Set<string>();
  const anyOf: Alternative[] = [];
  for (const value of clause.values) {
    const parts = key.of === 'tags' ? split(value.text, '+', value.at) : [value];
    const [first] = parts;
    if (parts.length === 1 && first !== undefined) literals.add(ignoreCase ? first.text.toLowerCase() : first.text);
    const alternative = await alternativeOf(parts, ignoreCase, text, budget);
    if (alternative !== undefined) anyOf.push(alternative);
  }
  return { key, text: `${clause.key}=${clause.values.map((value) => value.text).join(',')}`, literals, anyOf };
}

/** Returns undefined if the value is just a literal. */
async function alternativeOf(parts: readonly Piece[], ignoreCase: boolean, text: string, budget: Budget): Promise<Alternative | undefined> {
  const allOf: { literal: string; pattern: Alternative['allOf'][number]['pattern'] }[] = [];
  for (const part of parts) {
    if (part.text === '') {
      throw filterFault(
        'a tag is missing beside "+"',
        text,
        part.at,
        'In tags, + joins tags that a node must all have; {1,} means "one or more".',
      );
    }
    const pattern = await compilePattern(part.text, { ignoreCase });
    if ('error' in pattern) {
      throw filterFault(
        `"${shown(part.text)}" ${pattern.error}`,
        text,
        part.at + pattern.at,
        part.text.startsWith('*')
          ? 'These are regular expressions: ".*" matches any text, and the word "all" means every node.'
          : 'Put a \\ before a character that is meant literally.',
      );
    }
    budget.programs += pattern.size;
    if (budget.programs > MAX_PROGRAMS && pattern.size > 1) throw tooLarge('expressions that are too large in total');
    if (parts.length === 1 && pattern.literal) return undefined;
    allOf.push({ literal: ignoreCase ? part.text.toLowerCase() : part.text, pattern });
  }
  return { allOf };
}

function repeated(clause: Clause, key: FilterKey, what: string, text: string): DtkdError {
  const shownKey = clause.written ? `"${clause.key}"` : `"${clause.key}" (the key of a text without one)`;
  const word = clause.key;
  const both = key.of === 'tags' ? `; ${word}=A+B for nodes that have both` : '';
  return filterFault(
    `the key ${shownKey} is given twice in the ${what} filter`,
    text,
    clause.at,
    `Write its values once, with commas between them: ${word}=A,B for nodes that have one of them${both}.`,
    { key: word, repeated: true },
  );
}

function tooLarge(why: string): DtkdError {
  return new DtkdError('BAD_REQUEST', `the filter has ${why}`, { next: 'Give the nodes a tag, and choose them by that.' });
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
