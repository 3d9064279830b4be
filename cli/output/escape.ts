/**
 * Text from other nodes may hold terminal commands. Control characters and the marks that reverse reading direction are shown as escapes,
 * so that nothing that is printed can move the cursor or disguise itself.
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

/** What is left of that in JSON text, whose own escapes spare some of it. */
const UNSEEN = /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function hasUnseen(text: string): boolean {
  return text.search(UNSEEN) !== -1;
}

/** In text between double quotes of JSON or YAML: the escapes mean the same. */
export function escapeUnseen(quoted: string): string {
  return quoted.replace(UNSEEN, codeOf);
}

function codeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
