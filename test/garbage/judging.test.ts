import { describe, expect, it } from 'vitest';
import { released, stateOfOwner, unblocking, verdictOn } from '../../daemon/src/garbage/judging.ts';
import { finalizersAtDeletion } from '../../protocol/objects/finalizers.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { parsePrincipal, principalText } from '../../protocol/rights/principal.ts';

const reference = (uid: string, more: object = {}) => ({ apiVersion: 'v1', kind: 'Service', name: `of-${uid}`, uid, ...more });
const object = (uid: string, metadata: object = {}): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: `of-${uid}`, uid, resourceVersion: '1', generation: 1, creationTimestamp: '', ...metadata },
});

describe('an owner', () => {
  it('is there, leaving, or gone', () => {
    expect(stateOfOwner(reference('a'), object('a'))).toBe('there');
    expect(stateOfOwner(reference('a'), undefined)).toBe('gone');
    expect(stateOfOwner(reference('a'), object('b')), 'another of that name').toBe('gone');
    const marked = { deletionTimestamp: 't' };
    expect(stateOfOwner(reference('a'), object('a', { ...marked, finalizers: ['foregroundDeletion'] }))).toBe('leaving');
    expect(stateOfOwner(reference('a'), object('a', { ...marked, finalizers: ['example.com/x', 'orphan'] }))).toBe('there');
    expect(stateOfOwner(reference('a'), object('a', { finalizers: ['foregroundDeletion'] })), 'not deleted yet').toBe('there');
  });
});

describe('a dependent', () => {
  const [a, b] = [reference('a'), reference('b')];
  it('goes when none of its owners is there', () => {
    expect(verdictOn([{ reference: a, state: 'there' }])).toEqual({ act: 'keep' });
    expect(
      verdictOn([
        { reference: a, state: 'gone' },
        { reference: b, state: 'there' },
      ]),
    ).toEqual({ act: 'release', from: [a] });
    expect(
      verdictOn([
        { reference: a, state: 'leaving' },
        { reference: b, state: 'there' },
      ]),
    ).toEqual({ act: 'release', from: [a] });
    expect(verdictOn([{ reference: a, state: 'gone' }])).toEqual({ act: 'delete', leaving: false });
    expect(
      verdictOn([
        { reference: a, state: 'gone' },
        { reference: b, state: 'leaving' },
      ]),
    ).toEqual({ act: 'delete', leaving: true });
    expect(verdictOn([])).toEqual({ act: 'keep' });
  });

  it('is set free of some owners, or holds none back', () => {
    const both = object('x', { ownerReferences: [reference('a', { blockOwnerDeletion: true }), b] });
    expect(released(both, ({ uid }) => uid === 'a').metadata.ownerReferences).toEqual([b]);
    expect(released(both, () => true).metadata).not.toHaveProperty('ownerReferences');
    expect(unblocking(both).metadata.ownerReferences).toEqual([reference('a', { blockOwnerDeletion: false }), b]);
  });
});

describe('a policy', () => {
  it('decides what holds an object, and takes back what another one decided', () => {
    expect(finalizersAtDeletion(undefined, undefined)).toEqual([]);
    expect(finalizersAtDeletion(['x/y', 'orphan'], undefined)).toEqual(['x/y', 'orphan']);
    expect(finalizersAtDeletion(['x/y', 'orphan'], 'Background')).toEqual(['x/y']);
    expect(finalizersAtDeletion(['orphan', 'x/y'], 'Foreground')).toEqual(['x/y', 'foregroundDeletion']);
    expect(finalizersAtDeletion(['foregroundDeletion'], 'Orphan')).toEqual(['orphan']);
  });
});

describe('the text of a principal', () => {
  it('is read as it was written, and nothing else is', () => {
    const key = 'ab'.repeat(32);
    for (const principal of [
      { type: 'operator' as const, name: 'operator' as const },
      { type: 'user' as const, home: 'self', name: 'ops', uid: 'u-1', display: 'ops@node0' },
      { type: 'user' as const, home: key, name: 'dev.one', uid: 'u-2', display: 'dev.one@ababab' },
    ]) {
      expect(parsePrincipal(principalText(principal), 'node0')).toEqual(principal);
    }
    for (const text of [undefined, '', 'root', 'ops@self', 'ops/u@nowhere', 'ops/u/v@self', 'Ops/u@self'])
      expect(parsePrincipal(text, 'node0')).toBeUndefined();
  });
});
