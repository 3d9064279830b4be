/** What this node keeps of resources of services that were taken down, and for how long. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Logger } from '../../../daemon/src/logging/logger.types.ts';
import { inlineCode } from '../../../protocol/definitions/code.ts';
import { commands as commandsSchema } from '../../../protocol/definitions/commands.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';
import { bundleOf, commandWork, from, orderOf, ownerKey, SERVICE, type World, world } from './world.ts';

const DAY_MS = 24 * 3_600_000;
const TYPE = 'Service@shop';
const COMMANDS = {
  create: { script: { inline: 'true' } },

  delete: { script: { inline: 'true' } },
};

let site: World;
let said: string[];
/** How far the clock of this node is ahead of the machine's. */
let ahead = 0;

beforeEach(async () => {
  said = [];
  ahead = 0;
  const info: Logger['info'] = (...args: unknown[]) => void said.push(JSON.stringify(args));
  site = await world({ logger: { ...silentLogger, info }, now: () => Date.now() + ahead });
});
afterEach(() => site.close());

/** A command of a resource of the service `shop`. */
function ordered(name: string, command: string, revision = 1, { inMs = 0 } = {}) {
  const commands = commandsSchema.parse(COMMANDS);
  const code = inlineCode(TYPE, commands, ownerKey.publicKey);
  const resource = { ...SERVICE, object: `shop.${name}`, uid: `uid-${name}`, type: TYPE, name };
  const types = { [TYPE.toLowerCase()]: { name: TYPE, code, commands } };
  const { bytes: bundle } = bundleOf({ commands: COMMANDS, resource, revision, more: { types } });
  const { object, uid, model, type } = resource;
  const now = Date.now() + ahead;
  const work = commandWork(command, { [code.name]: code.digest }, { resource: { object, uid, model, type, name } });
  return { order: orderOf({ work, header: { createdAt: now, notBefore: now + inMs, notAfter: now + inMs + 60_000 } }).bytes, bundle };
}

async function run(name: string, command: string, revision?: number): Promise<string> {
  const { outcome, reason = '' } = await (await site.target.accept(from(site), ordered(name, command, revision))).ended;
  return `${outcome} ${reason}`.trim();
}

const below = (...path: string[]) => join(site.directory, 'resources', ownerKey.publicKey.slice(0, 32), 'shop', TYPE, ...path);
const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
const rows = async () => (await site.store.kv.page({ gte: 'j/', lt: 'j0', keysOnly: true })).map(([key]) => key);
const rowsOf = async (name: string) => (await rows()).filter((key) => key.endsWith(`/shop.${name}`)).map((key) => key.slice(0, 4));

/** Moves the clock by a month and this many days, does something and restarts the daemon, until it has forgotten what it may. */
async function later<T>(days: number, before?: () => Promise<T>): Promise<T | undefined> {
  ahead += days * DAY_MS;
  // it looks in the order of names
  await run('zz', 'create');
  await run('zz', 'delete');
  ahead += 31 * DAY_MS;
  const done = await before?.();
  await site.crash();
  await waitFor(async () => (await rowsOf('zz')).length === 0, { what: 'the last one to be forgotten' });
  return done;
}

test('is gone after a month, with an empty directory, but not while the resource is installed', async () => {
  for (const name of ['a', 'b']) expect(await run(name, 'create')).toBe('succeeded');
  expect(await run('a', 'delete')).toBe('succeeded');
  expect(await rowsOf('a')).toEqual(['j/b/', 'j/i/']);
  await later(0);
  expect(await rowsOf('a')).toEqual([]);
  expect(await readdir(below())).toEqual(['b']);
  expect(await rowsOf('b')).toEqual(['j/b/', 'j/i/']);
  expect(await run('b', 'delete')).toBe('succeeded');
  await later(0);
  expect(await rowsOf('b')).toEqual([]);
  expect(await readdir(join(site.directory, 'resources'))).toEqual([]);
  expect(said.filter((line) => line.includes('left to you'))).toEqual([]);
});

test('stays for a month, and is used if the resource comes back meanwhile', async () => {
  await run('a', 'create');
  await run('a', 'delete');
  ahead += 29 * DAY_MS;
  await site.crash();
  expect(await rowsOf('a')).toEqual(['j/b/', 'j/i/']);
  expect(await run('a', 'create')).toBe('succeeded');
  await later(40);
  expect(await rowsOf('a')).toEqual(['j/b/', 'j/i/']);
  expect(await isThere(below('a', 'var', 'resource.json'))).toBe(true);
});

test.each([
  ['a file of a command', async () => writeFile(below('a', 'var', 'service.pid'), '1'), 'var/service.pid'],
  ['an altered file', async () => writeFile(below('a', 'var', 'resource.json'), 'mine'), 'var/resource.json'],
  ['a directory', async () => mkdir(below('a', 'data')), 'data'],
])('leaves a directory with %s as it is, and says so once', async (_what, change, found) => {
  await run('a', 'create');
  await run('a', 'delete');
  await change();
  const before = await readFile(below('a', 'var', 'resource.properties'));
  await later(0);
  await site.crash();
  expect(await rowsOf('a')).toEqual([]);
  expect(await isThere(below('a', found))).toBe(true);
  expect(await readFile(below('a', 'var', 'resource.properties'))).toEqual(before);
  const about = said.filter((line) => line.includes(below('a')));
  expect(about).toHaveLength(1);
  expect(about[0]).toContain(`"found":"${found}"`);
});

test('stays while a command of it waits', async () => {
  await run('a', 'create');
  await run('a', 'delete');
  const waiting = await later(0, () => site.target.accept(from(site), ordered('a', 'create', 1, { inMs: DAY_MS })));
  expect(await rowsOf('a')).toEqual(['j/b/', 'j/i/']);
  expect(await isThere(below('a', 'var', 'resource.json'))).toBe(true);
  if (waiting === undefined) throw new Error('nothing waits');
  await site.target.abort({ type: 'operator', name: 'operator' }, waiting.id);
  await later(0);
  expect(await rowsOf('a')).toEqual([]);
});

test('is no way back to older bundles: they are refused, and the resource runs again with a newer one', async () => {
  await run('a', 'create', 5);
  await run('a', 'delete', 7);
  await later(0);
  for (const daemon of ['same', 'next']) {
    expect(await run('a', 'create', 6), daemon).toContain('refused the bundle from builder is older');
    await site.crash();
  }
  expect(await run('a', 'create', 8)).toBe('succeeded');
});
