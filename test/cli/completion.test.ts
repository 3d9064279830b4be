import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../harness/child.ts';
import { findProgram, missing } from '../harness/programs.ts';
import { runCli } from './fake-daemon.ts';

describe('dtkd completion', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dtkd-completion-'));
    // A dtkd that answers only what the scripts may ask.
    await writeFile(
      join(dir, 'dtkd'),
      '#!/bin/sh\ncase "$DTKD_DATA" in */elsewhere) echo x/there; exit ;; esac\n[ "$1 $3 $4" = "get -o name" ] && printf "%s.group/one\\n%s.group/two\\n" "$2" "$2"\ncase "$*" in *--list*) printf "<%s>\\n" "$*" | tr " " _ ;; esac\n',
      {
        mode: 0o755,
      },
    );
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await runCli({}, 'completion', shell);
      expect(code).toBe(0);
      await writeFile(join(dir, shell), stdout);
    }
  });
  afterAll(() => rm(dir, { recursive: true }));

  /** What bash offers after these words; the last one is the word begun. It takes words apart at some characters, and has the whole line besides. */
  async function offered(...typed: string[]): Promise<string[]> {
    const script = `source "${dir}/bash"; COMP_LINE="$1"; shift; COMP_WORDS=(dtkd "$@"); COMP_CWORD=$#; _dtkd; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const words = typed.flatMap((word) => (word === '' ? [''] : word.split(/([:=@]+)/).filter((part) => part !== '')));
    const { stdout, stderr } = await run({
      command: 'bash',
      args: ['-c', script, 'bash', ['dtkd', ...typed].join(' '), ...words],
      env: { ...process.env, PATH: `${dir}:${process.env['PATH']}` },
    });
    expect(stderr).toBe('');
    return stdout.split('\n').filter(Boolean);
  }

  it('offers commands, their children and flags', async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(['up', 'status', 'domain', 'get']));
    expect(await offered('dom')).toEqual(['domain']);
    expect(await offered('domain', 'root', '')).toEqual(['export', 'import', 'rotate']);
    expect(await offered('--data', '/x', 'get', '--wa')).toEqual(['--watch']);
    expect(await offered('get', 'dtapps', '-o', 'w')).toEqual(['wide']);
    expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('offers kinds, then the names of their objects', async () => {
    expect(await offered('get', 'dtd')).toEqual(['dtd', 'dtdomain', 'dtdomains']);
    expect(await offered('describe', 'dtapp', '')).toEqual(['one', 'two']);
    expect(await offered('domain', 'show', 't')).toEqual(['two']);
    expect(await offered('describe', 'dtapp/')).toEqual(['dtapp/one', 'dtapp/two']);
    expect(await offered('delete', 'dtapp', 'one', 't')).toEqual(['two']);
    expect(await offered('edit', 'dtapp', 'one', '')).toEqual([]);
    expect(await offered('explain', 'dtpee')).toEqual(['dtpeer', 'dtpeers']);
  });

  it('offers names of the daemon that the line names, and nodes as namespaces', async () => {
    expect(await offered('--data', '/elsewhere', 'get', 'dtapp', '')).toEqual(['there']);
    expect(await offered('get', 'dtapp', '--data=/elsewhere', '')).toEqual(['there']);
    expect(await offered('--data', '~/elsewhere', 'get', 'dtapp', '')).toEqual(['there']);
    expect(await offered('app', 'curl', '--data', '/elsewhere', 'one', '')).toEqual([]);
    expect(await offered('get', 'models', '-n', '')).toEqual(['one', 'two']);
  });

  it('offers what could be run within what stands there', async () => {
    expect(await offered('ctl', '-t', '')).toEqual(['<ctl_--list_types>']);
    expect(await offered('ctl', '-t', 'Service', '--resource', 'web', '-c', '')).toEqual([
      '<ctl_-t_Service_--resource_web_--list_commands>',
    ]);
    expect(await offered('executions', 'follow', '')).toEqual(['one', 'two']);
  });

  it('offers names of what commands are about', async () => {
    expect(await offered('run', '')).toEqual(['<ctl_--list_commands>']);
    expect(await offered('run', 'Start', '')).toEqual(['<ctl_--list_targets>']);
    expect(await offered('run', 'Start', 'web', '')).toEqual([]);
    expect(await offered('app', 'curl', '')).toEqual(['<app_ls_--list_names>']);
    expect(await offered('app', 'rm', '')).toEqual(['<app_ls_--list_own>']);
    expect(await offered('model', 'export', '')).toEqual(['one', 'two']);
    expect(await offered('app', 'expose', 'wiki', '--domain', '')).toEqual(['one', 'two']);
    expect(await offered('run', 'Start', 'web', '--on', '')).toEqual(['name=one', 'name=two']);
    expect(await offered('ctl', '-I', '')).toEqual(['name=one', 'name=two']);
    expect(await offered('exec', '-X', '')).toEqual(['name=one', 'name=two']);
    expect(await offered('policy', 'trust', '')).toEqual(['one', 'two']);
    expect(await offered('module', 'rm', '')).toEqual(['one', 'two']);
    expect(await offered('secret', 'set', 't')).toEqual(['two']);
  });

  it('offers who may have rights, and on what', async () => {
    expect(await offered('grant', '')).toEqual(['<user_ls_--list_names>']);
    expect(await offered('grant', 'ann@node0', 'READ', '--on', 'dtapp')).toEqual(['dtapp', 'dtapps']);
    expect(await offered('grant', 'ann@node0', 'READ', '--on', 'dtapp/t')).toEqual(['dtapp/two']);
    expect(await offered('can', 'ann@node0', 'READ', 'dtapp/o')).toEqual(['dtapp/one']);
    expect(await offered('trust', 'share', '')).toEqual(['<trust_ls_--list_names>']);
    expect(await offered('trust', 'share', 'lab@node0', 'dtapp/')).toEqual(['dtapp/one', 'dtapp/two']);
    expect(await offered('trust', 'add-member', 'lab', 'ann@node0', '')).toEqual(['<user_ls_--list_names>']);
    expect(await offered('trust', 'unshare', 'one', '')).toEqual(['one', 'two']);
    expect(await offered('revoke', 't')).toEqual(['two']);
    expect(await offered('user', 'rotate', '')).toEqual(['one', 'two']);
  });

  it('offers services, and what is in them', async () => {
    expect(await offered('converge', '')).toEqual(['one', 'two']);
    expect(await offered('service', 'task', 'follow', 't')).toEqual(['two']);
    expect(await offered('stage', '')).toEqual(['<stage_-_--list_assemblies>']);
    expect(await offered('stage', 'acme/web:web-tier', '--target', '')).toEqual(['one', 'two']);
    expect(await offered('service', 'exec', 'one', '')).toEqual(['<service_show_one_--list_actions>']);
    expect(await offered('service', 'exec', 'one', 'web.x', '')).toEqual([]);
    expect(await offered('service', 'set', 'one', 'web.port=1', '')).toEqual(['<service_show_one_--list_paths>']);
  });

  it('puts together what bash takes apart at : and = and @, and nothing else', async () => {
    expect(await offered('app', 'curl', 'o:')).toEqual([]);
    expect(await offered('run', 'Start', 'web', '--on', 'name=t')).toEqual(['two']);
    expect(await offered('run', 'Start', 'web', '--on', 'name=')).toEqual(['one', 'two']);
    expect(await offered('--url', 'https://127.0.0.1:7700', 'converge', 't')).toEqual(['two']);
    expect(await offered('--token', '@ops.token', 'converge', 't')).toEqual(['two']);
  });

  const noFish = missing(['fish']);
  it.skipIf(noFish !== undefined)(
    `asks the daemon that the line names, in fish${noFish === undefined ? '' : ` (SKIPPED: ${noFish})`}`,
    async () => {
      const offeredByFish = async (line: string): Promise<string[]> => {
        const { stdout, stderr } = await run({
          command: 'fish',
          args: ['--no-config', '-c', `source ${dir}/fish; complete -C "$argv[1]"`, line],
          env: { ...process.env, HOME: dir, PATH: `${dir}:${process.env['PATH']}` },
        });
        expect(stderr).toBe('');
        return stdout
          .split('\n')
          .map((word) => word.split('\t')[0] ?? '')
          .filter((word) => /^(dtapp\/)?(one|two|there)$|^</.test(word));
      };
      expect(await offeredByFish('dtkd get dtapp ')).toEqual(['one', 'two']);
      for (const line of ['--data /elsewhere get dtapp ', 'get dtapp --data=/elsewhere ', '--data ~/elsewhere user rm '])
        expect(await offeredByFish(`dtkd ${line}`), line).toEqual(['there']);
      expect(await offeredByFish('dtkd describe dtapp/')).toEqual(['dtapp/one', 'dtapp/two']);
      expect(await offeredByFish('dtkd grant ann@node0 READ --on dtapp/o')).toEqual(['dtapp/one']);
      expect(await offeredByFish('dtkd run ')).toEqual(['<ctl_--list_commands>']);
      expect(await offeredByFish('dtkd run Start ')).toEqual(['<ctl_--list_targets>']);
      expect(await offeredByFish('dtkd service set one ')).toEqual(['<service_show_one_--list_paths>']);
      expect(await offeredByFish('dtkd edit dtapp one ')).toEqual([]);
      expect(await offeredByFish('dtkd delete dtapp one ')).toEqual(['one', 'two']);
      expect(await offeredByFish('dtkd --url https://127.0.0.1:7700 converge ')).toEqual(['one', 'two']);
    },
  );

  it('is well-formed for each shell that is here', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      if (findProgram(shell) === undefined) continue;
      expect(await run({ command: shell, args: ['-n', join(dir, shell)] })).toMatchObject({ code: 0, stderr: '' });
    }
  });
});
