import type { Like } from './like.ts';
import type { ObjectPath, PathRules } from './path.ts';

/** A value as written. `text` is set for an unquoted number or boolean, which may also mean its text. */
export interface Literal {
  value: string | number | boolean;
  text?: string;
}

export type Order = '<' | '<=' | '>' | '>=';

export type Where =
  | { op: 'and' | 'or'; terms: readonly Where[] }
  | { op: 'not'; term: Where }
  | { op: 'has'; path: ObjectPath }
  /** Equal to any of the values. */
  | { op: 'equal'; path: ObjectPath; values: readonly Literal[] }
  | { op: 'order'; path: ObjectPath; order: Order; value: string | number }
  | { op: 'like'; path: ObjectPath; pattern: Like };

/** A kind's rules for its paths, and its fields. */
export type WhereKind = PathRules & { schema?: { shape: object } };
