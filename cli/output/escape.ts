/**
 * Escapes control characters, and the marks that change reading direction: text from other nodes may contain terminal commands. Nothing
 * that is printed can then move the cursor or disguise itself.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (character === '\r') return '\\r';
    return codeOf(character);
  });
}

/** The unsafe characters that JSON leaves unescaped. */
const UNSEEN = /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function hasUnseen(text: string): boolean {
  return text.search(UNSEEN) !== -1;
}

/** Escapes these characters inside a double-quoted string of JSON or YAML, where `\uXXXX` means the same. */
export function escapeUnseen(quoted: string): string {
  return quoted.replace(UNSEEN, codeOf);
}

function codeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
