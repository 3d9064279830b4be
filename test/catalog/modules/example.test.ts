import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readModuleDirectory } from '../../../cli/module/directory.ts';
import { newModuleFiles } from '../../../cli/module/template.ts';
import { keepBuiltinTypes } from '../../../daemon/src/catalog/model/builtin-types.ts';
import { packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { allFaults } from '../../../protocol/modules/check.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { freePort } from '../../harness/ports.ts';
import { silentLogger } from '../../silent-logger.ts';
import { NODE, object, write } from '../model/fixtures.ts';
import { bench } from './fixtures.ts';

const EXAMPLE = new URL('../../../examples/modules/web', import.meta.url).pathname;
const MODEL = new URL('../../../examples/models/web-site.yaml', import.meta.url);

describe('the example module', () => {
  it('is valid, and its model fits it', async () => {
    const files = await readModuleDirectory(EXAMPLE);
    expect(await allFaults(unpackArchive(packArchive(files)))).toEqual([]);
    const { install, store, close } = await bench();
    await keepBuiltinTypes(store, NODE, silentLogger);
    expect(await install(files)).toMatchObject({ changes: { created: ['WebService', 'WebSite'] } });
    const documents = parseAllDocuments(await readFile(MODEL, 'utf8')).map((document) => document.toJS() as ApiObject);
    await write(store, object('Node', NODE, {}), ...documents.map(({ kind, metadata, spec }) => object(kind, metadata.name, Object(spec))));
    await close();
  });
});

describe('its scripts', () => {
  let directory: string;
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('start a service once, tell whether it is up, and stop it', async () => {
    directory = await mkdtemp(join(tmpdir(), 'dtkd-example-'));
    const port = String(await freePort());
    const env = {
      PATH: process.env['PATH'],
      DTKD_NODE_EXECUTABLE: process.execPath,
      DTKD_RESOURCE_NAME: 'front',
      DTKD_NODE: NODE,
      DTKD_PROPERTY_PORT: port,
    };
    const run = (script: string, ...args: string[]) => {
      const { status, stdout } = spawnSync(join(EXAMPLE, 'bin', script), args, { cwd: directory, env, encoding: 'utf8' });
      return { status, text: stdout.trim() };
    };
    expect(run('install').status).toBe(0);
    expect(run('assert-service-is-up')).toEqual({ status: 1, text: 'front is not up' });
    expect(run('status').status).toBe(3);
    const started = run('start-service', port);
    const pid = /process (\d+)/.exec(started.text)?.[1];
    try {
      expect(started).toEqual({ status: 0, text: `started front: process ${pid}, port ${port}` });
      expect(run('assert-service-is-up')).toEqual({ status: 0, text: `front is up: process ${pid}` });
      expect(run('status').status).toBe(0);
      expect(run('stop-service', '10')).toEqual({ status: 0, text: 'stopped front' });
    } finally {
      run('stop-service', '0');
    }
    expect(run('stop-service', '10')).toEqual({ status: 0, text: 'front is not up' });
    expect(run('status').status).toBe(3);
  });
});

describe('a new module', () => {
  it.each(['acme/web', 'a/1st-try', '9/9'])('named %s is valid as it is made', async (name) => {
    const files = newModuleFiles(name).map(({ path, text, executable }) => ({ path, executable, data: Buffer.from(text) }));
    expect(await allFaults(unpackArchive(packArchive(files)))).toEqual([]);
  });
});
