/** Checks what the daemon maintains: certificates, the audit log, apps. Pure. */
import { type Finding, ok, problem, warning } from '../../../../protocol/requests/checkup.ts';
import { humanDuration } from '../../../../protocol/text/age.ts';
import type { CheckupFacts } from '../checkup.types.ts';

/** Milliseconds. The API's certificate is renewed when less is left; its authority is renewed at the next start. */
const EXPIRES_SOON_MS = 30 * 24 * 60 * 60 * 1000;
/** Milliseconds. The audit log's head is published every hour; this allows another hour for a machine that slept. */
const UNWITNESSED_MS = 2 * 60 * 60 * 1000;

export function checkCertificates({ certificates, now }: Pick<CheckupFacts, 'certificates' | 'now'>): Finding[] {
  if (certificates === undefined) return [];
  const early = certificates.filter(({ begins }) => begins > now);
  if (early.length > 0)
    return early.map(({ name, begins }) =>
      problem(
        `certificate ${name}`,
        `it is valid only from ${new Date(begins).toISOString()} on, by the clock of this machine`,
        'Correct the clock (timedatectl set-ntp true). If it is right, delete ca.* and tls.* in the data directory and restart the daemon: it makes new ones.',
      ),
    );
  const bad = certificates.filter(({ expires }) => expires - now < EXPIRES_SOON_MS);
  if (bad.length === 0) {
    const first = Math.min(...certificates.map(({ expires }) => expires));
    return certificates.length === 0 ? [] : [ok('certificates', `valid for at least ${humanDuration(first - now)}`)];
  }
  return bad.map(({ name, expires }) =>
    expires <= now
      ? problem(`certificate ${name}`, `it expired ${humanDuration(now - expires)} ago`, 'Restart the daemon: it makes a new one.')
      : warning(
          `certificate ${name}`,
          `it expires in ${humanDuration(expires - now)}`,
          'Restart the daemon before then: it makes a new one.',
        ),
  );
}

export function checkAudit({ audit, domains, now }: Pick<CheckupFacts, 'audit' | 'domains' | 'now'>): Finding[] {
  const { conditions, lost, unpublished, publishedAt } = audit;
  const found = conditions.map((text) => problem('audit', text, 'See "dtkd audit verify" on the node whose log it is.'));
  if (lost > 0)
    found.push(
      problem('audit', `${lost} lines of the audit log could not be written`, 'Free space on the disk, and see the log of the daemon.'),
    );
  if (found.length > 0) return found;
  const others = domains.some(({ peers }) => peers.length > 0);
  if (!others) return [ok('audit', 'written; no other member can witness it')];
  const reachable = domains.some(({ peers }) => peers.some(({ reach }) => reach === 'connected'));
  const old = publishedAt === undefined || now - publishedAt > UNWITNESSED_MS;
  if (unpublished > 0 && (old || !reachable))
    return [
      warning(
        'audit',
        `${unpublished} lines of the audit log have not been witnessed by any member yet`,
        'They will be when members are connected; until then nobody else could tell that they were changed.',
      ),
    ];
  return [ok('audit', 'written, and witnessed by members every hour')];
}

export function checkApps({ apps }: Pick<CheckupFacts, 'apps'>): Finding[] {
  if (apps === undefined || apps.length === 0) return [];
  const found = apps.flatMap(({ name, status, message, answers }) => {
    if (status !== 'Ready')
      return [problem(`app ${name}`, `${status}${message === undefined ? '' : `: ${message}`}`, `See "dtkd app show ${name}".`)];
    if (answers === false)
      return [
        problem(
          `app ${name}`,
          'none of its endpoints answers',
          `Start the service, or correct where it listens: "dtkd app show ${name}", "dtkd get endpoints".`,
        ),
      ];
    return [];
  });
  return found.length > 0
    ? found
    : [ok('apps', `${apps.length === 1 ? 'the one app' : `all ${apps.length} apps`} of this node can be reached`)];
}
