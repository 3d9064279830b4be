/** `POST …/daemon/backup`: the whole node as one file. For its operator alone, because the file contains keys. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { begin } from '../deciding/deciding.ts';
import { DAEMON_GROUP } from '../discovery/discovery.ts';
import { type Api, type ApiContext, assertNoTrial } from '../request/request.ts';
import { answerMade } from './made-bytes.ts';

const NAME = 'backup';

export async function makeBackup(api: Api, c: ApiContext): Promise<Response> {
  c.set('about', { group: DAEMON_GROUP, kind: 'daemon', name: NAME });
  begin(c, `POST ${NAME}`, { kind: { group: DAEMON_GROUP, plural: 'daemon' }, namespace: '', name: NAME });
  assertNoTrial(c, `"${NAME}"`);
  const principal = c.get('principal');
  if (principal.type !== 'operator') {
    const reason = `a backup contains the keys of ${api.node.name}: it is for the operator, not for ${principal.display}`;
    c.get('note').because = reason;
    throw new DtkdError('FORBIDDEN', reason, { next: `Ask the operator of ${api.node.name} to make it.` });
  }
  c.get('note').because = 'the operator of this node';
  const { backups } = api;
  if (backups === undefined) throw new DtkdError('UNAVAILABLE', 'this node makes no backups');
  return answerMade(api, c, { what: 'backup', type: 'application/x-tar' }, (signal) => backups.make(signal));
}
