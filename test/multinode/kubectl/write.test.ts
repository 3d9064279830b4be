import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { KINDS } from '../../../protocol/kinds/index.ts';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import { missing } from '../../harness/programs.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';

const stage = useStage();
/** kubectl runs it. */
const NO_DIFF = missing(['diff']);

const model = (name: string, description: string, more = ''): string =>
  `apiVersion: dtkd.dev/v1\nkind: Model\nmetadata:\n  name: ${name}\n${more}spec:\n  description: ${description}\n`;

/** One of each kind that can be changed; their names are `sample` where they are free. */
const SAMPLES: Readonly<Record<string, string>> = {
  Service: 'metadata: {name: sample}\nspec: {ports: [{name: http, protocol: TCP, port: 80, targetPort: 8080}]}',
  Endpoints: 'metadata: {name: sample}\nsubsets: [{addresses: [{ip: 10.1.2.3}], ports: [{name: http, port: 8080}]}]',
  dtDomain: 'metadata: {name: sample}',
  dtApp: 'metadata: {name: sample}\nserviceSelector: {name: sample}\ndomainSelector: {name: [sample]}\nspec: {authenticationType: None}',
  Model: 'metadata: {name: sample}\nspec: {description: a model}',
  Type: 'metadata: {name: sample}\nspec: {name: Sample, extends: Service, properties: {colour: {type: string, default: red}}}',
  Resource: 'metadata: {name: sample.one}\nspec: {model: sample, type: Sample, name: one, properties: {colour: blue}}',
  User: 'metadata: {name: sample}\nspec: {description: a user}',
  Trust: 'metadata: {name: sample}\nspec: {members: [sample@node0]}',
  Policy: 'metadata: {name: node}\nspec: {trust: [{node: node0}]}',
  Secret: 'metadata: {name: sample}\nspec: {value: hidden}',
};

describe.skipIf(NO_KUBECTL)(`writing with kubectl${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let site: Site;
  let kubectl: Kubectl;
  let files: string;

  beforeAll(async () => {
    site = await stage.current.start({ name: 'node0' });
    kubectl = await kubectlOf(site);
    files = join(kubectl.home, 'files');
    await mkdir(files);
  });

  const file = async (name: string, text: string): Promise<string> => {
    const path = join(files, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, text);
    return path;
  };
  const described = async (name: string): Promise<unknown> => (await site.get('model', name))?.['spec'];

  it('applies a file and standard input, and what is taken out of a document goes', async () => {
    const path = await file('one.yaml', model('one', 'first', '  labels: {a: b, c: d}\n'));
    expect(await kubectl.out('apply', '-f', path)).toBe('model.dtkd.dev/one created\n');
    expect(await kubectl.out('apply', '-f', path)).toBe('model.dtkd.dev/one unchanged\n');
    await kubectl.out('label', 'model', 'one', 'kept=yes');
    expect(await kubectl.send(model('one', 'second', '  labels: {c: d}\n'), 'apply', '-f', '-')).toBe('model.dtkd.dev/one configured\n');
    const stored = await site.get('model', 'one');
    expect(stored).toMatchObject({ metadata: { labels: { c: 'd', kept: 'yes' } }, spec: { description: 'second' } });
    expect(stored?.metadata.labels).not.toHaveProperty('a');
    expect(await kubectl.out('apply', 'view-last-applied', 'model', 'one')).toContain('description: second');
  });

  it('applies directories and kustomizations', async () => {
    await file('many/a.yaml', model('many-a', 'a'));
    await file('many/below/b.yaml', `${model('many-b', 'b')}---\n${model('many-c', 'c')}`);
    const made = await kubectl.out('apply', '-R', '-f', join(files, 'many'));
    expect(made.split('\n').sort()).toEqual(['', ...['a', 'b', 'c'].map((name) => `model.dtkd.dev/many-${name} created`)]);
    await file('site/base.yaml', model('base', 'by kustomize'));
    await file(
      'site/kustomization.yaml',
      `resources: [base.yaml]
namePrefix: west-
labels: [{pairs: {site: west}}]
patches:
- target: {kind: Model}
  patch: '[{"op": "replace", "path": "/spec/description", "value": "patched"}]'
`,
    );
    expect(await kubectl.out('apply', '-k', join(files, 'site'))).toBe('model.dtkd.dev/west-base created\n');
    expect(await site.get('model', 'west-base')).toMatchObject({
      metadata: { labels: { site: 'west' } },
      spec: { description: 'patched' },
    });
  });

  it('refuses unknown fields and wrong values, with the field; a dry run writes nothing', async () => {
    const unknown = await kubectl.with({ stdin: `${model('bad', 'x')}  colour: red\n` }, 'apply', '-f', '-');
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('spec.colour') });
    const wrong = await kubectl.with(
      { stdin: 'apiVersion: dtkd.dev/v1\nkind: Resource\nmetadata: {name: bad}\nspec: {}\n' },
      'create',
      '--validate=false',
      '-f',
      '-',
    );
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/The Resource "bad" is invalid:[\s\S]*spec\.model: /) });
    const dry = await kubectl.send(model('dry', 'x'), 'apply', '--dry-run=server', '-o', 'yaml', '-f', '-');
    expect(dry).toMatch(/^ {2}uid: /m);
    expect(await site.get('model', 'dry')).toBeUndefined();
  });

  it('says what to use instead of applying on the server', async () => {
    const refused = await kubectl.with({ stdin: model('one', 'third') }, 'apply', '--server-side', '-f', '-');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/apply/) });
    expect(await described('one')).toEqual({ description: 'second' });
  });

  it('creates, also with names that are made, and once only', async () => {
    expect(await kubectl.send(model('made', 'x'), 'create', '-f', '-')).toBe('model.dtkd.dev/made created\n');
    const again = await kubectl.with({ stdin: model('made', 'x') }, 'create', '-f', '-');
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('(AlreadyExists)') });
    const generated = await kubectl.send(model('x', 'made').replace('name: x', 'generateName: run-'), 'create', '-f', '-', '-o', 'name');
    expect(generated).toMatch(/^model\.dtkd\.dev\/run-[a-z0-9]+\n$/);
    const raw = await kubectl.send(
      { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: 'raw' } },
      'create',
      '--raw',
      site.path('model'),
      '-f',
      '-',
    );
    expect(JSON.parse(raw)).toMatchObject({ kind: 'Model', metadata: { name: 'raw', namespace: 'node0' } });
  });

  it('replaces, unless somebody else was there before', async () => {
    await kubectl.send(model('swap', 'old'), 'create', '-f', '-');
    const read = await kubectl.out('get', 'model', 'swap', '-o', 'yaml');
    expect(await kubectl.send(read.replace('old', 'new'), 'replace', '-f', '-')).toBe('model.dtkd.dev/swap replaced\n');
    const late = await kubectl.with({ stdin: read.replace('old', 'late') }, 'replace', '-f', '-');
    expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining('(Conflict)') });
    const { uid } = (await site.get('model', 'swap'))?.metadata ?? {};
    await kubectl.send(model('swap', 'anew'), 'replace', '--force', '-f', '-');
    expect(await described('swap')).toEqual({ description: 'anew' });
    expect((await site.get('model', 'swap'))?.metadata.uid).not.toBe(uid);
  });

  it('edits in an editor', async () => {
    await kubectl.send(model('text', 'rough'), 'create', '-f', '-');
    const edited = await kubectl.with({ env: { KUBE_EDITOR: 'sed -i s/rough/fine/' } }, 'edit', 'model', 'text');
    expect(edited).toMatchObject({ code: 0, stdout: 'model.dtkd.dev/text edited\n' });
    expect(await described('text')).toEqual({ description: 'fine' });
    const left = await kubectl.with({ env: { KUBE_EDITOR: 'true' } }, 'edit', 'model', 'text');
    expect(left).toMatchObject({ code: 0, stderr: 'Edit cancelled, no changes made.\n' });
  });

  it.skipIf(NO_DIFF)('shows what applying would change', async () => {
    await kubectl.send(model('changed', 'before'), 'apply', '-f', '-');
    const env = { PATH: process.env['PATH'] };
    const same = await kubectl.with({ env, stdin: model('changed', 'before') }, 'diff', '-f', '-');
    expect(same).toMatchObject({ code: 0, stdout: '' });
    const other = await kubectl.with({ env, stdin: model('changed', 'after') }, 'diff', '-f', '-');
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(/^- {2}description: before$/m);
    expect(other.stdout).toMatch(/^\+ {2}description: after$/m);
    expect(await described('changed')).toEqual({ description: 'before' });
  });

  it('labels and annotates', async () => {
    await kubectl.send(model('tagged', 'x'), 'create', '-f', '-');
    expect(await kubectl.out('label', 'model', 'tagged', 'tier=front', 'old=yes')).toBe('model.dtkd.dev/tagged labeled\n');
    const taken = await kubectl.run('label', 'model', 'tagged', 'tier=back');
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining('--overwrite') });
    await kubectl.out('label', 'model', 'tagged', 'tier=back', 'old-', '--overwrite');
    await kubectl.out('annotate', 'models', '-l', 'tier=back', 'note=some words', 'other=x');
    await kubectl.out('annotate', 'model', 'tagged', 'other-');
    const { labels, annotations } = (await site.get('model', 'tagged'))?.metadata ?? {};
    expect(labels).toEqual({ tier: 'back' });
    expect(annotations).toMatchObject({ note: 'some words' });
    expect(annotations).not.toHaveProperty('other');
  });

  it('deletes by document, names, labels, and all of a kind', async () => {
    const text = `${model('gone-a', 'x', '  labels: {end: near}\n')}---\n${model('gone-b', 'x', '  labels: {end: near}\n')}---\n${model('gone-c', 'x')}---\n${model('gone-d', 'x')}`;
    const path = await file('gone.yaml', text);
    await kubectl.out('create', '-f', path);
    expect(await kubectl.out('delete', 'models', '-l', 'end=near', '--dry-run=server')).toContain('"gone-a" deleted (server dry run)');
    expect(await kubectl.out('delete', 'models', '-l', 'end=near')).toBe(
      'model.dtkd.dev "gone-a" deleted\nmodel.dtkd.dev "gone-b" deleted\n',
    );
    expect(await kubectl.out('delete', 'model/gone-c')).toBe('model.dtkd.dev "gone-c" deleted\n');
    expect(await kubectl.out('delete', '-f', path, '--ignore-not-found')).toBe('model.dtkd.dev "gone-d" deleted\n');
    await kubectl.out('delete', 'models', '--all');
    expect(await site.list('models')).toEqual([]);
  });

  it('applies what it shows of every kind that can be changed', async () => {
    const kinds = KINDS.filter(({ verbs }) => verbs.includes('update'));
    const documents = kinds.flatMap((kind) => {
      if (kind.kind === 'Node') return [];
      const sample = SAMPLES[kind.kind];
      if (sample === undefined) throw new Error(`this test has no sample of ${kind.kind}`);
      return [`apiVersion: ${kind.group === '' ? '' : `${kind.group}/`}${kind.version}\nkind: ${kind.kind}\n${sample}\n`];
    });
    // kinds that others refer to are first in the list of kinds, except types and users
    const order = (text: string): number => (/kind: (Type|Model|User)$/m.test(text) ? 0 : 1);
    await kubectl.send(documents.sort((a, b) => order(a) - order(b)).join('---\n'), 'create', '-f', '-');
    const names = kinds.map(({ kind, plural, group }) => {
      const name = /metadata: \{name: ([^}]+)\}/.exec(SAMPLES[kind] ?? '')?.[1] ?? 'node0';
      return `${group === '' ? plural : `${plural}.${group}`}/${name}`;
    });
    const shown = await kubectl.out('get', ...names, '-o', 'yaml');
    const applied = await kubectl.with({ stdin: shown }, 'apply', '-f', '-');
    expect(applied.code, applied.stderr).toBe(0);
    expect(applied.stdout.trimEnd().split('\n')).toHaveLength(names.length);
    const after = await kubectl.out('get', ...names, '-o', 'jsonpath={range .items[*]}{.kind} {.metadata.generation}{"\\n"}{end}');
    expect(applied.stdout).not.toContain('created');
    expect(after.split('\n')).toContain('Model 1');
  });
});
