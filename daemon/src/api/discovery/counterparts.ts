/** Suggestions for users who look for things that Kubernetes has and dtkd does not. Pure. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { basePath } from './routes.ts';

/** By plural: what takes the place of kinds that people try first. */
const COUNTERPARTS: ReadonlyMap<string, string> = new Map([
  ['pods', 'There are no Pods. "dtkd exec" and "dtkd run" start programs on nodes, "dtkd executions follow" shows their output.'],
  ...['deployments', 'daemonsets', 'statefulsets', 'replicasets', 'jobs', 'cronjobs'].map((plural): [string, string] => [
    plural,
    'There are no containers to run. "dtkd run" starts commands on nodes, "dtkd stage" and "dtkd converge" maintain services.',
  ]),
  ['secrets', 'Secrets are in the group dtkd.dev, and never show their value: dtkd secret set NAME.'],
  ['nodes', 'Nodes are in the group dtkd.dev: kubectl get nodes.dtkd.dev.'],
  ['ingresses', 'A dtApp gives a Service its URIs: dtkd app expose NAME --to HOST:PORT.'],
  ['configmaps', 'There are no ConfigMaps: values are properties of Resources.'],
  ['serviceaccounts', 'Programs use the token of a user: dtkd user add NAME.'],
  ...['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'].map((plural): [string, string] => [
    plural,
    'Owners grant rights with Capabilities: dtkd grant USER@NODE READ --on KIND.',
  ]),
  ['customresourcedefinitions', 'The kinds are built in. Types define what Resources there are: dtkd explain type.'],
]);

/** The next step for a request to a path at which nothing is served. */
export function insteadOf(path: string): string {
  if (!path.startsWith('/api/') && !path.startsWith('/apis/')) return 'The API begins at /api and /apis, and its reference at /reference/.';
  if (path.endsWith('/')) return 'Leave out the slash at its end.';
  const plural = /^\/(?:api|apis\/[^/]+)\/[^/]+\/(?:namespaces\/[^/]+\/)?([^/]+)/.exec(path)?.[1] ?? '';
  return COUNTERPARTS.get(plural) ?? 'See "dtkd api-resources" for every kind.';
}

/** The next step for a request to do what a kind does not support, or not at that path. */
export function insteadOfMethod(kind: Kind, method: string, path: string): string {
  if (kind.plural === 'namespaces') return 'A namespace is a node: "dtkd domain join" adds one, and "dtkd delete dtpeer" removes one.';
  if (kind.scope === 'Namespaced' && method !== 'GET' && path === `${basePath(kind)}/${kind.plural}`)
    return `Name the node: ${basePath(kind)}/namespaces/NODE/${kind.plural}.`;
  return `The verbs of the kind are: ${kind.verbs.join(', ')}.`;
}
