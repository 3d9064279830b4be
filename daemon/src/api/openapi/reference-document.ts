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
      { name: DAEMON_TAG, description: 'What is done with the daemon as a whole.' },
      { name: HEALTH_TAG, description: 'How it is, for those who watch over it.' },
    ],
    paths: Object.fromEntries(paths.map(([path, item]) => [path, withSamples(path, item, byTag)])),
  };
}

function tagText(kind: Kind): string {
  const shared = kind.shared
    ? 'Shared: members of domains have copies of it.'
    : 'Private: its owner alone has it, and answers questions about it.';
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
      default: { description: 'No, and which check failed.', content: { 'text/plain': { schema: { type: 'string' } } } },
    },
  };
  return { get };
}

/** The paths that need no token. */
const OPEN_PATHS: Paths = {
  '/healthz': probe('health', 'Whether the daemon answers', 'With `?verbose` check by check.'),
  '/readyz': probe('readiness', 'Whether the daemon is ready', 'With `?verbose` check by check; `?exclude=CHECK` leaves one out.'),
  '/version': {
    get: {
      operationId: 'version',
      summary: 'Show its version',
      description: 'Of dtkd, and of Kubernetes whose ways the API follows.',
      tags: [HEALTH_TAG],
      security: [],
      responses: {
        '200': {
          description: 'Its version.',
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
      summary: 'Read its numbers',
      description: 'In the text form of Prometheus. For the operator, and for users who may READ the Node object of this node.',
      tags: [HEALTH_TAG],
      responses: {
        '200': { description: 'The numbers.', content: { 'text/plain': { schema: { type: 'string' } } } },
        default: { description: 'What went wrong.', content: { 'application/json': { schema: refTo(STATUS) } } },
      },
    },
  },
};

const INTRODUCTION = `Everything that \`dtkd\` does goes over this API. It is shaped as that of Kubernetes, so that \`kubectl\` and client libraries work with it:
\`dtkd kubeconfig --write\` tells kubectl where it is.

A namespace is a node: it owns the objects in it, and requests about them go to it. \`default\` is the node that is asked. Lists without a namespace are of all nodes.
Errors are \`Status\` objects: \`message\` says what happened and what to do next, \`details.code\` is stable.

Each operation shows what to type. The examples use two variables, which are these unless the daemon was started otherwise:

\`\`\`shell
${VARIABLES}
\`\`\`

\`ca.crt\` there is the authority of the daemon's certificate, \`admin.token\` the operator's token. A user puts a token of their own in its place.

The documents from which this page is made, for programs: \`/openapi/v3\` and \`/openapi/v2\`.`;
