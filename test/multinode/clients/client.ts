/** `@kubernetes/client-node`, unmodified, for one site: with the kubeconfig that `dtkd kubeconfig` prints, and nothing else of the surroundings. */
import { CoreV1Api, CustomObjectsApi, KubeConfig, KubernetesObjectApi } from '@kubernetes/client-node';
import { kindByAnyName } from '../../../protocol/kinds/index.ts';
import { apiVersionOf, type Kind } from '../../../protocol/kinds/kind.ts';
import type { Site } from '../../harness/site.ts';

export interface ClientOptions {
  /** Of a user of the site; default: the operator's. */
  token?: string;
  /** Where the client connects, if not to the site itself. */
  server?: string;
}

export class KubernetesClient {
  readonly config: KubeConfig;
  readonly core: CoreV1Api;
  readonly custom: CustomObjectsApi;
  readonly objects: KubernetesObjectApi;

  constructor(config: KubeConfig) {
    this.config = config;
    this.core = config.makeApiClient(CoreV1Api);
    this.custom = config.makeApiClient(CustomObjectsApi);
    this.objects = KubernetesObjectApi.makeApiClient(config);
  }
}

export async function clientOf(site: Site, { token, server }: ClientOptions = {}): Promise<KubernetesClient> {
  const given = token === undefined ? [] : ['--token', token];
  const printed = await site.cli(...given, 'kubeconfig', ...(server === undefined ? [] : ['--server', server]));
  if (printed.code !== 0) throw new Error(`dtkd kubeconfig ended with ${printed.code}:\n${printed.stderr}`);
  const config = new KubeConfig();
  config.loadFromString(printed.stdout);
  return new KubernetesClient(config);
}

/** A kind of dtkd by any of its names. */
export function kindNamed(name: string): Kind {
  const kind = kindByAnyName(name);
  if (kind === undefined) throw new Error(`there is no kind ${name}`);
  return kind;
}

/** The path of a collection; without a namespace that of all nodes. */
export function pathOf(kind: Kind, namespace?: string): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;
  return `${root}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${kind.plural}`;
}
