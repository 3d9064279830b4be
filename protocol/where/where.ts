/**
 * The expressions of `--where` and `?where=`, such as `type=Service and properties.port>8000`: parses text to a tree, and matches objects
 * with it. Pure. Numbers compare only with numbers, texts with texts by code points. An unquoted number or boolean also equals the text
 * that is written the same, since labels are always texts. In an array, any element may match. If there is nothing at a path, every
 * comparison is false, and so `!=`, `not in` and `not` are true.
 */
import type { ApiObject } from '../objects/objects.ts';
import { compareText } from '../text/text-order.ts';
import { matchesLike } from './like.ts';
import { parseExpression } from './parser.ts';
import { type ObjectPath, readPath, scalarsAt } from './path.ts';
import type { Order, Where, WhereKind } from './where.types.ts';

export type { Literal, Order, Where, WhereKind } from './where.types.ts';

/** Parses an expression about objects of a kind. Throws BAD_REQUEST with the place. */
export function parseWhere(text: string, kind: WhereKind): Where {
  return parseExpression(text, kind);
}

/** True if the object matches the expression. */
export function matchesWhere(where: Where, object: ApiObject): boolean {
  switch (where.op) {
    case 'and':
      return where.terms.every((term) => matchesWhere(term, object));
    case 'or':
      return where.terms.some((term) => matchesWhere(term, object));
    case 'not':
      return !matchesWhere(where.term, object);
    case 'has':
      return readPath(object, where.path) !== undefined;
    default:
      return scalarsAt(object, where.path).some((found) => holds(where, found));
  }
}

function holds(where: Extract<Where, { op: 'equal' | 'order' | 'like' }>, found: string | number | boolean): boolean {
  const text = typeof found === 'string' ? folded(found, where.path) : undefined;
  if (where.op === 'like') return text !== undefined && matchesLike(where.pattern, text);
  if (where.op === 'equal') {
    return where.values.some(({ value, text: asText }) =>
      text === undefined ? value === found : text === folded(typeof value === 'string' ? value : (asText ?? ''), where.path),
    );
  }
  if (typeof where.value === 'number') return typeof found === 'number' && inOrder(found - where.value, where.order);
  return text !== undefined && inOrder(compareText(text, folded(where.value, where.path)), where.order);
}

function inOrder(difference: number, order: Order): boolean {
  switch (order) {
    case '<':
      return difference < 0;
    case '<=':
      return difference <= 0;
    case '>':
      return difference > 0;
    default:
      return difference >= 0;
  }
}

/** Returns a text as it is compared at a path, made well-formed so that UTF-8 can represent it. */
export function folded(text: string, path: Pick<ObjectPath, 'caseless'>): string {
  return (path.caseless ? text.toLowerCase() : text).toWellFormed();
}
