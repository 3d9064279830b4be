/** Converts shell text of DTK's commands to a script. `{{attribute}}` becomes a variable, never text that the shell would parse. Pure. */

/** The variable for each name that may stand in braces. */
export type Variables = ReadonlyMap<string, string>;

/** One command, with the condition that must hold (`if`) or must not hold (`unless`) for it to run. */
export interface Line {
  text: string;
  when?: string | undefined;
  unless?: string | undefined;
}

export interface ScriptText {
  text: string;
  /** Names in braces that have no variable. */
  unknown: string[];
  /** Names in braces where the shell expands no variables. */
  unread: string[];
  /** True if it has sections, which repeat or leave out text depending on an attribute. */
  sections: boolean;
}

/** `DTKD_PROPERTY_` followed by the name in capitals, as commands get it. */
export function variableOf(prefix: string, name: string): string {
  return prefix + name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
}

/** Builds the whole script. */
export function scriptText(shell: 'sh' | 'bash', comment: string, lines: readonly Line[], variables: Variables): ScriptText {
  const left = { unknown: new Set<string>(), unread: new Set<string>() };
  let sections = false;
  const filled = (text: string): string => {
    sections ||= /\{\{\s*[#^/]/.test(text);
    return filledIn(text, variables, left);
  };
  const body = lines.map(({ text, when, unless }) => {
    const conditions = [...(when === undefined ? [] : [filled(when)]), ...(unless === undefined ? [] : [`! { ${filled(unless)}; }`])];
    return conditions.length === 0 ? filled(text) : `if ${conditions.join(' && ')}; then\n${filled(text)}\nfi`;
  });
  // a line break would end the comment
  const about = comment.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
  const [unknown, unread] = [[...left.unknown], [...left.unread]];
  return { text: `#!/bin/${shell}\n# ${about}\nset -e\n${body.join('\n')}\n`, unknown, unread, sections };
}

const BRACES = /\{\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}\}|\{\{&?\s*([A-Za-z0-9_.-]+)\s*\}\}/y;
/** A comment, up to the end of the line. Quotes in it do not count. */
const COMMENT = /(?<![^\s;&|()])#.*/y;
/** The start of a here-document, whose lines follow the line of the command. If the end word is quoted, the shell expands nothing in it. */
const HERE = /(?<!<)<<(-?)[ \t]*(?:'([^'\n]+)'|"([^"\n]+)"|(\\?)([\w.-]+))/y;

interface Left {
  unknown: Set<string>;
  unread: Set<string>;
}

interface Here {
  /** Its lines, including the end word. */
  lines: string;
  isRead: boolean;
}

/**
 * Replaces names in braces by variables. Within single quotes the shell expands none, so the quotes are closed before the variable and
 * opened after it.
 */
function filledIn(text: string, variables: Variables, left: Left): string {
  let made = '';
  let quote: '"' | "'" | undefined;
  let waiting: HereBegin[] = [];
  for (let at = 0; at < text.length; ) {
    const braces = matchAt(BRACES, text, at);
    if (braces !== undefined) {
      made += named(braces, variables, left, (variable) => (quote === "'" ? `'"\${${variable}}"'` : `\${${variable}}`));
      at += braces[0].length;
      continue;
    }
    const plain = quote === undefined ? (matchAt(COMMENT, text, at)?.[0] ?? '') : '';
    if (plain !== '') {
      made += plain;
      at += plain.length;
      continue;
    }
    const here = quote === undefined ? hereAt(text, at) : undefined;
    if (here !== undefined) {
      waiting.push(here);
      made += text.slice(at, at + here.length);
      at += here.length;
      continue;
    }
    const char = text.charAt(at);
    if (char === '\\' && quote !== "'") {
      made += text.slice(at, at + 2);
      at += 2;
      continue;
    }
    if (char === '"' || char === "'") quote = quote === undefined ? char : quote === char ? undefined : quote;
    made += char;
    at += 1;
    if (char !== '\n') continue;
    for (const begun of waiting) {
      const body = bodyOf(text, at, begun);
      if (body === undefined) break;
      made += filledLines(body, variables, left);
      at += body.lines.length;
    }
    waiting = [];
  }
  return made;
}

interface HereBegin {
  end: string;
  /** True if tabs may precede the end word (`<<-`). */
  tabs: boolean;
  isRead: boolean;
  /** The length of the start, in characters. */
  length: number;
}

function hereAt(text: string, at: number): HereBegin | undefined {
  const match = matchAt(HERE, text, at);
  if (match === undefined) return undefined;
  const [all, dash, single, double, backslash, word] = match;
  return { end: single ?? double ?? word ?? '', tabs: dash === '-', isRead: word !== undefined && backslash === '', length: all.length };
}

/** The body of a here-document. Undefined if no end word follows: then it is none, but a shift in arithmetic, for example. */
function bodyOf(text: string, start: number, { end, tabs, isRead }: HereBegin): Here | undefined {
  for (let at = start; at < text.length; ) {
    const next = text.indexOf('\n', at);
    const line = text.slice(at, next < 0 ? text.length : next);
    at = next < 0 ? text.length : next + 1;
    if ((tabs ? line.replace(/^\t+/, '') : line) === end) return { lines: text.slice(start, at), isRead };
  }
  return undefined;
}

/** Replaces names in the body of a here-document, in which quotes are plain text. */
function filledLines({ lines, isRead }: Here, variables: Variables, left: Left): string {
  return lines.replace(new RegExp(BRACES.source, 'g'), (...match: string[]) => {
    if (isRead) return named(match, variables, left, (variable) => `\${${variable}}`);
    left.unread.add(match[1] ?? match[2] ?? '');
    return match[0] ?? '';
  });
}

/** The text in place of a name in braces. */
function named(match: readonly (string | undefined)[], variables: Variables, { unknown }: Left, as: (variable: string) => string): string {
  const name = match[1] ?? match[2] ?? '';
  const variable = variables.get(name);
  if (variable !== undefined) return as(variable);
  unknown.add(name);
  return match[0] ?? '';
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
