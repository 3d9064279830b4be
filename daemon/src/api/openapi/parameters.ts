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
  description: 'The name of the node that owns the objects. `default` is the node that gets the request.',
  schema: text,
};
export const NAME: Parameter = { name: 'name', in: 'path', required: true, description: 'The name of the object.', schema: text };

/** Parameters of writes. Kubernetes clients look for these two in each operation itself. */
export const DRY_RUN = query('dryRun', 'With `All`, the request is checked in full, but nothing is stored.', {
  type: 'string',
  enum: ['All'],
});
export const FIELD_VALIDATION = query(
  'fieldValidation',
  'What to do with fields that the kind does not have. Strict: refuse the request. Warn (default): drop them, with a Warning header. Ignore: drop them.',
  { type: 'string', enum: ['Strict', 'Warn', 'Ignore'] },
);
export const FIELD_MANAGER = query('fieldManager', 'Accepted but not used.', text);

const SELECTING = {
  labelSelector: query('labelSelector', 'Only objects whose labels match, such as `tier=front,env!=dev,zone in (a,b),!old`.', text),
  fieldSelector: query(
    'fieldSelector',
    'Only objects whose fields match, such as `metadata.name=web,status!=Ready`. The fields that can be used depend on the kind.',
    text,
  ),
  where: query('where', 'Only objects for which this expression holds, such as `type = "WebServer" and properties.port > 8000`.', text),
} satisfies Record<string, Parameter>;

/** Parameters of lists and watches. */
export const LISTING = {
  ...SELECTING,
  limit: query('limit', 'The maximum number of objects in a page. Default: all.', wholeNumber),
  continue: query('continue', 'The token of the previous page, to get the next one.', text),
  resourceVersion: query(
    'resourceVersion',
    'For a watch: the version to start from. If absent or 0, the existing objects come first.',
    text,
  ),
  resourceVersionMatch: query(
    'resourceVersionMatch',
    'For a list: `Exact` gets the state at that version, if the changes since then are still kept; `NotOlderThan` gets the current state. For a watch: required with sendInitialEvents.',
    text,
  ),
  watch: query('watch', 'Whether to follow changes as they happen, one JSON object per line.', truth),
  allowWatchBookmarks: query('allowWatchBookmarks', 'For a watch: whether to also send the current version from time to time.', truth),
  sendInitialEvents: query(
    'sendInitialEvents',
    'For a watch: whether to send the existing objects first, and a bookmark after the last of them.',
    truth,
  ),
  timeoutSeconds: query('timeoutSeconds', 'For a watch: how long it lasts, in seconds.', wholeNumber),
  peerTimeoutMs: query('peerTimeoutMs', 'The maximum time for each other node to answer, in milliseconds. Default: 2000.', wholeNumber),
  stale: query(
    'stale',
    'For a list over several nodes: whether to add the last known answers of nodes that do not answer, annotated with their age.',
    truth,
  ),
} satisfies Record<string, Parameter>;

/** Parameters of deletions. */
export const DELETING = {
  gracePeriodSeconds: query('gracePeriodSeconds', 'Accepted but not used.', wholeNumber),
  orphanDependents: query('orphanDependents', 'Deprecated: use propagationPolicy=Orphan.', truth),
  propagationPolicy: query(
    'propagationPolicy',
    'What happens to objects that depend on it by owner references: Background (default), Foreground or Orphan.',
    {
      type: 'string',
      enum: ['Background', 'Foreground', 'Orphan'],
    },
  ),
  cascade: query('cascade', 'For Models, Types and Resources: whether to also delete what depends on it in the model.', truth),
} satisfies Record<string, Parameter>;
