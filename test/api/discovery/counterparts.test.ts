import { describe, expect, it } from 'vitest';
import { insteadOf, insteadOfMethod } from '../../../daemon/src/api/discovery/counterparts.ts';
import { statusOf } from '../../../daemon/src/api/request/status.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { kindByPlural } from '../../../protocol/kinds/index.ts';
import type { Kind } from '../../../protocol/kinds/kind.ts';

function kindOf(group: string, plural: string): Kind {
  const kind = kindByPlural(group, plural);
  if (kind === undefined) throw new Error(plural);
  return kind;
}

describe('what to do instead', () => {
  it('names the counterpart of what Kubernetes has', () => {
    expect(insteadOf('/api/v1/namespaces/node0/pods/x/log')).toContain('dtkd exec');
    expect(insteadOf('/apis/apps/v1/namespaces/node0/deployments')).toContain('dtkd run');
    expect(insteadOf('/api/v1/namespaces/node0/secrets')).toContain('dtkd secret set');
    expect(insteadOf('/api/v1/nodes/node0')).toContain('nodes.dtkd.dev');
  });

  it('is short about everything else', () => {
    expect(insteadOf('/apis/dtkd.dev/v1/nope')).toBe('See "dtkd api-resources" for every kind.');
    expect(insteadOf('/apis/dtkd.dev/v1/models/')).toBe('Leave out the slash at its end.');
    expect(insteadOf('/nope')).toContain('/reference/');
  });

  it('tells where a kind is written, and what a namespace is', () => {
    expect(insteadOfMethod(kindOf('dtkd.dev', 'models'), 'POST', '/apis/dtkd.dev/v1/models')).toContain(
      '/apis/dtkd.dev/v1/namespaces/NODE/models',
    );
    expect(insteadOfMethod(kindOf('', 'namespaces'), 'POST', '/api/v1/namespaces')).toContain('a node');
    expect(insteadOfMethod(kindOf('', 'events'), 'DELETE', '/api/v1/namespaces/node0/events/x')).toContain('are: get, list, watch');
  });
});

describe('a status', () => {
  const status = (error: DtkdError) => statusOf(error, { group: 'dtkd.dev', kind: 'models', name: 'lab' }, () => undefined);

  it('has a cause wherever something is invalid', () => {
    const misfit = status(new DtkdError('INVALID', 'operation 0 does not fit', { next: 'Make it anew.' }));
    expect(misfit.details).toMatchObject({ kind: 'Model', causes: [{ message: 'operation 0 does not fit', field: 'request' }] });
    expect(status(new DtkdError('CONFLICT', 'it changed')).details).not.toHaveProperty('causes');
  });

  it('gives the next step a line of its own after a text that is pointed into', () => {
    expect(status(new DtkdError('BAD_REQUEST', 'wrong at\n  a==\n  ^', { next: 'Write a=b.' })).message).toBe(
      'wrong at\n  a==\n  ^\nWrite a=b.',
    );
  });
});
