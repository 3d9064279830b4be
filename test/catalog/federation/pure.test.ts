import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Journal } from '../../../daemon/src/catalog/federation/cache/journal.ts';
import { KeptView } from '../../../daemon/src/catalog/federation/cache/kept-view.ts';
import { Leases } from '../../../daemon/src/catalog/federation/cache/leases.ts';
import { decodeLogEntry, encodeLogEntry, type LogEntry } from '../../../daemon/src/catalog/federation/cache/log-entry.ts';
import { decodeContinue, encodeContinue, Over } from '../../../daemon/src/catalog/federation/list/continue-token.ts';
import { LineCutter } from '../../../daemon/src/catalog/federation/peer/line-cutter.ts';
import { RowsDecoder } from '../../../daemon/src/catalog/federation/peer/rows-decoder.ts';
import { federatedSelection } from '../../../daemon/src/catalog/federation/selection.ts';
import { peerEvent } from '../../../daemon/src/catalog/federation/watch/watch-line.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { modelKind } from '../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../protocol/kinds/resource.ts';
import { completenessSentences, NODE_STATES, type NodeStatement } from '../../../protocol/objects/completeness.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { model } from './nodes.ts';

const KIND = { group: 'dtkd.dev', plural: 'models' };
const PEER = {
  domain: parseDomainId('d'.repeat(64)),
  key: parsePeerKey('1'.repeat(64)),
  namespace: 'node1',
  reachable: true,
  suspended: false,
};
const node = fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/);

function refusesOnly(run: () => unknown, code: string): void {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(DtkdError);
    expect(error).toMatchObject({ code });
  }
}

describe('a continue token', () => {
  test('says all that it was made of', () => {
    const over = fc.array(fc.record({ node, state: fc.constantFrom(...NODE_STATES) }), { maxLength: 40 });
    fc.assert(
      fc.property(
        node,
        node,
        over,
        fc.option(fc.record({ continue: fc.string({ maxLength: 200 }), before: node, given: fc.nat(1000) })),
        (namespace, name, states, within) => {
          const marks = new Over();
          const first = new Map<string, NodeStatement['state']>();
          for (const one of states) {
            marks.add(one);
            if (!['unreachable', 'unasked'].includes(one.state) && !first.has(one.node)) first.set(one.node, one.state);
          }
          const at = { resourceVersion: '123', namespace, name, over: marks, ...(within === null ? {} : { within }) };
          const read = decodeContinue(KIND, encodeContinue(KIND, at));
          expect({ ...read, over: undefined }).toEqual({ ...at, over: undefined });
          for (const one of states) expect(read.over.stateOf(one.node)).toBe(first.get(one.node));
        },
      ),
    );
  });

  test('made up is refused or harmless, whatever it is', () => {
    fc.assert(fc.property(fc.string(), (text) => refusesOnly(() => decodeContinue(KIND, text), 'BAD_REQUEST')));
    fc.assert(
      fc.property(fc.json(), (text) => refusesOnly(() => decodeContinue(KIND, Buffer.from(text).toString('base64url')), 'BAD_REQUEST')),
    );
    const other = encodeContinue({ group: '', plural: 'services' }, { resourceVersion: '1', namespace: 'a', name: 'b', over: new Over() });
    expect(() => decodeContinue(KIND, other)).toThrow('cannot be read');
  });

  test('of a thousand nodes fits into the head of a request', () => {
    const over = new Over();
    for (let index = 0; index < 1024; index++) over.add({ node: `node-with-a-name-${index}`, state: 'answered' });
    const within = { continue: 'x'.repeat(400), before: 'b', given: 5 };
    expect(encodeContinue(KIND, { resourceVersion: '1', namespace: 'n', name: 'm', over, within }).length).toBeLessThan(8_192);
  });
});

describe('bytes of a peer', () => {
  test('are cut into the same lines in whatever pieces they come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-zé]{1,20}$/), { maxLength: 20 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        (lines, sizes) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const cutter = new LineCutter(100);
          const got: string[] = [];
          for (let at = 0; at < bytes.length; ) {
            const size = Number(sizes.next().value);
            got.push(...cutter.push(bytes.subarray(at, at + size)));
            at += size;
          }
          expect(got).toEqual(lines);
        },
      ),
    );
  });

  test('that mean nothing are refused with a code', () => {
    const rules = () => ({ kind: modelKind, peer: PEER });
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.json(), fc.string()), { maxLength: 5 }), (lines) => {
        refusesOnly(() => new RowsDecoder(rules(), { after: '', limit: 5 }).push(Buffer.from(lines.join('\n'))), 'FRAME_INVALID');
        for (const line of lines) refusesOnly(() => peerEvent(line, rules()), 'FRAME_INVALID');
      }),
    );
    refusesOnly(() => new LineCutter(10).push(Buffer.from([0xff, 0xfe, 0x0a])), 'FRAME_INVALID');
  });

  test('may name themselves as they are shown here, or as what that was made of, and as one only', () => {
    const row = (namespace: string) => {
      const object = model('a', namespace);
      return { ...object, metadata: { ...object.metadata, uid: 'u', resourceVersion: '1', creationTimestamp: 'now' } };
    };
    const take = (shown: string, ...namespaces: string[]) => {
      const decoder = new RowsDecoder({ kind: modelKind, peer: { ...PEER, namespace: shown } }, { after: '', limit: 5 });
      decoder.push(Buffer.from('{"metadata":{"resourceVersion":"1"}}\n'));
      for (const [index, namespace] of namespaces.entries()) {
        const object = row(namespace);
        object.metadata.name = `m${index}`;
        decoder.push(Buffer.from(`${JSON.stringify(object)}\n`));
      }
      return decoder.rows.map(({ json }) => JSON.parse(json).metadata.namespace);
    };
    expect(take('node1', 'node1')).toEqual(['node1']);
    expect(take('node1-abc123', 'node1', 'node1')).toEqual(['node1-abc123', 'node1-abc123']);
    expect(() => take('node1', 'node2')).toThrow('another node');
    expect(() => take('node1-abc123', 'node1', 'node1-abc123')).toThrow('another node');
  });

  test('cannot keep a list going for ever with pages of few rows', () => {
    const end = (rows: number) => {
      const decoder = new RowsDecoder({ kind: modelKind, peer: PEER }, { after: '', limit: 2 });
      const lines: unknown[] = [{ metadata: { resourceVersion: '1' } }];
      for (let index = 0; index < rows; index++) {
        const object = model(`m${index}`, 'node1');
        lines.push({ ...object, metadata: { ...object.metadata, uid: 'u', resourceVersion: '1', creationTimestamp: 'now' } });
      }
      decoder.push(Buffer.from([...lines, { end: { continue: 'x' } }].map((one) => `${JSON.stringify(one)}\n`).join('')));
      return decoder.end;
    };
    expect(end(2)).toEqual({ continue: 'x' });
    for (const rows of [0, 1]) expect(() => end(rows)).toThrow('not full');
  });

  test('cannot say of a row that it is old', () => {
    const object = model('a', 'node1');
    const metadata = {
      ...object.metadata,
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: 'now',
      annotations: { 'dtkd.dev/stale-since': 'x', kept: 'y' },
    };
    const event = peerEvent(JSON.stringify({ type: 'ADDED', object: { ...object, metadata } }), { kind: modelKind, peer: PEER });
    expect(event).toMatchObject({ object: { metadata: { annotations: { kept: 'y' } } } });
    expect(JSON.stringify(event)).not.toContain('stale-since');
  });
});

describe('a selection', () => {
  test('takes the namespace out of what peers are asked, and judges the rest alike here', () => {
    const selection = federatedSelection(resourceKind, {
      fieldSelector: 'metadata.namespace!=node1,spec.name=a\\,b',
      where: 'type=Service',
    });
    expect(selection.forPeers).toEqual({ fieldSelector: 'spec.name=a\\,b', where: 'type=Service' });
    expect([selection.covers('node1'), selection.covers('node2'), selection.everything]).toEqual([false, true, false]);
    expect(federatedSelection(resourceKind, {}, 'node3').covers('node2')).toBe(false);
    expect(() => federatedSelection(resourceKind, { where: 'metadata.namespace=node1' })).toThrow('namespace');
  });

  test('does not find by what it may not see', () => {
    const seen = model('a', 'node1');
    Reflect.deleteProperty(seen.metadata, 'generation');
    expect(federatedSelection(modelKind, { labelSelector: 'tier!=front' }).matches(seen)).toBe(false);
    expect(federatedSelection(modelKind, { fieldSelector: 'metadata.name=a' }).matches(seen)).toBe(true);
  });
});

describe('the journal', () => {
  test('gives versions that grow, also over starts, and never one newer than it says', async () => {
    const kv = memoryKv();
    let journal = await Journal.open(kv);
    const given: { version: number; local: number }[] = [];
    for (let local = 1000; local < 6_000; local++) {
      if (local % 1000 === 0) journal = await Journal.open(kv);
      if (local % 3 === 0) journal.next();
      given.push({ version: await journal.mark(local), local });
    }
    for (const [index, { version, local }] of given.entries()) {
      if (index > 0) expect(version).toBeGreaterThan(given[index - 1]?.version ?? 0);
      expect(journal.localAt(version)).toBeLessThanOrEqual(local);
    }
    // thinned out, not cut off
    expect(journal.localAt(given[0]?.version ?? 0)).toBe(1000);
    expect(() => journal.localAt((given.at(-1)?.version ?? 0) + 1)).toThrow('no longer');
    expect((await kv.page({ gte: 'f/j/', lt: 'f/j0', limit: 10_000 })).length).toBeLessThanOrEqual(4097);
    await journal.mark(1);
    expect(Number.isSafeInteger(journal.last)).toBe(true);
  });

  test('gives none a newer version of the own store for having forgotten marks, whoever else was ahead', async () => {
    const kv = memoryKv();
    const journal = await Journal.open(kv);
    const given: { version: number; local: number }[] = [];
    for (let step = 0; step < 5_000; step++) {
      // lists come with the present version, and watches with the one up to which they have told
      const local = 1_000 + step - (step % 2 === 0 ? 0 : 500);
      given.push({ version: await journal.mark(local), local });
    }
    for (const kept of [journal, await Journal.open(kv)]) {
      expect(given.filter(({ version, local }) => kept.localAt(version) > local)).toEqual([]);
    }
  });

  test('entries of the log are read as they were written', () => {
    const entries: LogEntry[] = [
      { type: 'ADDED', peer: 'p', namespace: 'n', json: '{"a":"\\n"}' },
      { type: 'MODIFIED', peer: 'p', namespace: 'n', json: '{}', previous: '{"b":1}' },
      { type: 'DELETED', peer: 'p', namespace: 'n', previous: '{}' },
      { type: 'STALE', peer: 'p', namespace: 'n', since: 'then' },
      { type: 'PRESENT', peer: 'p', namespace: 'n' },
    ];
    for (const entry of entries) expect(decodeLogEntry(encodeLogEntry(entry))).toEqual(entry);
  });
});

test('waiting for the lease of a peer leaves nothing at a signal that lives on', async () => {
  const leases = new Leases();
  const { signal } = new AbortController();
  for (let round = 0; round < 3; round++) {
    const release = await leases.take('p', signal);
    const next = leases.take('p', signal, true);
    release?.();
    (await next)?.();
  }
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

describe('what is kept', () => {
  test('is bounded in its log: who is too far behind has to list again', async () => {
    const kv = memoryKv();
    const journal = await Journal.open(kv);
    const kept = await KeptView.open(kv, journal, { asker: 'a', ...KIND }, () => []);
    const begin = await kept.stamp(1);
    for (let round = 0; round < 45; round++) {
      await kept.replace(
        PEER,
        { after: '', upTo: undefined },
        Array.from({ length: 800 }, (_, index) => ({ name: `m${String(index).padStart(4, '0')}`, json: `{"round":${round}}` })),
      );
    }
    await expect(kept.after(begin, 10)).rejects.toMatchObject({ code: 'GONE' });
    expect((await kv.page({ gte: 'f/l/', lt: 'f/l0', limit: 100_000 })).length).toBeLessThan(3 * 16_384);
    const now = await kept.stamp(1);
    await kept.change(PEER, 'm0000', undefined);
    expect((await kept.after(now, 10)).map(({ entry }) => entry.type)).toEqual(['DELETED']);
    expect(kept.parts().get(PEER.key)).toMatchObject({ rows: 799 });
    await kept.drop(PEER.key);
    expect(kept.parts().size).toBe(0);
    expect(await kv.page({ gte: 'f/o/', lt: 'f/o0' })).toEqual([]);
  });
});

describe('sentences about completeness', () => {
  test('say of old rows no more than is known: they may be older than the time since when their node does not answer', () => {
    const since = '2026-11-23T10:00:00Z';
    expect(completenessSentences([{ node: 'node1', state: 'stale', since, reason: 'it could not be reached' }])).toEqual([
      `node1 did not answer in full; rows are from ${since} or before: it could not be reached`,
    ]);
  });

  test('are five at most, and name every node or say how many', () => {
    const state = fc.constantFrom(...NODE_STATES);
    fc.assert(
      fc.property(fc.array(fc.record({ node, state, reason: fc.constantFrom('a', 'b', 'c', 'd') }), { maxLength: 60 }), (statements) => {
        const sentences = completenessSentences(statements);
        expect(sentences.length).toBeLessThanOrEqual(5);
        expect(sentences.length === 0).toBe(statements.every((one) => one.state === 'answered'));
      }),
    );
  });
});
