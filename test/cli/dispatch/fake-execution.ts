/** Lines of a follow as a daemon writes them, for tests of what shows them. */
import type { Part } from '../../../protocol/orders/outcome.ts';
import type { FollowLine } from '../../../protocol/requests/follow.ts';

export const ID = `1a2b3c4d5e6f${'0'.repeat(52)}`;
export const STARTED_AT = Date.parse('2026-01-01T00:00:00Z');
export const START = 'demo.Service.myService Start';

type PartFields = Partial<Part> & { node: string };

export function part(index: number, fields: PartFields): Part {
  return { index, what: START, state: 'waiting', ...fields };
}

/** `elsewhere`: as a node shows it that did not start it. The first line of a follow, and what `GET …/executions/ID` answers. */
export function executionObject(
  parts: readonly Part[],
  fields: { phase?: string; user?: string; elsewhere?: boolean; pauses?: number } = {},
): Record<string, unknown> {
  return {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Execution',
    metadata: { name: ID, namespace: 'node0', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      starter: 'node0',
      user: fields.user ?? 'greg@node0',
      ...(fields.elsewhere === true ? {} : { request: { type: 'Service', resource: 'myService', command: 'Start' } }),
      header: '',
      targets: parts.map(({ index, node }) => ({
        index,
        stage: 0,
        node,
        work: {
          type: 'command',
          resource: { model: 'demo', type: 'Service', name: 'myService' },
          command: 'Start',
          options: {},
        },
      })),
    },
    status: {
      phase: fields.phase ?? 'Running',
      parts,
      startedAt: '2026-01-01T00:00:00Z',
      ...(fields.pauses === undefined ? {} : { pauses: fields.pauses }),
    },
  };
}

/** Output as chunks: `[stream, text]`, each of so many bytes of the spool as its text is long. */
export function output(
  index: number,
  node: string,
  offset: number,
  ...chunks: [stream: 'out' | 'err' | 'log', text: string | Buffer][]
): FollowLine {
  const length = chunks.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0);
  return {
    output: {
      index,
      node,
      offset,
      next: offset + length,
      records: chunks.map(([s, text]) => ({
        t: STARTED_AT,
        s,
        n: 1,
        c: 'Start',
        ...(s === 'log' ? { l: 'info' as const } : {}),
        ...(typeof text === 'string' ? { text } : { base64: text.toString('base64') }),
      })),
    },
  };
}

export function ended(index: number, node: string, outcome: Part['outcome'], fields: Partial<Part> = {}): FollowLine {
  return { part: part(index, { node, state: 'ended', outcome, startedAt: STARTED_AT, endedAt: STARTED_AT + 300, ...fields }) };
}

export function running(index: number, node: string): FollowLine {
  return { part: part(index, { node, state: 'running', startedAt: STARTED_AT }) };
}

export function telling(index: number, node: string): FollowLine {
  return { note: { index, node, event: 'telling', text: `telling ${node}` } };
}

export const FINISHED: FollowLine = { end: { phase: 'Finished' } };

export async function* linesOf(...lines: readonly unknown[]): AsyncGenerator<unknown> {
  yield* lines;
}
