/** A starter that answers others about what it started, as the server of a target does. */
import type { Executions } from '../../../daemon/src/dispatch/execution/executions.types.ts';
import { createDispatchServer } from '../../../daemon/src/dispatch/target/serving.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { silentLogger } from '../../silent-logger.ts';
import type { FakeMembers } from '../fake-members.ts';

const nothing = async () => {
  throw new DtkdError('NOT_FOUND', 'nothing is known of it');
};

export function serveStarted(members: FakeMembers, executions: () => Executions): void {
  createDispatchServer({
    target: { accept: nothing, prepare: nothing, attach: nothing, find: async () => [], abort: nothing },
    started: () => executions().started,
    remoteUser: ({ peerKey, namespace }, user) => ({ type: 'user', home: peerKey, display: `${user.name}@${namespace}`, ...user }),
    restoredAt: () => undefined,
    now: Date.now,
    logger: silentLogger,
  }).listen(members);
}
