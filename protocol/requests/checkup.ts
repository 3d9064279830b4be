/** The findings of `dtkd doctor` and the daemon's checkup: one for each thing that was checked. */
import { z } from 'zod';

/** `warning`: it works, but somebody should look into it. `problem`: something does not work, or soon will not. */
export const CHECK_STATES = ['ok', 'warning', 'problem'] as const;
export type CheckState = (typeof CHECK_STATES)[number];

const MAX_FINDINGS = 2_000;
const MAX_TEXT = 2_000;

const finding = z.object({
  check: z.string().max(MAX_TEXT).describe('What was checked, such as `disk` or `peer mydomain/node1`.'),
  state: z
    .enum(CHECK_STATES)
    .describe('The result of the check. `warning`: it works, but needs attention. `problem`: something does not work, or soon will not.'),
  finding: z.string().max(MAX_TEXT).describe('What was found.'),
  next: z.string().max(MAX_TEXT).optional().describe('What to do about it.'),
});

/** Never contains secrets. */
export type Finding = z.output<typeof finding>;

export const checkup = z.object({
  node: z.string().max(MAX_TEXT).describe('The name of the node.'),
  version: z.string().max(MAX_TEXT).describe('The version of dtkd on the node.'),
  findings: z.array(finding).max(MAX_FINDINGS).describe('The findings, one for each check.'),
});

/** The answer of `GET /apis/dtkd.dev/v1/daemon/checkup`. */
export type Checkup = z.output<typeof checkup>;

export function ok(check: string, text: string): Finding {
  return { check, state: 'ok', finding: text };
}

export function warning(check: string, text: string, next: string): Finding {
  return { check, state: 'warning', finding: text, next };
}

export function problem(check: string, text: string, next: string): Finding {
  return { check, state: 'problem', finding: text, next };
}

/** Sorts problems first, then warnings, each in the order in which they were found. */
export function worstFirst(findings: readonly Finding[]): Finding[] {
  return [...CHECK_STATES].reverse().flatMap((state) => findings.filter((one) => one.state === state));
}

/** Limits the number of findings and the length of their texts to what an answer may have. Keeps the worst. */
export function bounded(findings: readonly Finding[]): Finding[] {
  const kept = findings.length <= MAX_FINDINGS ? findings : worstFirst(findings).slice(0, MAX_FINDINGS);
  return kept.map(({ check, state, finding, next }) => ({
    check: clipped(check),
    state,
    finding: clipped(finding),
    ...(next === undefined ? {} : { next: clipped(next) }),
  }));
}

function clipped(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1)}…`;
}
