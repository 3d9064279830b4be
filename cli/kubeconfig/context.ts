/** Builds the kubeconfig entries of one daemon, and merges them into an existing file. Pure. */
import { type Document, isMap, isSeq, parseDocument, YAMLSeq } from 'yaml';
import { DtkdError } from '../../protocol/errors.ts';

/** One context, with its own cluster and user of the same name, so that rewriting a context changes no other. */
export interface KubeContext {
  name: string;
  server: string;
  /** PEM; undefined: the system's own authorities. */
  ca: string | undefined;
  token: string;
  namespace: string;
}

type Entry = { name: string } & Record<string, unknown>;

/** The three entries of a context, by the list that they belong to. */
export function entriesOf(context: KubeContext): Record<'clusters' | 'users' | 'contexts', Entry> {
  const { name, server, ca, token, namespace } = context;
  const authority = ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  return {
    clusters: { name, cluster: { server, ...authority } },
    users: { name, user: { token } },
    contexts: { name, context: { cluster: name, namespace, user: name } },
  };
}

/** A kubeconfig with this context alone. */
export function kubeconfigOf(context: KubeContext): Record<string, unknown> {
  const entries = Object.entries(entriesOf(context)).map(([list, entry]) => [list, [entry]]);
  return { apiVersion: 'v1', kind: 'Config', ...Object.fromEntries(entries), 'current-context': context.name };
}

/**
 * The text of a kubeconfig with this context added, or replaced if one of its name is there. All else stays as it is, comments too.
 * `current`: makes it the current context; it also becomes that if the file has none.
 */
export function mergeContext(text: string, context: KubeContext, options: { current: boolean; file: string }): string {
  const document = parsed(text, options.file);
  if (document.contents === null) document.contents = document.createNode(kubeconfigOf(context));
  for (const [list, entry] of Object.entries(entriesOf(context))) {
    const node = document.createNode(entry);
    const sequence = listOf(document, list, options.file);
    const at = sequence.items.findIndex((item) => isMap(item) && item.get('name') === context.name);
    if (at === -1) sequence.items.push(node);
    else sequence.items[at] = node;
  }
  const before = document.get('current-context');
  if (options.current || typeof before !== 'string' || before === '') document.set('current-context', context.name);
  return document.toString({ lineWidth: 0 });
}

/** Parses the file into a tree that keeps its comments. */
function parsed(text: string, file: string): Document {
  const document = parseDocument(text);
  const kind: unknown = isMap(document.contents) ? document.get('kind') : undefined;
  const usable = document.contents === null || (isMap(document.contents) && (kind === undefined || kind === 'Config'));
  if (document.errors.length === 0 && usable) return document;
  throw notKubeconfig(file);
}

/** A list of the file, created if it is absent or empty. */
function listOf(document: Document, name: string, file: string): YAMLSeq {
  const found = document.get(name);
  if (isSeq(found)) {
    // a flow sequence such as `[]` would keep the new entry on the same line
    found.flow = false;
    return found;
  }
  if (found !== undefined && found !== null) throw notKubeconfig(file);
  const made = new YAMLSeq(document.schema);
  made.flow = false;
  document.set(name, made);
  return made;
}

function notKubeconfig(file: string): DtkdError {
  return new DtkdError('CONFIG_INVALID', `${file} is not a kubeconfig; it was not changed`, {
    next: 'Name another file: --write FILE.',
  });
}
