import { found, invite, join } from '../test/harness/domain.ts';
import type { Site } from '../test/harness/site.ts';
import type { Stage } from '../test/harness/stage.ts';
import { addUser, grant, type SiteUser } from '../test/harness/user.ts';
import { waitFor } from '../test/wait.ts';

/** Daemons that start at once: more would only wait for the cores. */
const STARTING = 4;
/** Daemons that join at once. */
const JOINING = 2;
/** What joining has stirred up has settled after so many milliseconds. */
const SETTLE_MS = 10_000;

/** `site-00`, `site-01`, …: so many daemons on this machine, in one domain. `options`: what they and their command lines run, if not this checkout. */
export async function startSites(
  stage: Stage,
  domain: string,
  count: number,
  say: (text: string) => void,
  options: { program?: readonly string[] } = {},
): Promise<Site[]> {
  const names = Array.from({ length: count }, (_, index) => `site-${String(index).padStart(2, '0')}`);
  const sites: Site[] = [];
  for (let index = 0; index < count; index += STARTING) {
    sites.push(
      ...(await Promise.all(
        names.slice(index, index + STARTING).map((name) => stage.start({ ...options, name, args: ['--log-level', 'warn'] })),
      )),
    );
  }
  say(`${count} daemons run; joining`);
  const [founder, ...others] = sites;
  if (founder === undefined) throw new Error('no sites');
  await found(founder, domain);
  const { token } = await invite(founder, domain, { uses: count });
  for (let index = 0; index < others.length; index += JOINING) {
    await Promise.all(others.slice(index, index + JOINING).map((site) => joined(site, domain, founder, token)));
  }
  for (const site of sites) {
    await waitFor(async () => (await site.list('dtpeers')).length >= count - 1, {
      what: `${site.name} to know all members`,
      timeoutMs: 120_000,
      pollMs: 500,
    });
  }
  return sites;
}

/** The machine rests before anything is measured. */
export async function settle(say: (text: string) => void): Promise<void> {
  say('settling');
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

/** A user of the first site who may run commands on resources everywhere, with code that is of that site. */
export async function userEverywhere(sites: readonly Site[], say: (text: string) => void): Promise<{ home: Site; ops: SiteUser }> {
  const [home] = sites;
  if (home === undefined) throw new Error('no sites');
  const ops = await addUser(home, 'ops');
  say('granting');
  for (const site of sites) {
    await grant(site, ops, ['READ', 'EXECUTE'], { kind: 'resources.dtkd.dev' });
    if (site === home) continue;
    const { code, stderr } = await site.cli('policy', 'trust', home.name, '--follow');
    if (code !== 0) throw new Error(`${site.name}: ${stderr}`);
  }
  return { home, ops };
}

/** On a busy machine an answer may be given up before it comes: what counts is that the domain is ready. */
async function joined(site: Site, domain: string, founder: Site, token: string): Promise<void> {
  await join(site, domain, founder, token).catch(() =>
    waitFor(async () => (await site.get('dtdomain', domain))?.['status'] === 'Ready', {
      what: `${site.name} to have joined`,
      timeoutMs: 120_000,
      pollMs: 500,
    }),
  );
}
