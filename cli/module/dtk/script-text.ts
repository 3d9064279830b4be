/** Shell text of DTK's commands as a script: pure. `{{attribute}}` becomes a variable, never text that the shell would read. */

/** A variable for each name that may stand in braces. */
export type Variables = ReadonlyMap<string, string>;

/** One command, with what has to hold (`if`) or not to hold (`unless`) for it to be run. */
export interface Line {
  text: string;
  when?: string | undefined;
  unless?: string | undefined;
}

export interface ScriptText {
  text: string;
  /** Names in braces that stand for nothing. */
  unknown: string[];
  /** It has parts that are repeated or left out by what an attribute says. */
  sections: boolean;
}

/** `DTKD_PROPERTY_` and the name in capitals, as commands get it. */
export function variableOf(prefix: string, name: string): string {
  return prefix + name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
}

/** The whole script. */
export function scriptText(shell: 'sh' | 'bash', comment: string, lines: readonly Line[], variables: Variables): ScriptText {
  const unknown = new Set<string>();
  let sections = false;
  const filled = (text: string): string => {
    sections ||= /\{\{\s*[#^/]/.test(text);
    return filledIn(text, variables, unknown);
  };
  const body = lines.map(({ text, when, unless }) => {
    const conditions = [...(when === undefined ? [] : [filled(when)]), ...(unless === undefined ? [] : [`! { ${filled(unless)}; }`])];
    return conditions.length === 0 ? filled(text) : `if ${conditions.join(' && ')}; then\n${filled(text)}\nfi`;
  });
  // a comment ends with its line
  const about = comment.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
  return { text: `#!/bin/${shell}\n# ${about}\nset -e\n${body.join('\n')}\n`, unknown: [...unknown], sections };
}

const BRACES = /\{\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}\}|\{\{&?\s*([A-Za-z0-9_.-]+)\s*\}\}/y;

/** Within single quotes the shell would not look at a variable: there the quotes are ended before it and begun after it. */
function filledIn(text: string, variables: Variables, unknown: Set<string>): string {
  let made = '';
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < text.length; ) {
    BRACES.lastIndex = at;
    const match = BRACES.exec(text);
    const name = match?.[1] ?? match?.[2];
    if (match !== null && name !== undefined) {
      const variable = variables.get(name);
      if (variable === undefined) unknown.add(name);
      made += variable === undefined ? match[0] : quote === "'" ? `'"\${${variable}}"'` : `\${${variable}}`;
      at += match[0].length;
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
  }
  return made;
}
