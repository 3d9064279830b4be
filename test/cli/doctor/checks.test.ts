import { describe, expect, it } from 'vitest';
import { judgeLocal } from '../../../cli/doctor/checks.ts';
import type { LocalFacts } from '../../../cli/doctor/local.types.ts';
import type { CheckState } from '../../../protocol/requests/checkup.ts';
import { daemon, directory, local } from './facts.ts';

const MIB = 1024 * 1024;
const gone = { daemon: daemon({ alive: false, pid: undefined, lockedBy: undefined }), answer: undefined };
const closedSettings = { file: '/data/config.yaml', closed: true, error: undefined, next: undefined };
const unit = { name: 'dtkd.service', active: 'active', sub: 'running', result: 'success', mainPid: 42, needsReload: false };

function bad(more: Partial<LocalFacts>): [string, CheckState][] {
  const findings = judgeLocal(local(more)).filter(({ state }) => state !== 'ok');
  for (const { next } of findings) expect(next).toMatch(/\S/);
  return findings.map(({ check, state }) => [check, state]);
}

const said = (more: Partial<LocalFacts>, check: string): string | undefined =>
  judgeLocal(local(more)).find((one) => one.check === check)?.finding;

describe('a machine of which all is well', () => {
  it('has nothing to do', () => {
    expect(bad({})).toEqual([]);
    expect(bad({ unit })).toEqual([]);
  });

  it('has none about what the system does not tell', () => {
    expect(bad({ directory: undefined, daemon: undefined, listening: undefined, clockSynchronised: undefined, answer: undefined })).toEqual(
      [],
    );
  });
});

describe('findings of the machine', () => {
  it('give commands that a shell takes as they are', () => {
    const [open] = judgeLocal(local({ directory: directory({ path: '/srv/my data', mode: 0o755 }) })).filter(
      ({ check }) => check === 'data',
    );
    expect(open).toMatchObject({ state: 'problem', next: "chmod 0750 '/srv/my data'" });
  });

  it.each<[string, Partial<LocalFacts>, [string, CheckState][]]>([
    ['an old Node', { nodeVersion: 'v22.17.1' }, [['node.js', 'problem']]],
    ['the oldest Node', { nodeVersion: 'v22.18.0' }, []],
    [
      'no data',
      { ...gone, directory: directory({ entry: 'absent' }) },
      [
        ['data', 'warning'],
        ['daemon', 'warning'],
      ],
    ],
    [
      "another user's data, of which nothing is known",
      { ...gone, daemon: undefined, listeners: undefined, directory: directory({ entry: 'closed' }), settings: closedSettings },
      [['data', 'problem']],
    ],
    ['settings that cannot be read', { listeners: undefined, settings: closedSettings }, [['settings', 'warning']]],
    ['data that are a file', { ...gone, daemon: undefined, directory: directory({ entry: 'file' }) }, [['data', 'problem']]],
    ['data that cannot be written', { directory: directory({ writable: false }) }, [['data', 'problem']]],
    ['data that all may read', { directory: directory({ mode: 0o755 }) }, [['data', 'problem']]],
    ['data of an operator group', { directory: directory({ mode: 0o750 }) }, []],
    [
      'a token that all may read',
      { directory: directory({ secrets: [{ name: 'admin.token', uid: 1000, mode: 0o644 }] }) },
      [['file admin.token', 'problem']],
    ],
    [
      'a token that the group may read',
      { directory: directory({ secrets: [{ name: 'admin.token', uid: 1000, mode: 0o640 }] }) },
      [['file admin.token', 'problem']],
    ],
    [
      'a token that the operators may read',
      { directory: directory({ operatorGroup: true, secrets: [{ name: 'admin.token', uid: 1000, mode: 0o640 }] }) },
      [],
    ],
    [
      'a key that the operators may read',
      { directory: directory({ operatorGroup: true, secrets: [{ name: 'ca.key', uid: 1000, mode: 0o640 }] }) },
      [['file ca.key', 'problem']],
    ],
    [
      'a key of another user',
      { directory: directory({ secrets: [{ name: 'ca.key', uid: 0, mode: 0o600 }] }) },
      [['file ca.key', 'problem']],
    ],
    ['data in memory', { directory: directory({ fileSystem: 'tmpfs' }) }, [['file system', 'warning']]],
    ['data on NFS', { directory: directory({ fileSystem: 'nfs' }) }, [['file system', 'warning']]],
    ['a full disk', { directory: directory({ freeBytes: MIB }) }, [['disk', 'problem']]],
    ['a disk that fills', { directory: directory({ freeBytes: 100 * MIB }) }, [['disk', 'warning']]],
    ['no inodes', { directory: directory({ freeInodes: 3 }) }, [['disk', 'problem']]],
    [
      'wrong settings',
      { settings: { file: '/data/config.yaml', closed: false, error: 'apy: unknown', next: undefined }, listeners: undefined },
      [['settings', 'problem']],
    ],
    ['no daemon', gone, [['daemon', 'warning']]],
    ['a daemon that is gone', { daemon: daemon({ alive: false, lockedBy: undefined }), answer: undefined }, [['daemon', 'problem']]],
    ['a daemon that is silent', { answer: { error: 'no daemon answers', silent: true, next: undefined } }, [['daemon', 'problem']]],
    ['a daemon of somebody else', { answer: { error: 'not allowed', silent: false, next: 'Ask.' } }, [['daemon', 'warning']]],
    ['a damaged endpoint', { daemon: daemon({ damaged: true }) }, [['daemon', 'problem']]],
    [
      'a locked database',
      { ...gone, daemon: { ...gone.daemon, lockedBy: 77 } },
      [
        ['daemon', 'warning'],
        ['database', 'problem'],
      ],
    ],
    ['few open files', { daemon: daemon({ openFiles: 256 }) }, [['open files', 'warning']]],
    ['another version', { answer: { version: '1.3.0' } }, [['version', 'warning']]],
    ['a clock that runs alone', { clockSynchronised: false }, [['clock', 'warning']]],
    ['a failed unit', { unit: { ...unit, active: 'failed', result: 'exit-code' } }, [['unit', 'problem']]],
    ['a unit that ends again and again', { unit: { ...unit, active: 'activating', sub: 'auto-restart' } }, [['unit', 'problem']]],
    [
      'a unit that is not started',
      { ...gone, unit: { ...unit, active: 'inactive', mainPid: 0 } },
      [
        ['daemon', 'warning'],
        ['unit', 'warning'],
      ],
    ],
    ['a daemon beside the unit', { unit: { ...unit, active: 'inactive', mainPid: 0 } }, [['unit', 'warning']]],
    ['a unit of another directory', { unit: { ...unit, mainPid: 7 } }, [['unit', 'warning']]],
    ['a unit that was changed', { unit: { ...unit, needsReload: true } }, [['unit', 'warning']]],
  ])('%s', (_, more, expected) => expect(bad(more)).toEqual(expected));
});

describe('ports', () => {
  const listening = (host: string, port: number, pid?: number, program?: string) => ({
    ...gone,
    listening: [{ host, port, pid, program }],
  });

  it('that somebody has are told with who it is', () => {
    expect(said(listening('127.0.0.1', 7700, 9, 'nginx'), 'port 7700')).toBe('port 7700 (api) is taken by nginx (process 9)');
    expect(said(listening('192.0.2.1', 7701, 9), 'port 7701')).toBe('port 7701 (mesh) is taken by process 9');
    expect(said(listening('0.0.0.0', 7702), 'port 7702')).toBe('port 7702 (ingress) is taken by a program of another user');
  });

  it('on another address are free, and those of a daemon that runs are its own', () => {
    expect(said(listening('192.0.2.1', 7700, 9), 'ports')).toBe('7700, 7701, 7702 are free');
    expect(bad({ ...listening('127.0.0.1', 7700, 42), daemon: daemon(), answer: { version: '1.2.3' } })).toEqual([]);
  });

  it('that two settings name are a problem, and any free one is none', () => {
    const api = { host: '127.0.0.1', port: 7701 };
    const listeners = { api, mesh: { host: undefined, port: 7701 }, ingress: { host: '127.0.0.1', port: 0 } };
    expect(bad({ ...gone, listeners })).toEqual([
      ['daemon', 'warning'],
      ['port 7701', 'problem'],
    ]);
    const any = { host: '127.0.0.1', port: 0 };
    expect(bad({ ...gone, listeners: { api: any, mesh: { host: undefined, port: 0 }, ingress: any } })).toEqual([['daemon', 'warning']]);
  });
});
