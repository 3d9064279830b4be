/** How a plan is presented, and the messages of commits. Pure. */
import { createHash } from 'node:crypto';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ServicePlanAnswer } from '../../../../../protocol/requests/service.ts';
import type { Difference, PlannedStep, Violation } from '../instances.types.ts';

/** Characters that differences take in a commit's first line, and one value in it. */
const MAX_SUBJECT = 200;
const MAX_VALUE = 40;
/** Violations in one answer. */
const MAX_VIOLATIONS = 512;

export interface Told {
  steps: readonly PlannedStep[];
  unchanged: number;
  differences: readonly Difference[];
  notes: readonly string[];
  /** Id of the tree of files that the plan was made from. */
  tree: string;
}

export function planAnswerOf({ steps, unchanged, differences, notes, tree }: Told): ServicePlanAnswer {
  return {
    digest: planDigest(steps, tree),
    steps: steps.map(({ number, title, work }) => ({
      number,
      title,
      ...(work === undefined
        ? {}
        : { resource: work.resource, node: work.node, act: work.act, ...(work.command === undefined ? {} : { command: work.command }) }),
    })),
    unchanged,
    differences: [...differences],
    notes: [...notes],
  };
}

/** Equal for plans that do the same, made from the same files. */
function planDigest(steps: readonly PlannedStep[], tree: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tree, steps.map(({ number, title, after, work }) => [number, title, after, work ?? null])]))
    .digest('hex');
}

/** Errors: CONFLICT if the plan that was shown is not the one that would be carried out. */
export function assertAsShown(shown: string | undefined, answer: ServicePlanAnswer): void {
  if (shown === undefined || shown === answer.digest) return;
  throw new DtkdError('CONFLICT', 'the plan has changed since it was shown', {
    next: 'Look at the new plan, and confirm that one.',
    details: { shown, now: answer.digest },
  });
}

/** The error for a plan that cannot be made. */
export function violated(name: string, violations: readonly Violation[]): DtkdError {
  const [first] = violations;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : '';
  return new DtkdError('VIOLATIONS', `service "${name}" cannot be converged: ${first?.where ?? ''}: ${first?.message ?? ''}${more}`, {
    next: first?.next ?? `Correct the files of the service, and converge it again: dtkd converge ${name}.`,
    details: { violations: violations.slice(0, MAX_VIOLATIONS) },
  });
}

/** `Converge: web.port 8080 → 8081, api added`. */
export function commitMessage(differences: readonly Difference[], fallback: string): string {
  const texts: string[] = [];
  let length = 0;
  for (const difference of differences) {
    const text = differenceText(difference);
    if (length + text.length > MAX_SUBJECT) {
      texts.push(`and ${differences.length - texts.length} more`);
      break;
    }
    texts.push(text);
    length += text.length + 2;
  }
  return `Converge: ${texts.length === 0 ? fallback : texts.join(', ')}`;
}

function differenceText({ what, op, before, after }: Difference): string {
  if (op === 'changed' && before !== undefined && after !== undefined) return `${what} ${valueText(before)} → ${valueText(after)}`;
  if (op === 'added' && after !== undefined && typeof after !== 'object') return `${what} = ${valueText(after)}`;
  return `${what} ${op}`;
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value.replace(/\p{Cc}/gu, ' ') : JSON.stringify(value);
  return text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE - 1)}…`;
}

/** What was edited, followed by other pending differences between what is wanted and what is applied. */
export function mergedDifferences(edited: readonly Difference[], pending: readonly Difference[]): Difference[] {
  const seen = new Set(edited.map(({ kind, what }) => `${kind} ${what}`));
  return [...edited, ...pending.filter(({ kind, what }) => !seen.has(`${kind} ${what}`))];
}
