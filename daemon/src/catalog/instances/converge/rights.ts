/**
 * Checks, before anything is committed, whether the principal may do all that a converge involves; each missing right is a
 * violation. Other refusals come later: from the transaction that writes, and from other nodes.
 */
import { scopedType, typeObjectNameOf } from '../../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Refused } from '../apply/apply.types.ts';
import { resourceObjectName } from '../apply/scoping.ts';
import { whereOf } from '../desired/copied-types.ts';
import { type FilePath, Findings } from '../desired/findings.ts';
import type { DesiredApp } from '../instances.types.ts';
import { appObjects } from '../service-apps/app-objects.ts';
import { refusedOf } from './carrying-out.ts';
import type { ConvergePorts } from './converge.types.ts';
import { instanceRef } from './instance-object.ts';
import { violated } from './plan-answer.ts';
import type { Planned } from './planning.ts';

/** Errors: VIOLATIONS. */
export async function assertRights(ports: ConvergePorts, principal: Principal, planned: Planned): Promise<void> {
  if (principal.type === 'operator' || !mayConverge(ports, principal, planned)) return;
  const { name } = planned.instance.object.metadata;
  const findings = new Findings(planned.files.place);
  for (const one of await refusedOf(ports, planned, principal)) {
    const { message, next } = one.error;
    const origin = originOf(planned, one);
    if (typeof origin === 'string') findings.addAt('NOT_ALLOWED', origin, message, next);
    else findings.add('NOT_ALLOWED', origin, message, next);
  }
  for (const app of planned.apps.coming) {
    const error = app.node === ports.node ? await appRefusal(ports, principal, name, app) : undefined;
    if (error !== undefined) findings.add('NOT_ALLOWED', ['apps', app.name.slice(name.length + 1)], error.message, error.next);
  }
  if (findings.list.length > 0) throw violated(name, findings.list);
}

/** Principals without EXECUTE are not checked: they are shown the plan of somebody who has the rights. */
function mayConverge({ decide, node }: ConvergePorts, principal: Principal, { instance: { object } }: Planned): boolean {
  const { name } = object.metadata;
  const { group, plural } = instanceRef(node, name);
  return decide(principal, { verb: 'EXECUTE', group, plural, name, object }).allowed;
}

/** Where the refused object comes from: a place in the service file, or in its module. */
function originOf({ instance, desired, applied }: Planned, { plural, name }: Refused): FilePath | string {
  const { name: service } = instance.object.metadata;
  if (plural === 'models') return ['name'];
  if (plural === 'types') {
    const own = [...desired.types].find(([type]) => typeObjectNameOf(scopedType(type, service)) === name);
    return own === undefined ? name : whereOf(own[1].copy, own[0]);
  }
  const resource = name.slice(resourceObjectName(service, '').length);
  return ['components', (desired.resources.get(resource) ?? applied.get(resource))?.component ?? resource];
}

/** The FORBIDDEN error for making an app on this node, if any. Other errors are left to the app's step. */
async function appRefusal(
  { objects, node }: ConvergePorts,
  principal: Principal,
  instance: string,
  app: DesiredApp,
): Promise<DtkdError | undefined> {
  for (const object of appObjects(instance, app)) {
    try {
      await objects.apply(principal, node, object, { dryRun: true });
    } catch (error) {
      if (error instanceof DtkdError && error.code === 'FORBIDDEN') return error;
    }
  }
  return undefined;
}
