/** The document for people: all groups together in reading order, with a command to type for each operation. Pure. */
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { DAEMON_TAG } from './action-paths.ts';
import { type Described, documentV3 } from './document-v3.ts';
import { refTo, STATUS } from './names.ts';
import { reviewText } from './review-document.ts';
import { curlOf, VARIABLES } from './samples.ts';
import { type DocumentV3, METHODS, type Operation, type PathItem, type Paths } from './schema.types.ts';

const HEALTH_TAG = 'Health';

export function referenceDocument(all: Described, version: string): DocumentV3 {
  const { kinds, reviews } = all;
  const document = documentV3(all, version);
  const paths = Object.entries({ ...document.paths, ...OPEN_PATHS, ...METRICS });
  const byTag = new Map(kinds.map((kind) => [kind.kind, kind]));
  return {
    ...document,
    info: { title: 'dtkd API', version, description: INTRODUCTION },
    servers: [{ url: '/', description: 'This daemon.' }],
    tags: [
      ...kinds.map((kind) => ({ name: kind.kind, description: tagText(kind) })),
      ...reviews.map((review) => ({ name: review.kind, description: `${reviewText(review)} \`${apiVersionOf(review)}\`` })),
      { name: DAEMON_TAG, description: 'Operations on the daemon as a whole.' },
      { name: HEALTH_TAG, description: 'The health of the daemon, for monitoring.' },
    ],
    paths: Object.fromEntries(paths.map(([path, item]) => [path, withSamples(path, item, byTag)])),
  };
}

function tagText(kind: Kind): string {
  const shared = kind.shared
    ? 'Shared: members of the domains have copies.'
    : 'Private: only the owner has it, and answers requests about it.';
  const names = kind.shortNames.length === 0 ? '' : ` Short names: ${kind.shortNames.map((name) => `\`${name}\``).join(', ')}.`;
  return `${kind.description} \`${apiVersionOf(kind)}\`, ${kind.scope === 'Cluster' ? 'without a namespace' : 'in the namespace of its node'}. ${shared}${names}`;
}

function withSamples(path: string, item: PathItem, byTag: ReadonlyMap<string, Kind>): PathItem {
  const operations = METHODS.flatMap((method) => {
    const operation = item[method];
    if (operation === undefined) return [];
    const source = curlOf(method, path, operation, byTag.get(operation.tags[0] ?? ''), operation.security?.length === 0);
    return [[method, { ...operation, 'x-codeSamples': [{ lang: 'shell', label: 'curl', source }] }] as const];
  });
  return { ...item, ...Object.fromEntries(operations) };
}

function probe(operationId: string, summary: string, description: string): PathItem {
  const get: Operation = {
    operationId,
    summary,
    description,
    tags: [HEALTH_TAG],
    security: [],
    responses: {
      '200': { description: 'Yes.', content: { 'text/plain': { schema: { type: 'string' } } } },
      default: { description: 'No, with the check that failed.', content: { 'text/plain': { schema: { type: 'string' } } } },
    },
  };
  return { get };
}

/** The paths that need no token. */
const OPEN_PATHS: Paths = {
  '/healthz': probe('health', 'Whether the daemon answers', 'With `?verbose`, lists the checks.'),
  '/readyz': probe('readiness', 'Whether the daemon is ready', 'With `?verbose`, lists the checks. `?exclude=CHECK` leaves one out.'),
  '/version': {
    get: {
      operationId: 'version',
      summary: 'Show the version',
      description: 'The version of dtkd, and the version of Kubernetes whose API it follows.',
      tags: [HEALTH_TAG],
      security: [],
      responses: {
        '200': {
          description: 'The version.',
          content: { 'application/json': { schema: { type: 'object', additionalProperties: { type: 'string' } } } },
        },
        default: { description: 'What went wrong.', content: { 'application/json': { schema: refTo(STATUS) } } },
      },
    },
  },
};

const METRICS: Paths = {
  '/metrics': {
    get: {
      operationId: 'metrics',
      summary: 'Read the metrics',
      description: 'In the text format of Prometheus. For the operator, and for users who may READ the Node object of this node.',
      tags: [HEALTH_TAG],
      responses: {
        '200': { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
        default: { description: 'What went wrong.', content: { 'application/json': { schema: refTo(STATUS) } } },
      },
    },
  },
};

const INTRODUCTION = `Everything that \`dtkd\` does goes through this API. It has the form of the Kubernetes API, so \`kubectl\` and client libraries work with it:
\`dtkd kubeconfig --write\` configures kubectl for it.

A namespace is a node: it owns the objects in it, and requests about them go to it. \`default\` is the node that is asked. Lists without a namespace cover all nodes.
Errors are \`Status\` objects: \`message\` says what happened and what to do next, \`details.code\` is stable.

Each operation has an example. The examples use two variables, with these values unless the daemon was started with others:

\`\`\`shell
${VARIABLES}
\`\`\`

\`ca.crt\` there is the authority of the daemon's certificate, \`admin.token\` the operator's token. A user replaces it with their own token.

For programs, the documents behind this page: \`/openapi/v3\` and \`/openapi/v2\`.`;
