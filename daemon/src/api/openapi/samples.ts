/** The curl command for an operation. Pure. The head of the page explains the variables. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { exampleName, exampleOf } from './examples.ts';
import type { Content, Method, Operation } from './schema.types.ts';

/** The variables, as the head of the page sets them. */
export const VARIABLES = 'DTKD_DATA=~/.local/share/dtkd\nDTKD_URL=https://127.0.0.1:7700';

const CURL = 'curl --fail-with-body --cacert "$DTKD_DATA/ca.crt" -H "Authorization: Bearer $(cat "$DTKD_DATA/admin.token")"';
const MERGE_PATCH = 'application/merge-patch+json';
const JSON_TYPE = 'application/json';
const OCTETS = 'application/octet-stream';

/** A shell command, in lines of limited length. */
export function curlOf(method: Method, path: string, operation: Operation, kind: Kind | undefined, open: boolean): string {
  const content = operation.requestBody?.content;
  const options = [
    ...(method === 'get' ? [] : [`-X ${method.toUpperCase()}`]),
    ...bodyOptions(method, content, kind, path),
    ...(isBytes(responseOf(operation)) ? ['-o FILE'] : []),
    ...(isStream(responseOf(operation)) ? ['-N'] : []),
  ];
  const curl = open ? 'curl --fail-with-body --cacert "$DTKD_DATA/ca.crt"' : CURL;
  return [curl, ...options, `"$DTKD_URL${filled(path, kind)}"`].join(' \\\n  ');
}

function bodyOptions(method: Method, content: Content | undefined, kind: Kind | undefined, path: string): string[] {
  if (content === undefined || method === 'delete') return [];
  if (content[OCTETS] !== undefined) return ['-H "Content-Type: application/octet-stream"', '--data-binary @FILE'];
  const type = content[MERGE_PATCH] === undefined ? JSON_TYPE : MERGE_PATCH;
  return [`-H "Content-Type: ${type}"`, `-d '${JSON.stringify(bodyOf(type, kind, path))}'`];
}

function bodyOf(type: string, kind: Kind | undefined, path: string): unknown {
  if (type === MERGE_PATCH) return { metadata: { labels: { tier: 'front' } } };
  // paths below an object or the daemon are actions, whose fields are described beside them
  return kind !== undefined && isOfObject(path, kind) ? (exampleOf(kind) ?? {}) : {};
}

function isOfObject(path: string, kind: Kind): boolean {
  return path.endsWith(`/${kind.plural}`) || path.endsWith(`/${kind.plural}/{name}`);
}

function filled(path: string, kind: Kind | undefined): string {
  return path
    .replace('{namespace}', 'default')
    .replace('{name}', kind === undefined ? 'NAME' : exampleName(kind))
    .replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase());
}

function responseOf({ responses }: Operation): Content {
  const [first] = Object.values(responses);
  return first === undefined || '$ref' in first ? {} : (first.content ?? {});
}

function isBytes(content: Content): boolean {
  return content[OCTETS] !== undefined;
}

function isStream(content: Content): boolean {
  return Object.keys(content)[0] === `${JSON_TYPE};stream=lines`;
}
