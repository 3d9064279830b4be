/** Checks whether something answers behind the apps of this node, for an operator who asks. */

import { within } from '../signals/within.ts';
import type { AppTable, OwnApp } from './app-table.ts';
import type { OwnApps } from './own-apps.ts';
import type { Apps } from './ports.ts';

/** The most apps tried in one request. Further ones are left out. */
const MAX_TRIED = 200;
/** Apps tried concurrently. */
const CONCURRENT = 20;
/** Time for all apps together. Those that have not answered by then count as not answering. Milliseconds. */
const TRY_MS = 3_000;

type Tried = Awaited<ReturnType<Apps['tryOwn']>>[number];

export async function tryOwnApps(
  table: Pick<AppTable, 'all'>,
  own: Pick<OwnApps, 'targetsOf' | 'dial'>,
  signal: AbortSignal,
): Promise<Tried[]> {
  const apps = [...table.all()].filter((app) => app.kind === 'own').slice(0, MAX_TRIED);
  const limit = within(TRY_MS, signal);
  const found: Tried[] = [];
  const waiting = apps.values();
  const worker = async (): Promise<void> => {
    for (const app of waiting) found.push(await tryOne(own, app, limit));
  };
  await Promise.all(Array.from({ length: CONCURRENT }, worker));
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function tryOne(own: Pick<OwnApps, 'targetsOf' | 'dial'>, app: OwnApp, signal: AbortSignal): Promise<Tried> {
  const { object, name } = app;
  const status = typeof object['status'] === 'string' ? object['status'] : 'Ready';
  const message = typeof object['message'] === 'string' ? object['message'] : undefined;
  const targets = await own.targetsOf(app);
  if (targets.state !== 'Ready') return { name, status: targets.state, message: targets.message, answers: undefined };
  const answers = await own.dial(app, signal).then(
    (channel) => {
      channel.abort();
      return true;
    },
    () => false,
  );
  return { name, status, message, answers };
}
