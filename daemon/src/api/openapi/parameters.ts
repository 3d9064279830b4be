/** The parameters of requests, by their names in the documents. */
import type { Parameter, Schema } from './schema.types.ts';

const text: Schema = { type: 'string' };
const wholeNumber: Schema = { type: 'integer', format: 'int64', minimum: 0 };
const truth: Schema = { type: 'boolean' };

const query = (name: string, description: string, schema: Schema): Parameter => ({ name, in: 'query', description, schema });

export const NAMESPACE: Parameter = {
  name: 'namespace',
  in: 'path',
  required: true,
  description: 'Name of the node that owns the objects; `default` is the node that is asked.',
  schema: text,
};
export const NAME: Parameter = { name: 'name', in: 'path', required: true, description: 'Name of the object.', schema: text };

/** Parameters of writes. Kubernetes clients look for these two in each operation itself. */
export const DRY_RUN = query('dryRun', '`All`: everything is judged, and nothing is stored.', { type: 'string', enum: ['All'] });
export const FIELD_VALIDATION = query(
  'fieldValidation',
  'What becomes of fields that the kind does not have. Strict: refused; Warn (default): left out, with a Warning header; Ignore: left out.',
  { type: 'string', enum: ['Strict', 'Warn', 'Ignore'] },
);
export const FIELD_MANAGER = query('fieldManager', 'Accepted, and not used.', text);

const SELECTING = {
  labelSelector: query('labelSelector', 'Only objects whose labels match: `tier=front,env!=dev,zone in (a,b),!old`.', text),
  fieldSelector: query(
    'fieldSelector',
    'Only objects whose fields match: `metadata.name=web,status!=Ready`. Each kind says which fields can be used.',
    text,
  ),
  where: query('where', 'Only objects for which this expression holds: `type = "WebServer" and properties.port > 8000`.', text),
} satisfies Record<string, Parameter>;

/** Parameters of lists and watches. */
export const LISTING = {
  ...SELECTING,
  limit: query('limit', 'Objects in one page; absent: all.', wholeNumber),
  continue: query('continue', 'Of an earlier page: where this one begins.', text),
  resourceVersion: query(
    'resourceVersion',
    'Of a watch: the version from which on changes are told. Absent or 0: what there is now comes first.',
    text,
  ),
  resourceVersionMatch: query(
    'resourceVersionMatch',
    'Of a list: `Exact` is the state at that version, if what happened since is still known; `NotOlderThan` is the present. Of a watch: needed with sendInitialEvents.',
    text,
  ),
  watch: query('watch', 'Changes as they happen, one JSON object a line.', truth),
  allowWatchBookmarks: query('allowWatchBookmarks', 'Of a watch: versions are told now and then, too.', truth),
  sendInitialEvents: query(
    'sendInitialEvents',
    'Of a watch: what there is now comes first, and a bookmark when all of it has come.',
    truth,
  ),
  timeoutSeconds: query('timeoutSeconds', 'Of a watch: ends after so long.', wholeNumber),
  peerTimeoutMs: query('peerTimeoutMs', 'How long each other node may take, in milliseconds. Default: 2000.', wholeNumber),
  stale: query('stale', 'Over several nodes: what absent ones answered last is in the list, too, annotated with its age.', truth),
} satisfies Record<string, Parameter>;

/** Parameters of deletions. */
export const DELETING = {
  gracePeriodSeconds: query('gracePeriodSeconds', 'Accepted, and not used.', wholeNumber),
  orphanDependents: query('orphanDependents', 'An older way to say propagationPolicy=Orphan.', truth),
  propagationPolicy: query(
    'propagationPolicy',
    'Of what depends on the object by owner references: Background (default), Foreground or Orphan.',
    {
      type: 'string',
      enum: ['Background', 'Foreground', 'Orphan'],
    },
  ),
  cascade: query('cascade', 'Of Models, Types and Resources: what depends on it in the model goes, too.', truth),
} satisfies Record<string, Parameter>;
