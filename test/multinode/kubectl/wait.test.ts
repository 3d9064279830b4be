/** kubectl wait: conditions and fields of what controllers keep, on a real daemon. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';

const stage = useStage();

const MANIFEST = `dsl_version: "1.0"
module: acme/tiny
version: 1.0.0
description: Something that is up when a file says so.
types:
  Thing:
    extends: Service
    properties:
      gate: {type: string, required: true}
    commands:
      create: {script: {inline: 'test -e "$DTKD_PROPERTY_GATE"'}}
      delete: {script: {inline: 'true'}}
assemblies:
  one:
    description: One of them, here.
    parameters:
      gate: {type: string, required: true}
    components:
      thing:
        type: Thing
        properties: {gate: "\${parameters.gate}"}
`;

describe.skipIf(NO_KUBECTL)(`waiting with kubectl${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let site: Site;
  let kubectl: Kubectl;

  beforeAll(async () => {
    site = await stage.current.start({ name: 'node0' });
    kubectl = await kubectlOf(site);
  });

  async function ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await site.cli(...args);
    if (code !== 0) throw new Error(`dtkd ${args.join(' ')}: status ${code}\n${stdout}${stderr}`);
    return stdout;
  }
  const conditions = async (what: string): Promise<string> =>
    kubectl.out('get', what, '-o', 'jsonpath={range .status.conditions[*]}{.type}={.status}/{.reason} {end}');

  it('for a service to be ready, and for the task that makes it so', async () => {
    const module = join(stage.current.directory, 'tiny');
    const gate = join(stage.current.directory, 'gate');
    await mkdir(module);
    await writeFile(join(module, 'dtk.module.yaml'), MANIFEST);
    await ok('module', 'install', module);
    await ok('stage', 'acme/tiny:one', '--name', 'shop', '--set', `gate=${gate}`);
    expect(await conditions('serviceinstance/shop')).toBe('Ready=False/Staged DriftFound=False/NoneFound ');

    expect((await site.cli('converge', 'shop', '--yes')).code).not.toBe(0);
    expect(await conditions('serviceinstance/shop')).toBe('Ready=False/Failed DriftFound=False/NoneFound ');
    await kubectl.out('wait', '--for=condition=Failed', 'task/shop-1', '--timeout=300s');
    const impatient = await kubectl.run('wait', '--for=condition=Ready', 'serviceinstance/shop', '--timeout=1s');
    expect(impatient).toMatchObject({ code: 1, stderr: expect.stringContaining('timed out') });

    await writeFile(gate, '');
    const ready = kubectl.start('wait', '--for=condition=Ready', 'serviceinstance/shop', '--timeout=300s');
    const phase = kubectl.start('wait', '--for=jsonpath={.status.phase}=Ready', 'serviceinstance/shop', '--timeout=300s');
    // It holds only until the service is converged, so it is asked before.
    await kubectl.out('wait', '--for=condition=Ready=false', 'si/shop', '--timeout=300s');
    await ok('converge', 'shop', '--yes');
    expect(await Promise.all([ready.exited, phase.exited])).toMatchObject([{ code: 0 }, { code: 0 }]);
    expect(ready.stdout).toBe('serviceinstance.dtkd.dev/shop condition met\n');
    expect(await conditions('task/shop-2')).toBe('Complete=True/Succeeded Failed=False/Succeeded ');
    const generations = await kubectl.out('get', 'si', 'shop', '-o', 'jsonpath={.metadata.generation} {.status.observedGeneration}');
    expect(generations.split(' ')[0]).toBe(generations.split(' ')[1]);
  });

  it('for a command to have ended', async () => {
    await ok('exec', '--', 'true');
    const name =
      (await kubectl.out('get', 'executions', '--sort-by=.metadata.creationTimestamp', '-o', 'name')).trim().split('\n').at(-1) ?? '';
    expect(await kubectl.out('wait', '--for=condition=Complete', name, '--timeout=300s')).toBe(`${name} condition met\n`);
  });

  it('for a node to be in maintenance, and out of it', async () => {
    expect(await conditions('node/node0')).toBe('Ready=True/DaemonStarted Maintenance=False/InUse ');
    const transition = () =>
      kubectl.out('get', 'node', 'node0', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].lastTransitionTime}');
    const before = await transition();
    const resting = kubectl.start('wait', '--for=condition=Maintenance', 'node/node0', '--timeout=300s');
    await kubectl.out('patch', 'node', 'node0', '--type=merge', '-p', '{"spec":{"maintenance":{"reason":"disks"}}}');
    expect(await resting.exited).toMatchObject({ code: 0 });
    expect(await kubectl.out('get', 'node', 'node0', '-o', 'jsonpath={.status.conditions[1].message}')).toBe('disks');
    await kubectl.out('patch', 'node', 'node0', '--type=merge', '-p', '{"spec":{"maintenance":null}}');
    await kubectl.out('wait', '--for=condition=Maintenance=false', 'node/node0', '--timeout=300s');
    expect(await transition()).toBe(before);
  });

  it("for the seed's own status, which is a string", async () => {
    await ok('domain', 'create', 'mydomain');
    await kubectl.out('wait', '--for=jsonpath={.status}=Ready', 'dtdomain/mydomain', '--timeout=300s');
    expect(await kubectl.out('get', 'dtdomain', 'mydomain', '-o', 'jsonpath={.status.conditions}{.status}')).toBe('Ready');
  });
});
