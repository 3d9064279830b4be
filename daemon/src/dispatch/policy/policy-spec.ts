/** Interprets the policy of a node: defaults, which code may run, and the pin for code that is seen first. Pure. */
import { type CodeRef, moduleVersion } from '../../../../protocol/definitions/code.ts';
import { durationMs } from '../../../../protocol/definitions/commands.ts';
import { compareVersions } from '../../../../protocol/definitions/version-order.ts';
import type { ErrorCode } from '../../../../protocol/errors.ts';
import { isOfNode, type PolicySpec, pinNameOf, pinParts, policySpec } from '../../../../protocol/kinds/policy.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { NodeLimits, NodePolicy } from '../target/target.types.ts';

const DEFAULTS: NodeLimits = {
  concurrency: 16,
  timeoutMs: durationMs('1d'),
  outputBytes: 16 * 1024 * 1024,
  users: [],
  environment: ['PATH', 'LANG', 'LC_ALL', 'TZ', 'HOME', 'USER', 'LOGNAME'],
  keepForMs: durationMs('30d'),
  keepBytes: 1024 * 1024 * 1024,
};

export type Pins = NodePolicy['pins'];

/** The policy of a Policy object (undefined: there is none), with all defaults filled in. */
export function policyOf(object: ApiObject | undefined): NodePolicy {
  const spec: PolicySpec = policySpec.safeParse(object?.['spec'] ?? {}).data ?? {};
  const limits = spec.limits ?? {};
  return {
    trust: (spec.trust ?? []).flatMap(({ node, key, follow = false }) => (key === undefined ? [] : [{ node, key, follow }])),
    pins: spec.pins ?? {},
    limits: {
      concurrency: limits.concurrency ?? DEFAULTS.concurrency,
      timeoutMs: limits.timeout === undefined ? DEFAULTS.timeoutMs : durationMs(limits.timeout),
      outputBytes: limits.output ?? DEFAULTS.outputBytes,
      users: limits.users ?? DEFAULTS.users,
      environment: limits.environment ?? DEFAULTS.environment,
      keepForMs: limits.keepFor === undefined ? DEFAULTS.keepForMs : durationMs(limits.keepFor),
      keepBytes: limits.keepBytes ?? DEFAULTS.keepBytes,
    },
  };
}

/** Why something may not run, and what to do about it. */
export interface Objection {
  code: ErrorCode;
  reason: string;
  next: string;
}

export type CodeVerdict = { pin?: { name: string; value: Pins[string] } } | { objection: Objection };

function pinOf(pins: Pins, ref: CodeRef): { name: string; value: Pins[string] } | undefined {
  for (const [name, value] of Object.entries(pins)) {
    // the node may have been renamed since; its key is what counts
    if (pinParts(name).code === ref.name && (!isOfNode(ref.name) || value.publisher === ref.publisher)) return { name, value };
  }
  return undefined;
}

/** True if this node trusts the models and code of the node with `key`. `self`: this node's signing key. */
export function isTrusted(policy: NodePolicy, self: string, key: string): boolean {
  return key === self || policy.trust.some((entry) => entry.key === key);
}

/** Whether code may run here, and the pin to write if it may. `self`: this node's signing key; `here`: its name, for the advice. */
export function judgeCode(policy: NodePolicy, { self, here }: { self: string; here: string }, ref: CodeRef): CodeVerdict {
  if (ref.publisher === self) return {};
  const trusted = policy.trust.find(({ key }) => key === ref.publisher);
  if (trusted === undefined) {
    return {
      objection: {
        code: 'UNTRUSTED',
        reason: `${ref.name} was published by a node whose code ${here} does not trust (key ${ref.publisher.slice(0, 16)}…)`,
        next: `On ${here}: dtkd policy trust NODE, if its code may run there.`,
      },
    };
  }
  const pin = pinOf(policy.pins, ref);
  const version = moduleVersion.safeParse(ref.version).data;
  const fresh = { digest: ref.digest, publisher: ref.publisher, node: trusted.node, ...(version === undefined ? {} : { version }) };
  if (pin === undefined) return { pin: { name: pinNameOf(ref.name, trusted.node), value: fresh } };
  if (pin.value.publisher !== ref.publisher) return { objection: changed(here, ref, `${ref.name} is pinned to another publisher`) };
  if (pin.value.digest === ref.digest) return {};
  if (!trusted.follow) return { objection: changed(here, ref, `${ref.name} is not the code that is pinned`) };
  const before = pin.value.version;
  if (version !== undefined && before !== undefined && compareVersions(version, before) < 0) {
    return { objection: changed(here, ref, `${ref.name} ${version} is older than ${before}, which has run before`) };
  }
  return { pin: { name: pin.name, value: fresh } };
}

function changed(here: string, ref: CodeRef, reason: string): Objection {
  return {
    code: 'CODE_CHANGED',
    reason: `${reason} on ${here} (it is ${ref.digest.slice(0, 16)}… now)`,
    next: `On ${here}: dtkd policy pin ${ref.name} ${ref.digest}, if that may run.`,
  };
}
