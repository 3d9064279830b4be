/**
 * Converts actions of DTK's components to commands. Those made of shell text become scripts; those that DTK delegates to other tools are
 * noted.
 */
import type { Command, Commands, OptionRule } from '../../../protocol/definitions/commands.ts';
import { isRecord } from '../../json.ts';
import { type Rules, readAllowed, readDescription, valueFor } from './attributes.ts';
import { commandNameOf, optionNameOf, partNameOf } from './names.ts';
import { type Part, shown } from './part.ts';
import { type Line, scriptText, variableOf } from './script-text.ts';

/** Generated scripts, by their paths in the new module. */
export type Files = Map<string, { text: string; executable: boolean }>;

/** The tools to which DTK delegates actions. */
const DELEGATES = /^(ruby|puppet|docker|ansible|chef|nodejs|python|kubernetes|helm|gateway)/;
const SHELLS = new Set(['shell', 'sh', 'bash', 'bash_command', 'bash_commands', 'command', 'commands', 'syscall']);
/** Keys of an action besides its work. Others, such as `outputs`, are noted. */
const ABOUT = new Set(['description', 'parameters', 'params', 'timeout', 'type', 'provider']);
/** Keys whose values are run. */
const BODIES = new Set(['bash', 'shell', 'function', 'functions', 'command', 'commands', 'RUN']);
const OPTION_KEYS = new Set(['type', 'description', 'required', 'default', 'encrypted', 'options', 'legal_values']);
/** Levels of nested bodies. */
const MAX_DEPTH = 8;
const MAX_LINES = 1_000;

interface Body {
  shell: 'sh' | 'bash';
  lines: Line[];
  /** A file of the module that is the whole body. */
  file?: string | undefined;
  /** The tool that would run it, if it is not shell text. */
  delegate?: string | undefined;
}

export interface ActionsOf {
  /** `mysql::server`, for messages and the comments in scripts. */
  title: string;
  component: string;
  rules: Rules;
  /** Files of the DTK module. */
  present: ReadonlySet<string>;
}

/** Converts all actions of a component. */
export function readActions(part: Part, owner: ActionsOf, files: Files): Commands {
  const commands: Commands = {};
  for (const [name, action] of part.entries(`the actions of ${owner.title}`)) {
    const command = commandNameOf(name);
    if (command === undefined) action.note(`action ${shown(name)} of ${owner.title} was left out: this is not a valid name for a command`);
    else {
      const read = readAction(action, command, owner, files);
      if (read !== undefined) commands[command] = read;
    }
  }
  return commands;
}

function readAction(part: Part, name: string, owner: ActionsOf, files: Files): Command | undefined {
  const what = `action ${name} of ${owner.title}`;
  const body: Body = { shell: 'sh', lines: [] };
  readBody(part, body, what, 0);
  if (body.delegate !== undefined) {
    part.note(`${what} was left out: its work is handed on to ${body.delegate}, which dtkd does not run; write it as a script`);
    return undefined;
  }
  const options = readOptions(
    isRecord(part.value) ? (part.get('parameters').isThere ? part.get('parameters') : part.get('params')) : part.get('parameters'),
    what,
  );
  const command: Command = {
    ...(isRecord(part.value) ? about(part) : {}),
    ...(Object.keys(options).length === 0 ? {} : { options }),
    ...timeoutOf(part, what),
  };
  const used = Object.keys(owner.rules).filter((property) => owner.rules[property]?.type === 'secret' && isUsed(property, body));
  const secrets = used.map((property) => ({ property, optional: true, variable: `${variableOf('DTKD_PROPERTY_', property)}_FILE` }));
  const withSecrets = secrets.length === 0 ? {} : { secrets };
  if (body.file !== undefined && body.lines.length === 0) {
    if (owner.present.has(body.file)) return { ...command, script: { file: body.file, ...withSecrets } };
    part.note(`${what} was left out: the module has no file ${shown(body.file)}`);
    return undefined;
  }
  if (body.lines.length === 0) {
    part.note(`${what} was left out: there is nothing in it that could be run`);
    return undefined;
  }
  const variables = new Map([
    ...Object.entries(owner.rules).map(([property, { type }]) => {
      const variable = variableOf('DTKD_PROPERTY_', property);
      return [property, type === 'secret' ? `${variable}_FILE` : variable] as const;
    }),
    ...Object.keys(options).map((option) => [option, variableOf('DTKD_OPTION_', option)] as const),
  ]);
  const made = scriptText(body.shell, `${owner.title}, ${name}: made from its DTK module.`, body.lines, variables);
  if (made.sections) {
    part.note(`${what} was left out: parts of its text depend on attributes ({{#…}}); write it as a script`);
    return undefined;
  }
  for (const unknown of made.unknown) part.note(`${what} mentions {{${unknown}}}, which is not an attribute; it stays as it is`);
  for (const unread of made.unread)
    part.note(
      `${what} has {{${unread}}} between lines that the shell takes as they are (<<'END'): it stays as it is; write what it should be`,
    );
  for (const property of used)
    part.note(`${what} gets the secret {{${property}}} as a file, whose path takes its place: make it read that file`);
  const path = fileFor(owner.component, name, files, owner.present);
  files.set(path, { text: made.text, executable: true });
  return { ...command, script: { file: path, ...withSecrets } };
}

/** True if the body may use a property. A file may use any of them. */
function isUsed(property: string, { file, lines }: Body): boolean {
  const mentions = (text: string | undefined) => text?.includes(property) === true && text.includes('{{');
  return file !== undefined || lines.some(({ text, when, unless }) => mentions(text) || mentions(when) || mentions(unless));
}

function about(part: Part): { description?: string } {
  const description = readDescription(part);
  return description === undefined ? {} : { description };
}

/** Adds to `body` what an action, or a part of one, runs. */
function readBody(part: Part, body: Body, what: string, depth: number): void {
  if (!part.isThere) return;
  if (depth > MAX_DEPTH || body.lines.length > MAX_LINES) {
    part.fault(`${what} is nested too deeply, or too long`);
    return;
  }
  if (typeof part.value === 'string') {
    addLine(part, part.value, body, what);
    return;
  }
  if (Array.isArray(part.value)) {
    for (const item of part.items()) readBody(item, body, what, depth + 1);
    return;
  }
  if (!isRecord(part.value)) {
    part.fault(`${what} must be commands, or a mapping that says what it runs`);
    return;
  }
  const type = part.get('type').text(`the type of ${what}`)?.trim().toLowerCase();
  if (type?.startsWith('bash') === true) body.shell = 'bash';
  if (type !== undefined && !SHELLS.has(type)) {
    body.delegate ??= shown(type);
    return;
  }
  for (const [key, value] of part.entries(what)) readKey(part, key, value, body, what, depth);
}

function readKey(part: Part, key: string, value: Part, body: Body, what: string, depth: number): void {
  if (ABOUT.has(key) || key === 'if' || key === 'unless') return;
  if (key === 'bash') body.shell = 'bash';
  if ((key === 'command' || key === 'RUN') && typeof value.value === 'string')
    addLine(value, value.value, body, what, { when: part.get('if').text('if'), unless: part.get('unless').text('unless') });
  else if (BODIES.has(key)) readBody(value, body, what, depth + 1);
  else if (key === 'entrypoint') body.file = value.text(`the entrypoint of ${what}`)?.replace(/^\.?\//, '');
  else if (key === 'ADD') value.note(`ADD in ${what} was left out: let its type have a template`);
  else if (DELEGATES.test(key)) body.delegate ??= shown(key.split('_')[0]);
  else value.note(`${key} of ${what} has no counterpart and was left out`);
}

function addLine(part: Part, text: string, body: Body, what: string, conditions: Pick<Line, 'when' | 'unless'> = {}): void {
  if (/^\s*ADD\s/.test(text)) {
    part.note(`ADD in ${what} was left out: let its type have a template`);
    return;
  }
  const command = text.replace(/^\s*RUN\s+/, '').trimEnd();
  if (command.includes('\0')) part.fault(`a command of ${what} has a NUL character`);
  else if (command.trim() !== '') body.lines.push({ text: command, ...conditions });
}

function readOptions(part: Part, what: string): Record<string, OptionRule> {
  const options: Record<string, OptionRule> = {};
  if (part.isThere && !isRecord(part.value) && !Array.isArray(part.value)) {
    part.fault(`the parameters of ${what} must be a mapping`);
    return options;
  }
  for (const [name, said] of part.named(`the parameters of ${what}`)) {
    const option = optionNameOf(name);
    if (option === undefined) said.note(`parameter ${shown(name)} of ${what} was left out: this is not a valid name for an option`);
    else options[option] = readOption(said, `${name} of ${what}`);
  }
  return options;
}

function readOption(part: Part, what: string): OptionRule {
  if (!isRecord(part.value)) {
    if (part.isThere) part.note(`${shown(part.value)} of parameter ${what} was left out: only a mapping says what a parameter is`);
    return {};
  }
  for (const [key, said] of part.entries(what))
    if (!OPTION_KEYS.has(key)) said.note(`${key} of parameter ${what} has no counterpart and was left out`);
  const said = part.get('type').text(`the type of ${what}`)?.trim().toLowerCase();
  const type = said === 'integer' || said === 'boolean' ? said : 'string';
  if (said !== undefined && said !== type)
    part.get('type').note(`the type ${shown(said)} of parameter ${what} has no counterpart: it becomes a string`);
  const description = readDescription(part);
  const encrypted = part.get('encrypted').flag(`encrypted of ${what}`);
  if (encrypted)
    part
      .get('encrypted')
      .note(`parameter ${what} is encrypted in DTK; dtkd keeps options as they are given: use a property of type secret instead`);
  const given = part.get('default');
  const read = given.isThere && !encrypted ? valueFor(type, given.value) : undefined;
  const allowed = readAllowed(part, type, what);
  const value = allowed === undefined || allowed.some((one) => one === read) ? read : undefined;
  if (given.isThere && encrypted) given.note(`the default of ${what} is a secret and was not kept`);
  else if (given.isThere && read === undefined) given.note(`the default of ${what} was left out: it is not of the type ${type}`);
  else if (given.isThere && value === undefined) given.note(`the default of ${what} was left out: it is not one of the allowed values`);
  return {
    type,
    ...(allowed === undefined ? {} : { allowed }),
    ...(description === undefined ? {} : { description }),
    ...(part.get('required').flag(`required of ${what}`) ? { required: true } : {}),
    ...(typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? { default: value } : {}),
  };
}

function timeoutOf(part: Part, what: string): { timeout?: string } {
  const said = isRecord(part.value) ? part.get('timeout') : undefined;
  if (said === undefined || !said.isThere) return {};
  const seconds = valueFor('integer', said.value);
  if (typeof seconds === 'number' && seconds > 0 && seconds < 1_000_000) return { timeout: `${seconds}s` };
  said.note(`the timeout of ${what} was left out: it is not a number of seconds`);
  return {};
}

/** `bin/server-create`, with a number if that is taken. */
function fileFor(component: string, action: string, files: Files, present: ReadonlySet<string>): string {
  const base = `bin/${partNameOf(component) ?? 'component'}-${action}`;
  for (let number = 1; ; number++) {
    const path = number === 1 ? base : `${base}-${number}`;
    if (!files.has(path) && !present.has(path)) return path;
  }
}
