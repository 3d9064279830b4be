/** kubectl apply, patch, edit, label and annotate of Services, which it does by strategic merge patches, against a real daemon. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import { useStage } from '../../harness/use-stage.ts';

const stage = useStage();

interface Port {
  port: number;
  name?: string;
  targetPort?: number | string;
}

const service = (ports: Port[], meta: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', ...meta },
  spec: { ports },
});

describe.skipIf(NO_KUBECTL)(`patching with kubectl${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let kubectl: Kubectl;

  beforeAll(async () => {
    kubectl = await kubectlOf(await stage.current.start({ name: 'node0' }));
  });

  const get = async () => JSON.parse(await kubectl.out('get', 'service', 'web', '-o', 'json'));
  const ports = async () => (await get()).spec.ports.map(({ port, name }: Port) => `${name ?? ''}:${port}`);

  it('apply removes, renames, adds and reorders ports, and leaves alone what others wrote', async () => {
    await kubectl.send(
      service(
        [
          { port: 80, name: 'http' },
          { port: 81, name: 'old' },
        ],
        { labels: { a: '1', b: '2' } },
      ),
      'apply',
      '-f',
      '-',
    );
    await kubectl.out('label', 'service', 'web', 'by=somebody');
    const changed = service(
      [
        { port: 443, name: 'https' },
        { port: 80, name: 'web', targetPort: 8080 },
      ],
      { labels: { a: '1' } },
    );
    expect(await kubectl.send(changed, 'apply', '-f', '-')).toBe('service/web configured\n');
    expect(await ports()).toEqual(['https:443', 'web:80']);
    expect((await get()).metadata.labels).toEqual({ a: '1', by: 'somebody' });
    expect(await kubectl.send(changed, 'apply', '-f', '-')).toBe('service/web unchanged\n');
    expect((await kubectl.with({ stdin: JSON.stringify(changed) }, 'diff', '-f', '-')).code).toBe(0);
  });

  it('patch merges strategically, plainly, and by operations', async () => {
    const strategic = {
      spec: {
        ports: [
          { port: 80, name: 'renamed' },
          { port: 443, $patch: 'delete' },
        ],
      },
    };
    await kubectl.out('patch', 'service', 'web', '-p', JSON.stringify(strategic));
    expect(await ports()).toEqual(['renamed:80']);
    await kubectl.out('patch', 'svc', 'web', '--type=merge', '-p', JSON.stringify({ spec: { ports: [{ port: 9 }] } }));
    expect(await ports()).toEqual([':9']);
    await kubectl.out(
      'patch',
      'svc',
      'web',
      '--type=json',
      '-p',
      JSON.stringify([{ op: 'add', path: '/spec/ports/-', value: { port: 10, name: 'b' } }]),
    );
    expect(await ports()).toEqual([':9', 'b:10']);
    const refused = await kubectl.run('patch', 'svc', 'web', '-p', JSON.stringify({ spec: { ports: [{ name: 'x' }] } }));
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('port')]);
  });

  it('finalizers are a set, owners are told by their uid', async () => {
    const patch = (metadata: object) => kubectl.out('patch', 'svc', 'web', '-p', JSON.stringify({ metadata }));
    await patch({ finalizers: ['example.org/a'] });
    await patch({ finalizers: ['example.org/b'] });
    expect((await get()).metadata.finalizers).toEqual(['example.org/a', 'example.org/b']);
    await patch({ '$deleteFromPrimitiveList/finalizers': ['example.org/a', 'example.org/b'] });
    expect((await get()).metadata.finalizers).toBeUndefined();
  });

  it('edit sends what the editor changed', async () => {
    const editor = join(kubectl.home, 'editor');
    await writeFile(editor, '#!/bin/sh\nsed -i "s/name: b$/name: edited/" "$1"\n');
    await chmod(editor, 0o700);
    const env = { KUBE_EDITOR: editor };
    expect((await kubectl.with({ env }, 'edit', 'service', 'web')).stdout).toBe('service/web edited\n');
    expect(await ports()).toEqual([':9', 'edited:10']);
  });

  it('annotate, and set of what a Service has', async () => {
    await kubectl.out('annotate', 'service', 'web', 'note=x');
    await kubectl.out('annotate', 'service', 'web', 'note-');
    expect((await get()).metadata.annotations?.note).toBeUndefined();
    expect(await kubectl.out('set', 'selector', 'service', 'web', 'app=web')).toContain('selector updated');
    expect((await get()).spec.selector).toEqual({ app: 'web' });
  });

  it('objects of other kinds are patched plainly, and are told so', async () => {
    await kubectl.send({ apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: 'web' }, spec: {} }, 'create', '-f', '-');
    const strategic = await kubectl.run('patch', 'model', 'web', '-p', '{"spec":{"description":"x"}}');
    expect([strategic.code, strategic.stderr]).toEqual([1, expect.stringMatching(/merge/)]);
    expect(await kubectl.out('patch', 'model', 'web', '--type=merge', '-p', '{"spec":{"description":"x"}}')).toContain('patched');
    const server = await kubectl.with({ stdin: JSON.stringify(service([{ port: 1 }])) }, 'apply', '--server-side', '-f', '-');
    expect([server.code, server.stderr]).toEqual([1, expect.stringContaining('without --server-side')]);
  });
});
