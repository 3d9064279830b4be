/**
 * `${…}` in values. Pure. A text that is only a reference becomes the value, with its type. Within a longer text the value
 * becomes text: a list of scalars is joined by commas, as filters expect, and any other list or object becomes JSON. `$${` stands
 * for a literal `${`.
 */
import { isRecord } from '../../../../../protocol/encoding/json.ts';
import { fits, isKnown, known, MAX_VALUE, type Outcome } from './outcome.ts';

export type Piece = { text: string } | { reference: string };

export interface Surroundings {
  /** The outcome of a reference. Reports an unknown one and returns 'broken'. */
  resolve(reference: string): Outcome;
  /** Reports a fault in the text itself. */
  fault(message: string, next?: string): void;
}

const MARK = /\$\$\{|\$\{/g;

/** Splits a text into pieces; `open` if a `${` is not closed. */
export function piecesOf(text: string): Piece[] | 'open' {
  const pieces: Piece[] = [];
  let plain = '';
  let at = 0;
  MARK.lastIndex = 0;
  for (let match = MARK.exec(text); match !== null; match = MARK.exec(text)) {
    plain += text.slice(at, match.index);
    if (match[0] === '$${') {
      plain += '${';
      at = MARK.lastIndex;
      continue;
    }
    const end = text.indexOf('}', MARK.lastIndex);
    if (end === -1) return 'open';
    if (plain !== '') pieces.push({ text: plain });
    plain = '';
    pieces.push({ reference: text.slice(MARK.lastIndex, end).trim() });
    at = end + 1;
    MARK.lastIndex = at;
  }
  plain += text.slice(at);
  if (plain !== '' || pieces.length === 0) pieces.push({ text: plain });
  return pieces;
}

/** Resolves all references in a value, at any depth. Items and fields that come out unset are left out. */
export function interpolate(value: unknown, surroundings: Surroundings): Outcome {
  if (!fits(value)) {
    surroundings.fault(`has more than ${MAX_VALUE} characters, the most that a value may have`);
    return 'broken';
  }
  const outcome = filled(value, surroundings);
  if (isKnown(outcome) && outcome.value !== value && !fits(outcome.value)) {
    surroundings.fault(`becomes longer than ${MAX_VALUE} characters, the most that a value may have`);
    return 'broken';
  }
  return outcome;
}

function filled(value: unknown, surroundings: Surroundings): Outcome {
  if (typeof value === 'string') return value.includes('${') ? filledText(value, surroundings) : known(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => filled(item, surroundings));
    if (items.includes('broken')) return 'broken';
    const there = items.filter(isKnown);
    return known(
      there.map((item) => item.value),
      there.some((item) => item.secret),
    );
  }
  if (isRecord(value)) {
    const fields = Object.entries(value).map(([key, item]) => ({ key, outcome: filled(item, surroundings) }));
    if (fields.some(({ outcome }) => outcome === 'broken')) return 'broken';
    const there = fields.flatMap(({ key, outcome }) => (isKnown(outcome) ? [{ key, outcome }] : []));
    return known(
      Object.fromEntries(there.map(({ key, outcome }) => [key, outcome.value])),
      there.some(({ outcome }) => outcome.secret),
    );
  }
  return known(value);
}

function filledText(text: string, surroundings: Surroundings): Outcome {
  const pieces = piecesOf(text);
  if (pieces === 'open') {
    surroundings.fault(`has a "\${" that no "}" closes`, `Write $\${ for a literal \${.`);
    return 'broken';
  }
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined && 'reference' in first) return surroundings.resolve(first.reference);
  let all = '';
  let secret = false;
  let broken = false;
  for (const piece of pieces) {
    if ('text' in piece) {
      all += piece.text;
      continue;
    }
    const outcome = surroundings.resolve(piece.reference);
    if (outcome === 'unset')
      surroundings.fault(`refers to \${${piece.reference}}, which has no value`, 'Give it a value, or remove the reference.');
    if (!isKnown(outcome)) {
      broken = true;
      continue;
    }
    all += textOf(outcome.value);
    secret ||= outcome.secret;
    if (all.length > MAX_VALUE) {
      surroundings.fault(`becomes longer than ${MAX_VALUE} characters, the most that a value may have`);
      return 'broken';
    }
  }
  return broken ? 'broken' : known(all, secret);
}

/** A value as it appears within a text. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) return value.map(String).join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * Fills in all references except those of one scope, and escapes what is filled in so that it is not taken for a reference later.
 * Used for the options of workflows, which are known only when a workflow is run.
 */
export function interpolateBut(scope: string, text: string, surroundings: Surroundings): Outcome {
  const pieces = piecesOf(text);
  if (pieces === 'open') return filledText(text, surroundings);
  const later = (piece: Piece): boolean => 'reference' in piece && piece.reference.startsWith(`${scope}.`);
  const [first] = pieces;
  const only = pieces.length === 1 && first !== undefined && 'reference' in first && !later(first);
  if (only) return escaped(surroundings.resolve(first.reference));
  let all = '';
  let secret = false;
  for (const piece of pieces) {
    if ('text' in piece) all += escapedText(piece.text);
    else if (later(piece)) all += `\${${piece.reference}}`;
    else {
      const outcome = surroundings.resolve(piece.reference);
      if (outcome === 'unset')
        surroundings.fault(`refers to \${${piece.reference}}, which has no value`, 'Give it a value, or remove the reference.');
      if (!isKnown(outcome)) return 'broken';
      all += escapedText(textOf(outcome.value));
      secret ||= outcome.secret;
    }
    if (all.length > MAX_VALUE) {
      surroundings.fault(`becomes longer than ${MAX_VALUE} characters, the most that a value may have`);
      return 'broken';
    }
  }
  return known(all, secret);
}

function escaped(outcome: Outcome): Outcome {
  return isKnown(outcome) && typeof outcome.value === 'string' ? known(escapedText(outcome.value), outcome.secret) : outcome;
}

function escapedText(text: string): string {
  return text.replaceAll('${', () => '$${');
}
