import { readFile } from 'node:fs/promises';
import { DtkdError } from '../../../protocol/errors.ts';

/** The numeric id of a system group, from /etc/group (`name:password:gid:members`). Throws CONFIG_INVALID. */
export async function groupId(group: string): Promise<number> {
  const lines = (await readFile('/etc/group', 'utf8').catch(() => '')).split('\n');
  const gid = lines.map((line) => line.split(':')).find(([name]) => name === group)?.[2];
  if (gid === undefined || !/^\d+$/.test(gid)) {
    throw new DtkdError('CONFIG_INVALID', `operatorGroup: there is no group ${group} on this machine`, {
      next: `Create it: groupadd --system ${group}.`,
    });
  }
  return Number(gid);
}
