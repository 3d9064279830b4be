import type { Like } from './like.ts';
import type { ObjectPath, PathRules } from './path.ts';

/** A value as it was written; `text` is there for a number or truth value without quotes, which also stands for itself as a text. */
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

/** What a kind says of its paths, and its fields. */
export type WhereKind = PathRules & { schema?: { shape: object } };
