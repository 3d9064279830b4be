/** Splits an expression into words, quoted texts and signs. */

export type TokenType = 'word' | 'text' | 'sign' | 'end';

export interface Token {
  type: TokenType;
  /** A word as written, a text without its quotes, or a sign. */
  value: string;
  /** Its position. */
  at: number;
}

export interface LexerError {
  at: number;
  why: string;
}

const SPACE = /\s+/y;
const SIGN = /==|!=|<=|>=|[=<>(),]/y;
const WORD = /[^\s'"=!<>(),]+/y;

/** Returns the tokens, the last of type `end`; or what is wrong. */
export function tokensOf(text: string): Token[] | LexerError {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  while (at < text.length) {
    const space = take(SPACE);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const quote = text[at];
    if (quote === '"' || quote === "'") {
      const read = quoted(text, at, quote);
      if (read === undefined) return { at, why: `the ${quote} here is not closed` };
      tokens.push({ type: 'text', value: read.value, at });
      at = read.end;
      continue;
    }
    const sign = take(SIGN);
    const value = sign ?? take(WORD);
    if (value === undefined) return { at, why: `${JSON.stringify(text[at])} alone has no meaning; write !=, or not` };
    tokens.push({ type: sign === undefined ? 'word' : 'sign', value, at });
    at += value.length;
  }
  tokens.push({ type: 'end', value: '', at: text.length });
  return tokens;
}

/** Reads a quoted text. A backslash escapes a quote or a backslash; before anything else it is literal. */
function quoted(text: string, start: number, quote: string): { value: string; end: number } | undefined {
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === quote) return { value, end: at + 1 };
    const next = text[at + 1];
    if (char === '\\' && (next === quote || next === '\\')) {
      value += next;
      at += 1;
    } else value += char;
  }
  return undefined;
}
