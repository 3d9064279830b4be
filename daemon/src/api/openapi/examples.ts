/** An example object of each kind that users write. `"on"` and the like are quoted because YAML would read them as something else. */
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';

/** The fields besides apiVersion, kind and metadata, by plural and group. */
const FIELDS: Readonly<Record<string, Record<string, unknown>>> = {
  services: { spec: { ports: [{ port: 8080, targetPort: 12345 }] } },
  endpoints: { subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 12345 }] }] },
  'dtdomains.sid.sightlineinnovation.com': {},
  'dtapps.sid.sightlineinnovation.com': {
    spec: { serviceSelector: { name: 'example' }, domainSelector: { name: ['example'] }, authenticationType: 'None' },
  },
  'nodes.dtkd.dev': { spec: { tags: ['web'], description: 'Serves the shop.' } },
  'models.dtkd.dev': { spec: { description: 'What runs where.' } },
  'types.dtkd.dev': { spec: { name: 'WebServer', properties: { port: { type: 'port', default: 8080 } } } },
  'resources.dtkd.dev': { spec: { model: 'example', type: 'WebServer', properties: { port: 8080 } } },
  'users.dtkd.dev': { spec: { description: 'Looks after the shop.' } },
  'capabilities.dtkd.dev': { spec: { to: 'example@node0', verbs: ['READ'], on: { kind: 'resources.dtkd.dev', model: 'example' } } },
  'trusts.dtkd.dev': { spec: { members: ['example@node0'] } },
  'shares.dtkd.dev': { spec: { trust: 'example@node0', verbs: ['READ'], on: { kind: 'resources.dtkd.dev', model: 'example' } } },
  'policies.dtkd.dev': { spec: { limits: { concurrency: 16 } } },
  'secrets.dtkd.dev': { spec: { value: 'not so secret' } },
};

/** The names of objects whose kind has only one. */
const NAMES: Readonly<Record<string, string>> = { 'policies.dtkd.dev': 'node' };

const EXAMPLE_NAME = 'example';

const keyOf = ({ group, plural }: Kind): string => (group === '' ? plural : `${plural}.${group}`);

export function exampleName(kind: Kind): string {
  return NAMES[keyOf(kind)] ?? EXAMPLE_NAME;
}

/** The example of a kind; undefined if users do not write that kind. */
export function exampleOf(kind: Kind): Record<string, unknown> | undefined {
  const fields = FIELDS[keyOf(kind)];
  if (fields === undefined) return undefined;
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: exampleName(kind) }, ...fields };
}
