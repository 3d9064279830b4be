/** What a list over several nodes says of the nodes that did not answer in full, as lines for people. */
import { humanDuration } from '../../protocol/age.ts';
import { type JsonRecord, listAt, textAt } from '../json.ts';
import { escapeControls } from './escape.ts';

/** Nodes named in one line at most; the rest is counted. */
const MAX_NAMES = 8;

/** Gathers the statements of a list's pages: the last word about each node counts. */
export class Completeness {
  readonly #byNode = new Map<string, { state: string; reason: string; since: string | undefined }>();

  add(page: JsonRecord): void {
    for (const statement of listAt(page, 'metadata', 'completeness')) {
      const node = textAt(statement, 'node');
      if (node === undefined) continue;
      this.#byNode.set(node, {
        state: textAt(statement, 'state') ?? 'unreachable',
        reason: textAt(statement, 'reason') ?? '',
        since: textAt(statement, 'since'),
      });
    }
  }

  /** True if every node that was asked answered. */
  get complete(): boolean {
    return [...this.#byNode.values()].every(({ state }) => state === 'answered' || state === 'denied');
  }

  /** Nothing if all answered. Nodes of which the same is to be said share a line. */
  lines(now: number): string[] {
    const groups = new Map<string, string[]>();
    for (const [node, { state, reason, since }] of this.#byNode) {
      if (state === 'answered') continue;
      const age = since === undefined ? '' : ` (as of ${humanDuration(Math.max(0, now - Date.parse(since)))} ago)`;
      const said = `${state}${age}${reason === '' ? '' : `: ${reason}`}`;
      groups.set(said, [...(groups.get(said) ?? []), node]);
    }
    return [...groups].map(([said, nodes]) => {
      const more = nodes.length > MAX_NAMES ? ` and ${nodes.length - MAX_NAMES} more` : '';
      return escapeControls(`${nodes.slice(0, MAX_NAMES).join(', ')}${more}: ${said}`);
    });
  }
}
