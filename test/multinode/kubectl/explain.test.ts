import { beforeAll, describe, expect, it } from 'vitest';
import { ACTIONS, type ActionEntry } from '../../../daemon/src/api/openapi/action-list.ts';
import { exampleName, exampleOf } from '../../../daemon/src/api/openapi/examples.ts';
import { schemaOf } from '../../../daemon/src/api/openapi/json-schema.ts';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import { KINDS } from '../../../protocol/kinds/index.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';

const stage = useStage();

/** Kinds of which kubectl can apply any number. Founding a domain and hiding a secret are tested elsewhere. */
const APPLIED = KINDS.filter(({ verbs, plural }) => verbs.includes('create') && plural !== 'dtdomains');
const fullName = ({ plural, group }: Kind): string => (group === '' ? plural : `${plural}.${group}`);
/** Names of what the description says of a kind beyond its objects; of no kind: what is daemon-wide. */
const describedOf = (kind: ActionEntry['kind']): string[] => [
  ...new Set(ACTIONS.filter((entry) => entry.kind === kind).map(({ path }) => path.split('/')[0] ?? '')),
];
/** In the order in which one needs the other. */
const documents = (kinds: readonly Kind[]): string => kinds.map((kind) => JSON.stringify(exampleOf(kind))).join('\n');

/** An example with a field that its kind does not have, at the top and within. */
function withUnknown(kind: Kind): Record<string, unknown> {
  const example = exampleOf(kind) ?? {};
  const { spec } = example;
  return typeof spec === 'object' ? { ...example, spec: { ...spec, bogusField: 1 } } : { ...example, bogusField: 1 };
}

describe.skipIf(NO_KUBECTL)(`kubectl and what the API says of itself${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let site: Site;
  let kubectl: Kubectl;

  beforeAll(async () => {
    site = await stage.current.start({ name: 'node0' });
    kubectl = await kubectlOf(site);
  });

  it('explains every field of dtapp.spec, with what it is and what it may be', async () => {
    const text = await kubectl.out('explain', 'dtapp.spec');
    const { properties = {} } = schemaOf(dtAppKind.schema).properties?.['spec'] ?? {};
    expect(Object.keys(properties).length).toBeGreaterThan(4);
    for (const [name, { description = '' }] of Object.entries(properties)) {
      expect(text).toMatch(new RegExp(`^  ${name}\\t<`, 'm'));
      expect(text.replaceAll(/\s+/g, ' ')).toContain(description.replaceAll(/\s+/g, ' '));
    }
    expect(text).toContain('enum: None, Custom, Capability');
    expect(await kubectl.out('explain', 'dtapp.spec.serviceSelector')).toMatch(/name\t<string> -required-/);
    expect(await kubectl.out('explain', 'service.spec.ports.targetPort')).toContain('IntOrString');
  });

  it('explains every kind, all of it, in both forms', async () => {
    const texts = await Promise.all(KINDS.map((kind) => kubectl.out('explain', fullName(kind), '--recursive')));
    KINDS.forEach((kind, index) => {
      for (const name of Object.keys(schemaOf(kind.schema).properties ?? {}))
        expect(texts[index], kind.kind).toMatch(new RegExp(`^  ${name}\\t<`, 'm'));
    });
    const older = await kubectl.out('explain', 'resource.spec', '--output=plaintext-openapiv2');
    expect(older.replaceAll(/\s+/g, ' ')).toContain('properties <map[string]> Values of the properties of its type.');
    expect(older).toMatch(/model\t<string> -required-/);
  });

  it('applies an object of each kind with validation, and applies it again', async () => {
    const created = await kubectl.send(documents(APPLIED), 'apply', '--validate=strict', '-f', '-');
    expect(created.trim().split('\n').length).toBe(APPLIED.length);
    const again = await kubectl.send(documents(APPLIED.filter(({ verbs }) => verbs.includes('patch'))), 'apply', '-f', '-');
    expect(again.replaceAll('unchanged', '').replaceAll('configured', '')).not.toContain('error');
  });

  it('refuses a field that a kind does not have, by its name', async () => {
    const answers = await Promise.all(
      APPLIED.map((kind) => kubectl.with({ stdin: JSON.stringify(withUnknown(kind)) }, 'apply', '-f', '-')),
    );
    APPLIED.forEach((kind, index) => {
      expect(answers[index]?.code, kind.kind).toBe(1);
      expect(answers[index]?.stderr, kind.kind).toMatch(/bogusField/);
    });
    const made = { ...withUnknown(dtAppKind), metadata: { name: 'another' } };
    expect((await kubectl.with({ stdin: JSON.stringify(made) }, 'create', '-f', '-')).stderr).toContain('has no field "spec.bogusField"');
    expect((await kubectl.with({ stdin: JSON.stringify(made) }, 'create', '--validate=warn', '-f', '-')).stderr).toMatch(
      /^Warning: .*bogusField/,
    );
  });

  it('shows a difference, and replaces', async () => {
    const user = { apiVersion: 'dtkd.dev/v1', kind: 'User', metadata: { name: 'example' }, spec: { description: 'Somebody else.' } };
    const { code, stdout } = await kubectl.with({ stdin: JSON.stringify(user) }, 'diff', '-f', '-');
    expect(code).toBe(1);
    expect(stdout).toContain('+  description: Somebody else.');
    await kubectl.send(user, 'replace', '-f', '-');
    expect(await kubectl.out('get', 'user', 'example', '-o', 'jsonpath={.spec.description}')).toBe('Somebody else.');
  });

  it('merges ports of a Service by what the documents say of them', async () => {
    const [service] = APPLIED.filter(({ plural }) => plural === 'services').map(exampleOf);
    const changed = {
      ...service,
      spec: {
        ports: [
          { name: 'a', port: 8080, targetPort: 12_345 },
          { name: 'b', port: 9090 },
        ],
      },
    };
    const { stdout, stderr } = await kubectl.with({ stdin: JSON.stringify(changed) }, 'apply', '-f', '-');
    expect(stderr).toBe('');
    expect(stdout).toContain('service/example configured');
    expect(await kubectl.out('get', 'service', 'example', '-o', 'jsonpath={.spec.ports[*].port}')).toBe('8080 9090');
  });

  it('tells of every subresource and every action that is there', async () => {
    const named = async (path: string): Promise<string[]> => {
      const { body } = await site.api(path);
      const { details = {} } = Object(body);
      return (
        /have (.*)\.$|has (.*)\.$/
          .exec(String(details.next))
          ?.slice(1)
          .join('')
          .split(', ')
          .filter((name) => name !== 'none') ?? []
      );
    };
    const actions = await named('/apis/dtkd.dev/v1/daemon/no-such-action');
    expect(actions.length).toBeGreaterThan(10);
    expect(
      actions.filter((name) => !describedOf(undefined).includes(name)),
      'add them to openapi/action-list.ts',
    ).toEqual([]);
    for (const kind of KINDS.filter(({ scope }) => scope === 'Namespaced')) {
      const names = await named(site.path(fullName(kind), exampleName(kind), { sub: 'no-such-subresource' }));
      expect(names.sort(), `openapi/action-list.ts: ${fullName(kind)}`).toEqual(describedOf(kind).sort());
    }
  });
});
