/**
 * Finds fields that occur twice in one object of a JSON text. Parsing silently keeps the last, although the author may believe that the
 * first counts. Pure. Only for texts that were parsed before, and so are well-formed and not nested too deeply.
 */

/** Maximum number of fields reported. */
const MAX_TOLD = 20;

interface Level {
  /** Names so far, if this is an object; undefined for an array. */
  names: Set<string> | undefined;
  /** The field being read, or the index in an array. */
  at: string | number;
}

/** Returns paths such as `spec.ports[0].port`, each once. */
export function duplicateFields(text: string): string[] {
  const found = new Set<string>();
  const levels: Level[] = [];
  let expectsName = false;
  for (let position = 0; position < text.length; position++) {
    const top = levels.at(-1);
    switch (text[position]) {
      case '{':
        levels.push({ names: new Set(), at: '' });
        expectsName = true;
        break;
      case '[':
        levels.push({ names: undefined, at: 0 });
        expectsName = false;
        break;
      case '}':
      case ']':
        levels.pop();
        expectsName = false;
        break;
      case ',':
        expectsName = top?.names !== undefined;
        if (top !== undefined && typeof top.at === 'number') top.at += 1;
        break;
      case '"': {
        const end = endOfText(text, position);
        if (expectsName && top?.names !== undefined) {
          const name = nameIn(text.slice(position, end + 1));
          top.at = name;
          if (top.names.has(name) && found.size < MAX_TOLD) found.add(pathOf(levels));
          top.names.add(name);
          expectsName = false;
        }
        position = end;
        break;
      }
      default:
    }
  }
  return [...found];
}

/** Returns the position of the quote that ends a string. */
function endOfText(text: string, start: number): number {
  // Jumps from quote to quote, since most characters of a document are within strings.
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text[before] === '\\') before -= 1;
    // After an even number of backslashes, the quote is not escaped.
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}

function nameIn(literal: string): string {
  return literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1);
}

function pathOf(levels: readonly Level[]): string {
  let path = '';
  for (const { at } of levels) path += typeof at === 'number' ? `[${at}]` : path === '' ? at : `.${at}`;
  return path.slice(0, 300);
}
