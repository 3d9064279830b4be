/** Runs all checks on the gathered facts, in the order of the report. Pure. */
import type { Finding } from '../../../protocol/requests/checkup.ts';
import { checkInvites, checkLogs, checkOrders, checkReach, checkState } from './checks/domains.ts';
import {
  checkDisk,
  checkFamilies,
  checkLag,
  checkMemory,
  checkMulticast,
  checkReady,
  checkSetBack,
  checkSuffix,
} from './checks/machine.ts';
import {
  checkClocks,
  checkConditions,
  checkLonely,
  checkNames,
  checkPeersAway,
  checkRelayed,
  checkSilent,
  checkSuspended,
  checkUnsteady,
  checkVersions,
} from './checks/peers.ts';
import { checkApps, checkAudit, checkCertificates } from './checks/program.ts';
import type { CheckupFacts, DomainFacts } from './checkup.types.ts';

export function judge(facts: CheckupFacts): Finding[] {
  const { now, machine } = facts;
  return [
    ...checkReady(facts),
    ...checkDisk(facts),
    ...checkMemory(machine),
    ...checkLag(machine),
    ...checkSetBack(facts),
    ...checkCertificates(facts),
    ...checkFamilies(facts),
    ...checkMulticast(facts),
    ...checkSuffix(facts),
    ...facts.domains.flatMap((domain) => judgeDomain(domain, facts)),
    ...checkApps(facts),
    ...checkOrders(facts, now),
    ...checkAudit(facts),
  ];
}

/** A node that was removed has no connections in the domain, and nothing to fix at the other members, so only its state is checked. */
function judgeDomain(domain: DomainFacts, { now, version }: CheckupFacts): Finding[] {
  if (domain.state === 'Removed') return checkState(domain);
  return [
    ...checkState(domain),
    ...checkLonely(domain),
    ...checkPeersAway(domain, now),
    ...checkSilent(domain),
    ...checkUnsteady(domain),
    ...checkSuspended(domain),
    ...checkReach(domain),
    ...checkRelayed(domain),
    ...checkClocks(domain),
    ...checkVersions(domain, version),
    ...checkNames(domain),
    ...checkConditions(domain),
    ...checkLogs(domain),
    ...checkInvites(domain, now),
  ];
}
