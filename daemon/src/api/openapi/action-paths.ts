/** The paths of what the API does beyond objects. Pure. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { DAEMON_GROUP } from '../discovery/discovery.ts';
import { ACTIONS, type ActionEntry, BYTES } from './action-list.ts';
import { OPEN, schemaOf } from './json-schema.ts';
import { FAILURE, groupWord, objectPath, parameterRef } from './kind-paths.ts';
import { refTo, schemaName } from './names.ts';
import { NAME, NAMESPACE } from './parameters.ts';
import type { Content, Operation, Parameter, PathItem, Paths, Schema } from './schema.types.ts';

/** The tag of actions that belong to no kind. */
export const DAEMON_TAG = 'Daemon';

const LINES_TYPE = 'application/json;stream=lines';
const ANYTHING: Schema = { type: 'object', [OPEN]: true };

/** The paths of the actions of some kinds, and of the daemon-wide ones if their group is among them. */
export function actionPaths(kinds: readonly Kind[]): Paths {
  const paths: Paths = {};
  const hasDaemon = kinds.some(({ group }) => group === DAEMON_GROUP);
  for (const entry of ACTIONS) {
    if (entry.kind === undefined ? !hasDaemon : !kinds.includes(entry.kind)) continue;
    const path = pathOf(entry);
    const item: PathItem = paths[path] ?? parametersOf(entry);
    paths[path] = { ...item, [entry.method]: operationOf(entry) };
  }
  return paths;
}

function pathOf({ kind, path }: ActionEntry): string {
  return kind === undefined ? `/apis/${DAEMON_GROUP}/v1/daemon/${path}` : `${objectPath(kind)}/${path}`;
}

function parametersOf({ kind, path }: ActionEntry): PathItem {
  const own = [...path.matchAll(/\{(\w+)\}/g)].map(
    ([, name = '']): Parameter => ({ name, in: 'path', required: true, description: OWN[name] ?? name, schema: { type: 'string' } }),
  );
  const ofObject = kind === undefined ? [] : [parameterRef(NAME.name), parameterRef(NAMESPACE.name)];
  return ofObject.length + own.length === 0 ? {} : { parameters: [...ofObject, ...own] };
}

const OWN: Readonly<Record<string, string>> = {
  invite: 'The ID of the invite.',
  node: 'The name of the member.',
  peer: 'The ID of the member, 32 hexadecimal digits.',
  id: 'The ID of the execution, or at least its first six digits.',
  digest: 'The SHA-256 of the file.',
};

function operationOf(entry: ActionEntry): Operation {
  const { kind, shownWith, method, path, summary, description = '', query = {} } = entry;
  const said = [description, needsText(entry)].filter((text) => text !== '').join(' ');
  const parameters = Object.entries(query).map(
    ([name, about]): Parameter => ({ name, in: 'query', description: about, schema: { type: 'string' } }),
  );
  return {
    operationId: operationId(entry),
    summary,
    description: said,
    tags: [(kind ?? shownWith)?.kind ?? DAEMON_TAG],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(entry.body === undefined ? {} : { requestBody: { required: isRequired(entry), content: contentOf(entry.body) } }),
    responses: { [method === 'put' ? '201' : '200']: answerOf(entry), default: FAILURE },
    'x-kubernetes-action': method === 'get' ? 'get' : method,
    ...(kind === undefined ? {} : { 'x-dtkd-subresource': path.split('/')[0] }),
  };
}

/** True unless the body may be omitted. */
function isRequired({ body }: ActionEntry): boolean {
  return body === BYTES || (body !== undefined && !body.safeParse({}).success && !body.safeParse(undefined).success);
}

function operationId({ kind, method, path }: ActionEntry): string {
  const words = path.split(/[^A-Za-z]+/).filter((word) => word !== '');
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  const of =
    kind === undefined
      ? `${groupWord(DAEMON_GROUP)}V1Daemon`
      : `${groupWord(kind.group)}V1Namespaced${kind.kind.charAt(0).toUpperCase()}${kind.kind.slice(1)}`;
  return `${method}${of}${name}`;
}

function needsText({ needs = 'MANAGE', kind }: ActionEntry): string {
  switch (needs) {
    case 'operator':
      return 'For the operator of this node.';
    case 'user':
      return 'For the operator and users of this node. Each object is subject to their rights.';
    case 'anybody':
      return 'For everyone who has a token, including users of other nodes.';
    default:
      return `Needs ${needs} on the ${kind?.kind ?? 'object'}.`;
  }
}

function contentOf(what: NonNullable<ActionEntry['body']>): Content {
  if (what === BYTES) return { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
  return { 'application/json': { schema: schemaOf(what) } };
}

function answerOf({ answer, lines }: ActionEntry): { description: string; content: Content } {
  if (lines !== undefined) {
    return {
      description: 'JSON, one object per line.',
      content: { [LINES_TYPE]: { schema: lines === true ? ANYTHING : schemaOf(lines) } },
    };
  }
  if (answer === BYTES) return { description: 'The bytes.', content: contentOf(BYTES) };
  if (answer === undefined) return { description: 'The answer.', content: { 'application/json': { schema: ANYTHING } } };
  const schema = 'plural' in answer ? refTo(schemaName(answer)) : schemaOf(answer);
  return { description: 'The answer.', content: { 'application/json': { schema } } };
}
