import { describe, expect, it } from 'vitest';
import { decide } from '../../daemon/src/access/decision.ts';
import type { Grant } from '../../daemon/src/access/facts.types.ts';
import { scopeOf } from '../../daemon/src/access/scope.ts';
import { withImplied } from '../../daemon/src/access/verbs.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import type { CapabilityVerb, GrantScope } from '../../protocol/rights/capability.ts';
import { bookOf, KEY1, NODE, NOW, seenBy, textOf, user } from './world.ts';

const ops = user('ops', KEY1);

function granted(on: GrantScope, ...verbs: CapabilityVerb[]) {
  const grant: Grant = {
    source: 'capability',
    name: 'c-1',
    uid: 'uid-c-1',
    recipient: textOf(ops),
    toTrust: false,
    shown: ops.display,
    verbs: withImplied(verbs),
    scope: scopeOf(on),
    expires: Number.POSITIVE_INFINITY,
  };
  return bookOf({ users: [], homes: [KEY1], objects: [], trusts: new Map(), grants: [grant] });
}

const about = (plural: string, name = NODE) => ({ group: 'dtkd.dev', plural, name });
const may = (book: ReturnType<typeof granted>, plural: string) => decide(ops, { verb: 'EXECUTE', ...about(plural) }, book, NOW).allowed;

describe('programs and files', () => {
  it('are given by name only, each by itself', () => {
    expect(may(granted({ kind: 'exec.dtkd.dev' }, 'EXECUTE'), 'exec')).toBe(true);
    expect(may(granted({ kind: 'exec.dtkd.dev' }, 'EXECUTE'), 'cp')).toBe(false);
    for (const plural of ['exec', 'cp', 'policies', 'secrets']) expect(may(granted({ kind: '*' }, 'EXECUTE'), plural)).toBe(false);
    expect(may(granted({ kind: 'resources.dtkd.dev' }, 'EXECUTE'), 'exec')).toBe(false);
  });
});

describe('a resource of another node', () => {
  const object: ApiObject = {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Resource',
    metadata: { name: 'front1', namespace: NODE, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    spec: { model: 'web', type: 'Tomcat' },
  };
  it('is of the types that its owner says it is', () => {
    const book = granted({ kind: 'resources.dtkd.dev', type: 'AppServer' }, 'EXECUTE');
    const asked = { verb: 'EXECUTE' as const, ...about('resources', 'front1'), object };
    expect(decide(ops, asked, book, NOW).allowed).toBe(false);
    expect(decide(ops, { ...asked, lineage: ['tomcat', 'appserver', 'service'] }, book, NOW).allowed).toBe(true);
  });

  it('of a service instance is of the types that are said exactly, and of what these extend', () => {
    const asked = {
      verb: 'EXECUTE' as const,
      ...about('resources', 'front1'),
      object,
      lineage: ['webserver@shop', 'base@shop', 'service'],
    };
    const reaches = (type: string) => decide(ops, asked, granted({ kind: 'resources.dtkd.dev', type }, 'EXECUTE'), NOW).allowed;
    expect(['WebServer@shop', 'Base@shop', 'Service'].map(reaches)).toEqual([true, true, true]);
    expect(['WebServer', 'Base', 'WebServer@other'].map(reaches)).toEqual([false, false, false]);
  });
});

describe('an execution', () => {
  const target = (model: string) => ({
    node: NODE,
    key: 'a'.repeat(64),
    domain: '',
    starter: 'b'.repeat(64),
    work: {
      type: 'command',
      owner: 'c'.repeat(64),
      resource: { object: 'front1', uid: 'u', model, type: 'Service', name: 'front1' },
      command: 'Start',
      options: {},
      code: {},
    },
    index: 0,
    stage: 0,
  });
  const execution = (...targets: unknown[]): ApiObject => ({
    apiVersion: 'dtkd.dev/v1',
    kind: 'Execution',
    metadata: { name: 'd'.repeat(64), namespace: NODE, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    spec: { starter: 'node1', user: 'ops@node1', header: '', targets },
  });
  const seen = (book: ReturnType<typeof granted>, object: ApiObject) =>
    seenBy(ops, { ...about('executions', object.metadata.name), object }, book);

  it('is read by whoever may read each of its resources', () => {
    const book = granted({ kind: 'resources.dtkd.dev', model: 'web' }, 'READ');
    expect(seen(book, execution(target('web')))).toBe('full');
    expect(seen(book, execution(target('web'), target('db')))).toBe('hidden');
    expect(seen(book, execution())).toBe('hidden');
    expect(seen(book, execution({ ...target('web'), work: { type: 'exec', argv: ['true'], env: {} } }))).toBe('hidden');
  });

  it('is ended by whoever may run commands on each of its resources', () => {
    const may = (book: ReturnType<typeof granted>, object: ApiObject) =>
      decide(ops, { verb: 'EXECUTE', ...about('executions', object.metadata.name), object }, book, NOW).allowed;
    const book = granted({ kind: 'resources.dtkd.dev', model: 'web' }, 'EXECUTE');
    expect(may(book, execution(target('web')))).toBe(true);
    expect(may(book, execution(target('web'), target('db')))).toBe(false);
    expect(may(book, execution())).toBe(false);
    expect(may(book, execution({ ...target('web'), work: { type: 'exec', argv: ['true'], env: {} } }))).toBe(false);
    expect(may(granted({ kind: 'resources.dtkd.dev', model: 'web' }, 'READ'), execution(target('web')))).toBe(false);
  });

  it('is not deleted for that', () => {
    const book = granted({ kind: 'resources.dtkd.dev' }, 'READ', 'DELETE');
    const object = execution(target('web'));
    expect(decide(ops, { verb: 'DELETE', ...about('executions', object.metadata.name), object }, book, NOW).allowed).toBe(false);
  });
});

describe('a task', () => {
  const object: ApiObject = {
    apiVersion: 'dtkd.dev/v1',
    kind: 'Task',
    metadata: { name: 'shop-1', namespace: NODE, uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' },
    spec: { instance: 'shop', action: 'converge', title: 'Converge shop', user: 'dev@node1' },
    status: { state: 'executing', steps: [] },
  };
  const asked = { ...about('tasks', 'shop-1'), object };
  const may = (book: ReturnType<typeof granted>, verb: 'EXECUTE' | 'DELETE') => decide(ops, { verb, ...asked }, book, NOW).allowed;

  it('is read, and cancelled, by whoever may read the service, and run commands on it', () => {
    const reader = granted({ kind: 'serviceinstances.dtkd.dev', name: 'shop' }, 'READ');
    expect(seenBy(ops, asked, reader)).toBe('full');
    expect(may(reader, 'EXECUTE')).toBe(false);
    const other = granted({ kind: 'serviceinstances.dtkd.dev', name: 'blog' }, 'READ', 'EXECUTE');
    expect(seenBy(ops, asked, other)).toBe('hidden');
    expect(may(other, 'EXECUTE')).toBe(false);
    const all = granted({ kind: 'serviceinstances.dtkd.dev', name: 'shop' }, 'READ', 'EXECUTE', 'DELETE');
    expect(may(all, 'EXECUTE')).toBe(true);
    expect(may(all, 'DELETE')).toBe(false);
  });

  it('is of who made the service then, and not of who made one of the same name since', () => {
    const { metadata } = object;
    const creator = textOf(ops);
    const now = bookOf({ users: [], homes: [KEY1], objects: [], trusts: new Map(), grants: [] });
    now.setCreator('serviceinstances.dtkd.dev', 'shop', creator);
    expect(decide(ops, { verb: 'READ', ...about('serviceinstances', 'shop') }, now, NOW).allowed).toBe(true);
    expect(seenBy(ops, asked, now)).toBe('hidden');
    const own = { ...object, metadata: { ...metadata, annotations: { 'dtkd.dev/instance-creator': creator } } };
    expect(seenBy(ops, { ...asked, object: own }, now)).toBe('full');
  });
});
