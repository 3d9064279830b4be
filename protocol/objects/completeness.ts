/**
 * What a list over several nodes says about each of them: whose rows are present, whose are not, and why. Found in
 * `metadata.completeness` of lists. A node that does not answer is never an error and never goes unmentioned, and no statement is made
 * that is not true.
 */
import { z } from 'zod';

/**
 * `answered`: all its rows are present. `denied`: it was asked, and shows nothing of this to this asker. `stale`: as `unreachable`, but
 * with the rows that it last answered to this asker, up to `since`. `unreachable`: it did not answer, or not correctly or not completely;
 * `reason` says how. `unasked`: it was not asked, whether or not it is connected; `reason` says why. For the last two, their rows are not
 * known.
 */
export const NODE_STATES = ['answered', 'denied', 'stale', 'unreachable', 'unasked'] as const;

export const nodeStatement = z.object({
  /** The namespace of the node's objects. */
  node: z.string().max(63),
  state: z.enum(NODE_STATES),
  reason: z.string().max(512).optional(),
  /** RFC 3339: rows of a `stale` node are from then or before. */
  since: z.string().max(40).optional(),
});
export type NodeStatement = z.infer<typeof nodeStatement>;

/** On each row that its owner did not confirm just now: since when the owner has not answered (RFC 3339). */
export const STALE_ANNOTATION = 'dtkd.dev/stale-since';

/** Maximum number of sentences, which go into `Warning` headers: these have to stay short. */
const MAX_SENTENCES = 5;
/** Nodes that one sentence names; of more it gives only the number. */
const MAX_NAMED = 8;

/** True if every node answered, even if it shows nothing to this asker. */
export function isComplete(statements: readonly NodeStatement[]): boolean {
  return statements.every(({ state }) => state === 'answered' || state === 'denied');
}

/** Returns sentences for people about what is missing or old. Nodes in the same state for the same reason share a sentence. */
export function completenessSentences(statements: readonly NodeStatement[]): string[] {
  const groups = new Map<string, { first: NodeStatement; nodes: string[] }>();
  for (const statement of statements) {
    if (statement.state === 'answered') continue;
    const key = `${statement.state} ${statement.reason ?? ''} ${statement.since ?? ''}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: statement, nodes: [statement.node] });
    else group.nodes.push(statement.node);
  }
  const sentences = [...groups.values()].map(({ first, nodes }) => sentence(first, nodes));
  if (sentences.length <= MAX_SENTENCES) return sentences;
  const rest = [...groups.values()].slice(MAX_SENTENCES - 1).flatMap(({ nodes }) => nodes);
  return [...sentences.slice(0, MAX_SENTENCES - 1), `${named(rest)}: missing from this answer, in full or in part`];
}

function sentence({ state, reason, since }: NodeStatement, nodes: readonly string[]): string {
  const why = reason === undefined ? '' : `: ${reason}`;
  switch (state) {
    case 'denied':
      return `${named(nodes)} denied the request${why}`;
    case 'stale':
      return `${named(nodes)} did not answer in full; rows are from ${since === undefined ? 'earlier' : `${since} or before`}${why}`;
    case 'unasked':
      return `${named(nodes)} ${nodes.length === 1 ? 'was' : 'were'} not asked${why}`;
    default:
      return `${named(nodes)} did not answer in full, rows may be missing${why}`;
  }
}

function named(nodes: readonly string[]): string {
  if (nodes.length <= MAX_NAMED) return nodes.join(', ');
  return `${nodes.slice(0, MAX_NAMED).join(', ')} and ${nodes.length - MAX_NAMED} more`;
}
