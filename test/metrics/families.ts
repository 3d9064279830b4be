/** All families that the daemon has, without a daemon. */
import { apiArea } from '../../daemon/src/metrics/areas/api.ts';
import { appsArea } from '../../daemon/src/metrics/areas/apps.ts';
import { dispatchArea } from '../../daemon/src/metrics/areas/dispatch.ts';
import { domainsArea } from '../../daemon/src/metrics/areas/domains.ts';
import { fanOutArea } from '../../daemon/src/metrics/areas/fan-out.ts';
import { programArea } from '../../daemon/src/metrics/areas/program.ts';
import { replicationArea } from '../../daemon/src/metrics/areas/replication.ts';
import { storeArea } from '../../daemon/src/metrics/areas/store.ts';
import type { Area } from '../../daemon/src/metrics/family.ts';

const unread = (): never => {
  throw new Error('nothing is read here');
};

/** In the order in which the guide has them. */
export const AREAS: readonly Area[] = [
  programArea(unread),
  domainsArea(unread),
  replicationArea(unread),
  fanOutArea(unread),
  dispatchArea(unread),
  appsArea(unread),
  storeArea(unread),
  apiArea(unread),
];

export const FAMILIES = AREAS.flatMap(({ families }) => families);
