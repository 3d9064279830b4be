/** Reads Ansible's INI inventories: host lines with variables, `[group]`, `[group:children]`, `[group:vars]`. */
import { DtkdError } from '../../protocol/errors.ts';
import { AnsibleDraft } from './ansible.ts';
import type { Draft, DraftValue } from './draft.ts';

const SECTION = /^\[([^\]:]+)(?::(\w+))?\]\s*(?:[#;].*)?$/;

/** Errors: BAD_REQUEST with the line. */
export function readAnsibleIni(text: string, source: string): Draft {
  const draft = new AnsibleDraft(source);
  let group = 'ungrouped';
  let section: 'hosts' | 'children' | 'vars' = 'hosts';
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const said = raw.trim();
    if (said === '' || said.startsWith('#') || said.startsWith(';')) continue;
    const header = SECTION.exec(said);
    if (header !== null) {
      const [, name = '', kind = 'hosts'] = header;
      if (kind !== 'hosts' && kind !== 'children' && kind !== 'vars')
        throw wrong(source, line, `[${name}:${kind}] is not one of [group], [group:children], [group:vars]`);
      group = name.trim();
      section = kind;
      draft.group(group, line);
    } else if (said.startsWith('[') && !/^\[[^\]]*:[^\]]*\]\S/.test(said)) {
      throw wrong(source, line, `"${said.slice(0, 80)}" is not a section`);
    } else if (section === 'children') {
      draft.child(group, words(said, source, line)[0] ?? said, line);
    } else if (section === 'vars') {
      draft.groupVariables(group, variableOf(said, source, line), line);
    } else {
      readHost(draft, group, said, source, line);
    }
  }
  return draft.build('Ansible inventory (INI)');
}

function readHost(draft: AnsibleDraft, group: string, said: string, source: string, line: number): void {
  const [first = '', ...rest] = words(said, source, line);
  const variables: [string, DraftValue][] = [];
  // a port may follow the name, as in web1:2222, but a colon inside a range is part of it
  const port = /^(.*[^:[\]]|.*\])(?::(\d{1,5}))$/.exec(first);
  const name = port === null || first.includes('::') ? first : (port[1] ?? first);
  if (port !== null && name !== first) variables.push(['ansible_port', Number(port[2])]);
  for (const word of rest) {
    const cut = word.indexOf('=');
    if (cut <= 0) throw wrong(source, line, `"${word.slice(0, 80)}" is not NAME=VALUE`);
    variables.push([word.slice(0, cut), literalOf(word.slice(cut + 1))]);
  }
  draft.hosts(name, group, Object.fromEntries(variables), line);
}

function variableOf(said: string, source: string, line: number): Record<string, DraftValue> {
  const cut = said.indexOf('=');
  if (cut <= 0) throw wrong(source, line, `"${said.slice(0, 80)}" is not NAME=VALUE`);
  const value = said.slice(cut + 1).trim();
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return { [said.slice(0, cut).trim()]: quoted === null ? literalOf(value.replace(/\s+#.*$/, '')) : (quoted[2] ?? '') };
}

/** Splits at white space outside quotes, as a shell does; a word that begins with # starts a comment. */
function words(said: string, source: string, line: number): string[] {
  const found: string[] = [];
  let word = '';
  let quote = '';
  let begun = false;
  for (const char of said) {
    if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      begun = true;
    } else if (/\s/.test(char)) {
      if (begun || word !== '') found.push(word);
      word = '';
      begun = false;
    } else if (char === '#' && word === '' && !begun) {
      return found;
    } else {
      word += char;
    }
  }
  if (quote !== '') throw wrong(source, line, `a ${quote} is not closed`);
  if (begun || word !== '') found.push(word);
  return found;
}

/** Parses whole numbers, booleans and JSON; anything else is text. */
function literalOf(text: string): DraftValue {
  if (/^-?(0|[1-9]\d{0,14})$/.test(text)) return Number(text);
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (/^[[{]/.test(text)) {
    try {
      const parsed: DraftValue = JSON.parse(text);
      return parsed;
    } catch {
      return text;
    }
  }
  return text;
}

function wrong(source: string, line: number, why: string): DtkdError {
  return new DtkdError('BAD_REQUEST', `${source}:${line}: ${why}`);
}
