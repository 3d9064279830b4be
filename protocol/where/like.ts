/** Patterns of `like`: `*` matches any text, `?` one character, and a backslash escapes the next character. */

/** The part of a pattern between stars: characters, or undefined for any character. */
type Piece = readonly (string | undefined)[];

export interface Like {
  /** The prefix of every match. */
  prefix: string;
  /** The pieces between stars. Without a star there is one piece, which must match the whole text. */
  pieces: readonly Piece[];
}

export function parseLike(pattern: string): Like {
  const pieces: (string | undefined)[][] = [[]];
  let literal = false;
  for (const char of pattern) {
    if (literal || (char !== '*' && char !== '?' && char !== '\\')) {
      pieces.at(-1)?.push(char);
      literal = false;
    } else if (char === '\\') literal = true;
    else if (char === '?') pieces.at(-1)?.push(undefined);
    else pieces.push([]);
  }
  if (literal) pieces.at(-1)?.push('\\');
  const first = pieces[0] ?? [];
  const wild = first.indexOf(undefined);
  return { prefix: (wild === -1 ? first : first.slice(0, wild)).join(''), pieces };
}

/**
 * True if the whole text matches. The first and last piece are anchored at the ends; each one between is placed where it first fits,
 * without backtracking. So the cost is at most the product of both lengths, whatever the pattern.
 */
export function matchesLike({ prefix, pieces }: Like, text: string): boolean {
  if (!text.startsWith(prefix)) return false;
  const chars = [...text];
  const [first = [], ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return chars.length === first.length && fits(first, chars, 0);
  if (chars.length < first.length + last.length || !fits(first, chars, 0)) return false;
  const end = chars.length - last.length;
  if (!fits(last, chars, end)) return false;
  let at = first.length;
  for (const piece of rest) {
    while (at + piece.length <= end && !fits(piece, chars, at)) at += 1;
    if (at + piece.length > end) return false;
    at += piece.length;
  }
  return true;
}

function fits(piece: Piece, chars: readonly string[], at: number): boolean {
  return at + piece.length <= chars.length && piece.every((char, index) => char === undefined || char === chars[at + index]);
}
