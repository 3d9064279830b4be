import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareDirectory, protectDirectory, refuseLostDatabase, writeEndpoint } from '../../../daemon/src/process/data-directory.ts';
import { makeDirectory } from '../../../daemon/src/process/directory.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dtkd-directory-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('making a directory', () => {
  it('makes what is missing above it, for its owner only, and is content with what is there', () => {
    const path = join(directory, 'a', 'b', 'c');
    makeDirectory(path, 0o700);
    makeDirectory(path, 0o700);
    expect(statSync(path).isDirectory()).toBe(true);
    expect(statSync(join(directory, 'a')).mode & 0o777).toBe(0o700);
  });

  it('ends with an error where nothing can be made', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => makeDirectory(join(directory, 'file'), 0o700)).toThrow(/EEXIST/);
    expect(() => makeDirectory(join(directory, 'file', 'below'), 0o700)).toThrow(/ENOTDIR/);
    // Here the recursive mode of mkdir never returns.
    expect(() => makeDirectory('/proc/there/is/none', 0o700)).toThrow(/ENOENT/);
  });
});

describe('a data directory', () => {
  it('that is a file is said to be one', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    expect(() => prepareDirectory(file)).toThrow(
      expect.objectContaining({ code: 'DATA_UNWRITABLE', message: `the data directory ${file} is a file` }),
    );
  });

  it('whose database is gone does not become another node, unless it never had one', async () => {
    await refuseLostDatabase(directory);
    mkdirSync(join(directory, 'audit'));
    await refuseLostDatabase(directory);
    writeFileSync(join(directory, 'audit', '0000000000000001.log'), '{}\n');
    await expect(refuseLostDatabase(directory)).rejects.toMatchObject({ code: 'DATA_CORRUPT', message: expect.stringContaining('gone') });
    mkdirSync(join(directory, 'db'));
    writeFileSync(join(directory, 'db', 'CURRENT'), '');
    await refuseLostDatabase(directory);
  });

  it('is made for its owner alone, and opened to a group by whoever has its lock', async () => {
    const path = join(directory, 'data');
    prepareDirectory(path);
    const mode = () => statSync(path).mode & 0o777;
    expect(mode()).toBe(0o700);
    await protectDirectory(path, process.getgid?.());
    expect(mode()).toBe(0o750);
    prepareDirectory(path);
    expect(mode()).toBe(0o750);
    await protectDirectory(path, undefined);
    expect(mode()).toBe(0o700);
  });

  it('says where the daemon is to the operator group, whatever the umask is', async () => {
    // root may give a file to any group
    const gid = process.getuid?.() === 0 ? 4242 : process.getgid?.();
    const before = process.umask(0o077);
    await writeEndpoint(directory, { api: 'https://127.0.0.1:7700' }, gid).finally(() => process.umask(before));
    const found = statSync(join(directory, 'endpoint.json'));
    expect({ gid: found.gid, mode: found.mode & 0o777 }).toEqual({ gid, mode: 0o640 });
  });
});
