/** Reads Ansible's YAML inventories: groups with `hosts`, `children` and `vars`, to any depth. */
import { DtkdError } from '../../protocol/errors.ts';
import { isRecord, type JsonRecord } from '../json.ts';
import { AnsibleDraft, WHOLE_INVENTORY } from './ansible.ts';
import type { Draft, DraftValue } from './draft.ts';
import { draftValue } from './rundeck.ts';
import { parseYaml, type YamlDocument } from './yaml.ts';

/** The key that dynamic inventories have besides their groups. */
const LISTED = '_meta';
/** The deepest nesting of groups. */
const MAX_DEPTH = 64;

/** Errors: BAD_REQUEST with the line. */
export async function readAnsibleYaml(text: string, source: string): Promise<Draft> {
  const document = await parseYaml(text, source);
  if (!isRecord(document.value)) throw new DtkdError('BAD_REQUEST', `${source}:1: an inventory is a mapping of groups`);
  if (Object.hasOwn(document.value, LISTED)) {
    throw new DtkdError('BAD_REQUEST', `${source}: this is the JSON of "ansible-inventory --list"`, {
      next: `Import its YAML instead, which keeps variables where they belong: ${WHOLE_INVENTORY}`,
    });
  }
  const draft = new AnsibleDraft(source);
  const reader = { draft, document, source };
  for (const [name, group] of Object.entries(document.value)) readGroup(reader, name, group, [name]);
  return draft.build('Ansible inventory (YAML)');
}

/** True if the value looks like groups of an inventory. */
export function looksLikeAnsible(value: unknown): boolean {
  if (!isRecord(value)) return false;
  if (isRecord(value[LISTED]) && Object.hasOwn(value[LISTED], 'hostvars')) return true;
  const groups = Object.values(value).filter((group) => group !== null);
  return (
    groups.length > 0 &&
    groups.every((group) => isRecord(group) && Object.keys(group).every((key) => ['hosts', 'children', 'vars'].includes(key)))
  );
}

interface Reader {
  draft: AnsibleDraft;
  document: YamlDocument;
  source: string;
}

function readGroup(reader: Reader, name: string, value: unknown, path: readonly string[]): void {
  const { draft, document, source } = reader;
  const line = document.lineAt(path);
  if (path.length > MAX_DEPTH * 2) throw wrong(source, line, `groups are nested deeper than ${MAX_DEPTH}`);
  draft.group(name, line);
  const group = mapping(reader, value, path, `group "${name}"`);
  for (const key of Object.keys(group)) {
    if (!['hosts', 'children', 'vars'].includes(key))
      draft.note(`${key} in group "${name}" is not one of hosts, children, vars and was left out`, document.lineAt([...path, key]));
  }
  draft.groupVariables(
    name,
    variables(mapping(reader, group['vars'], [...path, 'vars'], `vars of group "${name}"`)),
    document.lineAt([...path, 'vars']),
  );
  for (const [host, said] of Object.entries(mapping(reader, group['hosts'], [...path, 'hosts'], `hosts of group "${name}"`))) {
    const at = [...path, 'hosts', host];
    draft.hosts(host, name, variables(mapping(reader, said, at, `host "${host}"`)), document.lineAt(at));
  }
  for (const [child, said] of Object.entries(mapping(reader, group['children'], [...path, 'children'], `children of group "${name}"`))) {
    const at = [...path, 'children', child];
    readGroup(reader, child, said, at);
    draft.child(name, child, document.lineAt(at));
  }
}

/** A mapping; an empty value counts as an empty one. */
function mapping({ document, source }: Reader, value: unknown, path: readonly string[], what: string): JsonRecord {
  if (value === null || value === undefined) return {};
  if (isRecord(value)) return value;
  throw wrong(source, document.lineAt(path), `${what} must be a mapping`);
}

function variables(record: JsonRecord): Record<string, DraftValue> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, draftValue(value)]));
}

function wrong(source: string, line: number | undefined, why: string): DtkdError {
  return new DtkdError('BAD_REQUEST', `${source}:${line ?? 1}: ${why}`);
}
