import { describe, expect, it } from 'vitest';
import { principalOf } from '../../../daemon/src/dispatch/execution/open-rows.ts';
import { object } from '../../catalog/model/fixtures.ts';

const started = (creator?: string) => {
  const execution = object('Execution', 'e');
  return creator === undefined
    ? execution
    : { ...execution, metadata: { ...execution.metadata, annotations: { 'dtkd.dev/creator': creator } } };
};

describe('who started an execution', () => {
  it('is the same after a restart: nobody becomes the operator', () => {
    const home = 'a'.repeat(64);
    expect(principalOf(started('ops/u1@self'))).toMatchObject({ type: 'user', home: 'self', name: 'ops', uid: 'u1' });
    expect(principalOf(started(`ops/u1@${home}`))).toMatchObject({ type: 'user', home, name: 'ops', uid: 'u1' });
    expect(principalOf(started())).toMatchObject({ type: 'operator' });
  });
});
