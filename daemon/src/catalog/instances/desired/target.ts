/** The target of a service: whether it fits, and what it offers. */

import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import type { TargetView, World } from './desired.types.ts';
import { type FilePath, type Findings, listed } from './findings.ts';
import { known, type Outcome } from './outcome.ts';

export class Target {
  readonly #findings: Findings;
  /** Undefined: the service names no target. `gone`: a violation says why the target cannot be used. */
  readonly view: TargetView | 'gone' | undefined;

  constructor(view: TargetView | 'gone' | undefined, findings: Findings) {
    this.view = view;
    this.#findings = findings;
  }

  /** The value of an offer. Reports a missing one, unless the target itself was reported as unusable. */
  offer(name: string, path: FilePath): Outcome {
    if (this.view === 'gone') return 'broken';
    if (this.view === undefined) {
      this.#findings.add(
        'TARGET_MISSING',
        path,
        `takes ${name} from the target, but the service has no target`,
        'Name its target under `target`.',
      );
      return 'broken';
    }
    if (Object.hasOwn(this.view.offers, name)) return known(this.view.offers[name], this.view.secretOffers.includes(name));
    const names = Object.keys(this.view.offers);
    const near = nearMiss(name, names);
    const next = near === undefined ? `It offers: ${listed(names)}.` : `Did you mean ${near}?`;
    this.#findings.add('TARGET_MISSING', path, `the target ${this.view.name} does not offer ${name}`, next);
    return 'broken';
  }
}

/** Checks the target that the service names. */
export async function targetOf(service: ServiceFile, world: World, findings: Findings): Promise<Target> {
  return new Target(await viewOf(service, world, findings), findings);
}

async function viewOf(service: ServiceFile, world: World, findings: Findings): Promise<TargetView | 'gone' | undefined> {
  const { target: name, 'target-kind': kind } = service;
  const set = `dtkd service set ${service.name} target=NAME`;
  if (name === undefined) {
    if (kind === undefined) return undefined;
    findings.add('TARGET_MISSING', ['target-kind'], `it needs a target of kind ${kind}, but has none`, set);
    return 'gone';
  }
  if (name === service.name) {
    findings.add('DEPENDS_ON_ITSELF', ['target'], 'a service cannot be its own target', set);
    return 'gone';
  }
  const view = await world.target(name);
  if (view === undefined) {
    findings.add('TARGET_MISSING', ['target'], `there is no service ${name} on this node`, `stage it, or: ${set}`);
    return 'gone';
  }
  if (!view.isTarget) {
    findings.add('TARGET_MISSING', ['target'], `the service ${name} is not a target: its assembly does not have the role target`, set);
    return 'gone';
  }
  if (kind !== undefined && view.kind !== kind) {
    const is = view.kind === undefined ? 'says no kind' : `is of kind ${view.kind}`;
    findings.add('TARGET_MISSING', ['target'], `it needs a target of kind ${kind}, and ${name} ${is}`, set);
    return 'gone';
  }
  if (view.phase !== 'Ready') {
    findings.add('TARGET_NOT_READY', ['target'], `the target ${name} is ${view.phase}`, `dtkd converge ${name}`);
    return 'gone';
  }
  return view;
}
