/** Repositories in a directory that goes away, and the real git beside them. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createRepositories } from '../../../../daemon/src/catalog/instances/repository/repositories.ts';
import type { NewFile, Repositories } from '../../../../daemon/src/catalog/instances/repository/repository.types.ts';

const run = promisify(execFile);

export const author = { name: 'ops@node0', email: 'ops@node0' };
export const by = (message: string) => ({ message, author });
export const bytes = (text: string) => new Uint8Array(Buffer.from(text));
export const text = (data: Uint8Array) => Buffer.from(data).toString('utf8');

export interface Bench {
  root: string;
  repositories: Repositories;
  /** Moves on by a second with each look. */
  now: () => number;
  close(): Promise<void>;
}

export async function bench(): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'dtkd-repository-'));
  let time = Date.UTC(2026, 0, 1);
  const now = () => {
    time += 1000;
    return time;
  };
  const repositories = createRepositories({ directory: join(root, 'instances'), now });
  return { root, repositories, now, close: () => rm(root, { recursive: true, force: true }) };
}

export const someFiles: NewFile[] = [
  { path: 'dtk.service.yaml', data: bytes('name: shop\n') },
  { path: 'modules/acme/web/dtk.module.yaml', data: bytes('module: acme/web\n') },
  { path: 'modules/acme/web/bin/start', data: bytes('#!/bin/sh\n'), executable: true },
  { path: 'modules/acme/web/.gitattributes', data: bytes('* text eol=crlf\n') },
];

/** Undefined: there is no git on this machine. */
export async function gitVersion(): Promise<string | undefined> {
  return run('git', ['--version']).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

export async function git(directory: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-c', 'user.name=somebody', '-c', 'user.email=somebody@example.org', ...args], {
    cwd: directory,
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', LC_ALL: 'C' },
  });
  return stdout.trimEnd();
}

/** All files below a directory but those of git, with their texts. */
export async function filesIn(directory: string, below = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (path === '.git') continue;
    if (entry.isDirectory()) Object.assign(found, await filesIn(directory, path));
    else found[path] = await readFile(join(directory, path), 'utf8');
  }
  return found;
}
