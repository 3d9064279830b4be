/** Ansible's inventories as drafts: hosts; groups as Sites and tags; variables as properties of the host or group that has them. */
import { DtkdError } from '../../protocol/errors.ts';
import { type Draft, DraftBuilder, type DraftValue, HOST, type ResourceDraft, SITE } from './draft.ts';

/** Groups that every inventory has implicitly. */
const ALL = 'all';
const UNGROUPED = 'ungrouped';
/** Connection variables that have another name in the built-in type Host. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['ansible_host', 'hostname'],
  ['ansible_ssh_host', 'hostname'],
  ['ansible_user', 'username'],
  ['ansible_ssh_user', 'username'],
]);
const CREDENTIAL = /pass(word|phrase|wd)?$|_pass_|secret|token$|private_key$/i;
const VAULTED = /^\s*\$ANSIBLE_VAULT;/;
/** The most hosts that a pattern like `web[001:500]` may make. */
const MAX_RANGE = 10_000;

/** Directories beside an inventory from which Ansible also reads variables. */
export const VARIABLE_DIRECTORIES = ['group_vars', 'host_vars'];
/** The command that writes a complete inventory in a form that can be imported. */
export const WHOLE_INVENTORY = 'ansible-inventory -i INVENTORY --list --yaml --export';

/** Collects the contents of an inventory, in either notation. */
export class AnsibleDraft {
  readonly #builder = new DraftBuilder();
  readonly #source: string;
  /** Groups that are declared, and groups that are only named as children. */
  readonly #groups = new Map<string, number | undefined>();
  readonly #children = new Map<string, { group: string; line: number | undefined }>();

  constructor(source: string) {
    this.#source = source;
  }

  note(text: string, line?: number): void {
    this.#builder.note(text, line);
  }

  /** Declares a group. */
  group(name: string, line?: number): void {
    if (!this.#groups.has(name)) this.#groups.set(name, line);
    if (name !== ALL && name !== UNGROUPED) this.#site(name, line);
  }

  /** Adds the hosts of a name or a range pattern to a group. */
  hosts(pattern: string, group: string | undefined, variables: Readonly<Record<string, DraftValue>>, line?: number): void {
    for (const name of expandRange(pattern, this.#source, line)) {
      const host = this.#builder.resource({ type: HOST, name }, line);
      if (group !== undefined && group !== ALL && group !== UNGROUPED) {
        host.tags = [...new Set([...(host.tags ?? []), group])];
        this.#builder.relate(host, this.#site(group, line));
      }
      this.#variables(host, variables, line);
    }
  }

  child(parent: string, child: string, line?: number): void {
    this.group(parent, line);
    this.#children.set(child, { group: parent, line });
    if (parent === ALL || child === UNGROUPED) return;
    this.#builder.relate(this.#site(child, line), this.#site(parent, line));
  }

  groupVariables(group: string, variables: Readonly<Record<string, DraftValue>>, line?: number): void {
    if (Object.keys(variables).length === 0) return;
    if (group === UNGROUPED) this.note('variables of "ungrouped" belong to no group and were left out', line);
    else this.#variables(this.#site(group, line), variables, line);
  }

  /** Errors: BAD_REQUEST for a child group that is never declared. */
  build(format: string): Draft {
    for (const [child, { group, line }] of this.#children) {
      if (this.#groups.has(child)) continue;
      throw new DtkdError(
        'BAD_REQUEST',
        `${this.#source}:${line ?? 1}: group "${group}" has the child "${child}", which is not a group in this file`,
        {
          next: `Add the group "${child}", or remove it there.`,
        },
      );
    }
    return this.#builder.build(format);
  }

  #site(name: string, line: number | undefined): ResourceDraft {
    return this.#builder.resource({ type: SITE, name }, line);
  }

  #variables(draft: ResourceDraft, variables: Readonly<Record<string, DraftValue>>, line: number | undefined): void {
    for (const [name, value] of Object.entries(variables)) {
      const about = `${name} of ${draft.type === HOST ? 'host' : 'group'} "${draft.name}"`;
      if (CREDENTIAL.test(name)) this.note(`${about} is a credential and was not kept`, line);
      else if (typeof value === 'string' && VAULTED.test(value)) this.note(`${about} is encrypted by a vault and was not kept`, line);
      else if (value !== null && value !== '') this.#builder.property(draft, RENAMED.get(name) ?? name, value, line);
    }
  }
}

/** Limited to 15 digits, which a number holds exactly. */
const RANGE = /^(.*?)\[([0-9]{1,15}|[a-z]|[A-Z]):([0-9]{1,15}|[a-z]|[A-Z])(?::([0-9]{1,15}))?\](.*)$/;

/** `web[01:03].example` gives web01.example, web02.example, web03.example; several ranges multiply. */
export function expandRange(pattern: string, source: string, line?: number): string[] {
  let names = [pattern];
  for (;;) {
    const next: string[] = [];
    for (const name of names) {
      next.push(...expandOnce(name));
      if (next.length > MAX_RANGE)
        throw new DtkdError('BAD_REQUEST', `${source}:${line ?? 1}: "${pattern.slice(0, 120)}" names more than ${MAX_RANGE} hosts`);
    }
    if (next.length === names.length && next.every((name, index) => name === names[index])) break;
    names = next;
  }
  const wrong = names.find((name) => name === '' || /[[\]\s]/.test(name));
  if (wrong !== undefined)
    throw new DtkdError('BAD_REQUEST', `${source}:${line ?? 1}: "${pattern.slice(0, 120)}" is not the name of a host`);
  return names;
}

function expandOnce(name: string): string[] {
  const match = RANGE.exec(name);
  if (match === null) return [name];
  const [, before = '', from = '', to = '', step = '1', after = ''] = match;
  const numeric = /^\d/.test(from);
  if (numeric !== /^\d/.test(to)) return [''];
  const first = numeric ? Number(from) : from.charCodeAt(0);
  const last = numeric ? Number(to) : to.charCodeAt(0);
  const stride = Math.max(1, Number(step));
  if (last < first || (last - first) / stride > MAX_RANGE) return last < first ? [''] : Array.from({ length: MAX_RANGE + 1 }, () => name);
  const names: string[] = [];
  for (let value = first; value <= last; value += stride) {
    const text = numeric ? String(value).padStart(from.length, '0') : String.fromCharCode(value);
    names.push(`${before}${text}${after}`);
  }
  return names;
}
