/** Parses expressions by recursive descent, with a limit on everything that grows. */
import { DtkdError } from '../errors.ts';
import { caretUnder } from '../text/caret.ts';
import { type Token, tokensOf } from './lexer.ts';
import { parseLike } from './like.ts';
import { type ObjectPath, objectPath } from './path.ts';
import type { Literal, Order, Where, WhereKind } from './where.types.ts';

/** Maximum characters: as many as a URL carries. */
const MAX_LENGTH = 8_192;
/** Maximum nesting of parentheses and `not`, which bounds the stack. */
const MAX_DEPTH = 32;
/** Maximum number of comparisons in one expression. */
const MAX_TERMS = 128;
/** Maximum number of values in one `in`. */
const MAX_VALUES = 256;
/** Maximum characters of one pattern: the cost of a match grows with it. */
const MAX_PATTERN = 256;
const MAX_PATH = 320;
const MAX_STEPS = 16;

const PATH = /^[A-Za-z_][A-Za-z0-9_./-]*$/;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const ORDERS: readonly Order[] = ['<', '<=', '>', '>='];

/** Short forms that all kinds have. */
const ALIASES: Readonly<Record<string, string>> = {
  name: 'metadata.name',
  namespace: 'metadata.namespace',
  node: 'metadata.namespace',
  labels: 'metadata.labels',
  annotations: 'metadata.annotations',
};
const ROOTS = ['metadata', 'spec', 'status'];

export function parseExpression(text: string, kind: WhereKind): Where {
  if (text.length > MAX_LENGTH) throw refusal(text, MAX_LENGTH, `it is longer than ${MAX_LENGTH} characters`);
  const tokens = tokensOf(text);
  if (!Array.isArray(tokens)) throw refusal(text, tokens.at, tokens.why);
  return new Parser(text, tokens, kind).whole();
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #kind: WhereKind;
  #next = 0;
  #terms = 0;
  #depth = 0;

  constructor(text: string, tokens: readonly Token[], kind: WhereKind) {
    this.#text = text;
    this.#tokens = tokens;
    this.#kind = kind;
  }

  whole(): Where {
    const where = this.#or();
    const rest = this.#peek();
    if (rest.type !== 'end') throw this.#refuse(rest, 'expected and, or, or the end');
    return where;
  }

  #or(): Where {
    return this.#joined('or', () => this.#joined('and', () => this.#one()));
  }

  #joined(op: 'and' | 'or', part: () => Where): Where {
    const first = part();
    const terms = [first];
    while (this.#takeWord(op)) terms.push(part());
    return terms.length === 1 ? first : { op, terms };
  }

  #one(): Where {
    const token = this.#peek();
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#refuse(token, `more than ${MAX_DEPTH} parentheses and "not" are nested`);
    const where = this.#inner();
    this.#depth -= 1;
    return where;
  }

  #inner(): Where {
    if (this.#takeWord('not')) return { op: 'not', term: this.#one() };
    if (this.#takeSign('(')) {
      const where = this.#or();
      this.#expectSign(')', 'expected and, or, or )');
      return where;
    }
    this.#terms += 1;
    if (this.#terms > MAX_TERMS) throw this.#refuse(this.#peek(), `it has more than ${MAX_TERMS} comparisons`);
    if (this.#takeWord('has')) return { op: 'has', path: this.#path() };
    return this.#comparison(this.#path());
  }

  #comparison(path: ObjectPath): Where {
    const token = this.#take();
    const word = token.type === 'word' ? token.value.toLowerCase() : '';
    if (token.type === 'sign') {
      if (token.value === '=' || token.value === '==') return { op: 'equal', path, values: [this.#literal()] };
      if (token.value === '!=') return { op: 'not', term: { op: 'equal', path, values: [this.#literal()] } };
      const order = ORDERS.find((each) => each === token.value);
      if (order !== undefined) return this.#order(path, order);
    }
    if (word === 'not') {
      const what = this.#peek();
      if (!this.#isWord('in') && !this.#isWord('like')) throw this.#refuse(what, 'expected in or like after not');
      return { op: 'not', term: this.#comparison(path) };
    }
    if (word === 'in') return { op: 'equal', path, values: this.#list() };
    if (word === 'like') return { op: 'like', path, pattern: this.#pattern(path) };
    throw this.#refuse(token, 'expected =, !=, <, <=, >, >=, like, in or not in');
  }

  #order(path: ObjectPath, order: Order): Where {
    const token = this.#peek();
    const { value } = this.#literal();
    if (typeof value === 'boolean') throw this.#refuse(token, 'true and false have no order');
    return { op: 'order', path, order, value };
  }

  #list(): Literal[] {
    this.#expectSign('(', 'expected ( and values after in');
    const values = [this.#literal()];
    while (this.#takeSign(',')) {
      if (values.length === MAX_VALUES) throw this.#refuse(this.#peek(), `it lists more than ${MAX_VALUES} values`);
      values.push(this.#literal());
    }
    this.#expectSign(')', 'expected , or ) after a value');
    return values;
  }

  #pattern(path: ObjectPath) {
    const token = this.#valueToken();
    if (token.value.length > MAX_PATTERN) throw this.#refuse(token, `the pattern is longer than ${MAX_PATTERN} characters`);
    return parseLike(path.caseless ? token.value.toLowerCase() : token.value);
  }

  #literal(): Literal {
    const { type, value } = this.#valueToken();
    if (type === 'text') return { value };
    if (value === 'true' || value === 'false') return { value: value === 'true', text: value };
    const number = NUMBER.test(value) ? Number(value) : Number.NaN;
    return Number.isFinite(number) ? { value: number, text: value } : { value };
  }

  #valueToken(): Token {
    const token = this.#take();
    if (token.type !== 'text' && token.type !== 'word') throw this.#refuse(token, 'expected a value');
    return token;
  }

  #path(): ObjectPath {
    const token = this.#take();
    if (token.type !== 'word') throw this.#refuse(token, 'expected a path, not, has or (');
    const path = token.value;
    if (!PATH.test(path) || path.endsWith('.') || path.includes('..'))
      throw this.#refuse(
        token,
        `"${path.slice(0, 80)}" is not a path, such as properties.port; compare with =, !=, <, <=, >, >=, in or like`,
      );
    if (path.length > MAX_PATH) throw this.#refuse(token, `the path is longer than ${MAX_PATH} characters`);
    if (path.split('.').length > MAX_STEPS) throw this.#refuse(token, `the path has more than ${MAX_STEPS} steps`);
    const dot = path.indexOf('.');
    const root = dot === -1 ? path : path.slice(0, dot);
    const rest = dot === -1 ? '' : path.slice(dot);
    const aliases = { ...ALIASES, ...this.#kind.aliases };
    const full = Object.hasOwn(aliases, root) ? `${aliases[root]}${rest}` : path;
    if (full === path && !ROOTS.includes(root) && !Object.hasOwn(this.#kind.schema?.shape ?? {}, root)) {
      const known = [...new Set([...Object.keys(aliases), ...ROOTS, ...Object.keys(this.#kind.schema?.shape ?? {})])];
      throw this.#refuse(token, `"${root}" is not a field here; these are: ${known.join(', ')}`);
    }
    return objectPath(full, this.#kind);
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)] ?? { type: 'end', value: '', at: this.#text.length };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #isWord(word: string): boolean {
    const token = this.#peek();
    return token.type === 'word' && token.value.toLowerCase() === word;
  }

  #takeWord(word: string): boolean {
    const is = this.#isWord(word);
    if (is) this.#next += 1;
    return is;
  }

  #takeSign(sign: string): boolean {
    const token = this.#peek();
    const is = token.type === 'sign' && token.value === sign;
    if (is) this.#next += 1;
    return is;
  }

  #expectSign(sign: string, why: string): void {
    if (!this.#takeSign(sign)) throw this.#refuse(this.#peek(), why);
  }

  #refuse(token: Token, why: string): DtkdError {
    return refusal(this.#text, token.at, token.type === 'end' ? `${why}, and it ends here` : why);
  }
}

function refusal(text: string, at: number, why: string): DtkdError {
  return new DtkdError('BAD_REQUEST', `the expression cannot be read at character ${at + 1}: ${why}${caretUnder(text, at)}`, {
    next: "Write it like: type=Service and properties.port>8000 and not name like 'test-*'.",
    details: { position: at },
  });
}
