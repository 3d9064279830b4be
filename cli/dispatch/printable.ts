import { isUtf8 } from 'node:buffer';
import { escapeControls } from '../output/escape.ts';

/** Bytes of a line for a terminal: nothing in it can move the cursor, and what is no text shows as `\xHH`. Tabs stay. */
export function printable(bytes: Buffer): string {
  const text = isUtf8(bytes) ? bytes.toString('utf8') : escapeBytes(bytes);
  return text.replace(/\r$/, '').split('\t').map(escapeControls).join('\t');
}

function escapeBytes(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) text += byte >= 0x80 ? `\\x${byte.toString(16)}` : String.fromCharCode(byte);
  return text;
}
