/** Finds the resource that a model, type and name mean. Pure. */
import { meansType } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { nearMiss } from '../../../../protocol/text/near-miss.ts';
import type { ResourceMatch } from '../dispatch.types.ts';

/** Candidates listed in an error. */
const MAX_NAMED = 20;

/** Resources of this node that are searched for a similar name when none was found. */
export const MAX_ADVICE = 500;

/** What is looked for. `node` and `model` come from `NODE/MODEL`. */
export interface Sought {
  node?: string;
  model?: string;
  type?: string;
  name?: string;
}

/** Reads `MODEL` or `NODE/MODEL`. */
export function parseModel(text: string | undefined): Pick<Sought, 'node' | 'model'> {
  if (text === undefined) return {};
  const slash = text.indexOf('/');
  return slash < 0 ? { model: text } : { node: text.slice(0, slash), model: text.slice(slash + 1) };
}

/**
 * The resource that is meant: the only match among this node's own or, if it has none, the only match at all. Resources of exactly this
 * type take precedence over those whose type only extends it. `there`: other resources, for advice if nothing was found. Errors:
 * NOT_FOUND; AMBIGUOUS with the candidates.
 */
export function chooseResource(
  sought: Sought,
  found: readonly ResourceMatch[],
  self: string,
  unanswered: readonly string[],
  there: readonly ResourceMatch[] = [],
): ResourceMatch {
  const exact = found.filter((one) => isOfType(sought, one));
  const matches = exact.length > 0 ? exact : found;
  const own = matches.filter(({ node }) => node === self);
  const candidates = own.length > 0 ? own : matches;
  const [only] = candidates;
  if (only === undefined) throw notFound(sought, unanswered, there);
  if (candidates.length === 1) return only;
  throw ambiguous(sought, candidates, unanswered);
}

/** True if this node has a match over which none found elsewhere takes precedence. */
export function isExact(sought: Sought, own: readonly ResourceMatch[]): boolean {
  return own.some((one) => sought.type === undefined || isOfType(sought, one));
}

function isOfType(sought: Sought, { type }: ResourceMatch): boolean {
  return sought.type !== undefined && meansType(sought.type, type);
}

function notFound(sought: Sought, unanswered: readonly string[], there: readonly ResourceMatch[]): DtkdError {
  const near = nearResource(sought, there);
  const advice = near === undefined ? '' : `Did you mean ${near.type}/${near.name} in model "${near.model}"? `;
  const next =
    unanswered.length > 0
      ? `These nodes did not answer, and may have it: ${unanswered.join(', ')}. Try again when they are back.`
      : 'See what there is with "dtkd ctl" alone, or "dtkd get resources -A"; you see only what you may READ, and with the operator\'s token only what this node has.';
  return new DtkdError('NOT_FOUND', `no ${textOf(sought)} was found${sought.node === undefined ? '' : ` at node "${sought.node}"`}`, {
    next: `${advice}${next}`,
    details: { unanswered: [...unanswered] },
  });
}

function ambiguous(sought: Sought, candidates: readonly ResourceMatch[], unanswered: readonly string[]): DtkdError {
  const texts = candidates.slice(0, MAX_NAMED).map(({ node, model, type, name }) => `${node}/${model} ${type} ${name}`);
  const more = candidates.length > MAX_NAMED ? ` and ${candidates.length - MAX_NAMED} more` : '';
  return new DtkdError('AMBIGUOUS', `${textOf(sought)} may be one of ${candidates.length}: ${texts.join(', ')}${more}`, {
    next: 'Say which: with the model (-p MODEL or -p NODE/MODEL) and the type (-t TYPE).',
    details: { candidates: candidates.slice(0, MAX_NAMED), unanswered: [...unanswered] },
  });
}

function textOf({ model, type, name }: Sought): string {
  const what = `${type ?? 'resource'} "${name ?? ''}"`;
  return model === undefined ? what : `${what} in model "${model}"`;
}

/** The resource that matches except for a typing error in one word: the nearest, if there are several. */
function nearResource(sought: Sought, there: readonly ResourceMatch[]): ResourceMatch | undefined {
  const words = ['name', 'type', 'model'] as const;
  const same = (a: string | undefined, b: string) => a === undefined || a.toLowerCase() === b.toLowerCase();
  for (const word of words) {
    const wanted = sought[word];
    if (wanted === undefined) continue;
    const others = there.filter((one) => words.every((other) => other === word || same(sought[other], one[other])));
    const near = nearMiss(
      wanted,
      others.map((one) => one[word]),
    );
    if (near !== undefined) return others.find((one) => one[word] === near);
  }
  return undefined;
}

/** Advice that suggests the nearest name; empty if none is near. */
export function meant(name: string, there: readonly string[]): string {
  const near = nearMiss(name, there);
  return near === undefined ? '' : ` Did you mean "${near}"?`;
}
