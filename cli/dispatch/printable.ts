/** Prefixes lines of output, and escapes control characters for a terminal. Pure. */
import { isUtf8 } from 'node:buffer';
import { escapeControls } from '../output/escape.ts';

/** All that `escapeControls` escapes except line ends and tabs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const UNSAFE_BYTES = /[\u0000-\u0008\u000b-\u001f\u007f-\u00ff]/g;

/** Lines for a terminal: bytes that are not text show as `\xHH`. Tabs stay. The last line may lack its newline. */
export function printable(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8').replaceAll('\r\n', '\n').replace(UNSAFE, escapeControls);
  return bytes.toString('latin1').replaceAll('\r\n', '\n').replace(UNSAFE_BYTES, byteCode);
}

/** The same bytes with `prefix` before each line, and a newline at the end of the last. */
export function prefixedBytes(bytes: Buffer, prefix: string): Uint8Array {
  if (bytes.length === 0) return bytes;
  if (prefix === '' && bytes.at(-1) === 0x0a) return bytes;
  // latin1 maps each byte to one character, whatever the encoding
  return Buffer.from(prefixedText(bytes.toString('latin1'), Buffer.from(prefix).toString('latin1')), 'latin1');
}

/** Like `prefixedBytes`, for text. */
export function prefixedText(text: string, prefix: string): string {
  if (text === '') return '';
  const lines = text.endsWith('\n') ? text.slice(0, -1) : text;
  return `${prefix}${prefix === '' ? lines : lines.replaceAll('\n', () => `\n${prefix}`)}\n`;
}

function byteCode(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
