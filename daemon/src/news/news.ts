/**
 * Decides which changes of objects are worth an Event. Pure. Covers what an operator would look for with `kubectl describe` and `kubectl
 * events`: an app that became ready or stopped being so, a service instance that failed, the outcome of an execution, a node in
 * maintenance, members that came and went. It goes by what the parts have written, so that news with several causes is reported once.
 */
import { isRecord } from '../../../protocol/encoding/json.ts';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import { dtDomainKind } from '../../../protocol/kinds/dtdomain.ts';
import { dtPeerKind } from '../../../protocol/kinds/dtpeer.ts';
import { executionKind } from '../../../protocol/kinds/execution.ts';
import { maintenanceOf, nodeKind } from '../../../protocol/kinds/node.ts';
import { serviceInstanceKind } from '../../../protocol/kinds/service-instance.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { EventInput } from '../store/event-recorder.ts';
import type { Change } from '../store/object-store.types.ts';

/** An Event about an object, or about the object at a reference, if there is one. */
export interface News extends Pick<EventInput, 'type' | 'reason' | 'message'> {
  about: ApiObject | ObjectRef;
}

type Teller = (change: Change) => Omit<News, 'about'> | News | undefined;

const TELLERS: ReadonlyMap<string, Teller> = new Map(
  (
    [
      [dtAppKind, ofApp],
      [dtDomainKind, ofDomain],
      [dtPeerKind, ofPeer],
      [serviceInstanceKind, ofInstance],
      [executionKind, ofExecution],
      [nodeKind, ofNode],
    ] as const
  ).map(([{ group, plural }, teller]) => [`${group}/${plural}`, teller]),
);

/** The news in a change. Nothing about other nodes' objects, which their owners report. */
export function newsOf(change: Change): News | undefined {
  if (change.origin === 'replica') return undefined;
  const told = TELLERS.get(`${change.ref.group}/${change.ref.plural}`)?.(change);
  return told === undefined ? undefined : { about: change.object, ...told };
}

function textAt(object: unknown, ...path: string[]): string {
  let value = object;
  for (const step of path) value = isRecord(value) ? value[step] : undefined;
  return typeof value === 'string' ? value : '';
}

/** The new text at a path; undefined if it is the same as before. */
function changedText({ object, previous }: Change, ...path: string[]): string | undefined {
  const now = textAt(object, ...path);
  return now === textAt(previous, ...path) ? undefined : now;
}

/** Own apps only. There may be thousands of copies, which come and go with their owner, and that is reported of the owner. */
function ofApp(change: Change): Omit<News, 'about'> | undefined {
  const { object, type, origin } = change;
  if (origin !== 'own') return undefined;
  const status = type === 'DELETED' ? undefined : changedText(change, 'status');
  if (status === undefined || status === '') return undefined;
  if (status === 'Ready') return { type: 'Normal', reason: 'Ready', message: `it can be reached at ${textAt(object, 'URI')}` };
  return { type: 'Warning', reason: status, message: textAt(object, 'message') || 'it is not ready' };
}

function ofDomain(change: Change): Omit<News, 'about'> | undefined {
  const { object, type } = change;
  if (type === 'DELETED') return { type: 'Normal', reason: 'Left', message: 'this node is no longer a member' };
  const status = changedText(change, 'status');
  // the progress of a join is reported by the part that joins
  if (status === undefined || status === '' || status === 'Joining' || status === 'Failed') return undefined;
  if (status === 'Ready') return { type: 'Normal', reason: 'Ready', message: 'this node is a member' };
  return { type: 'Warning', reason: status, message: textAt(object, 'message') || `the domain is ${status}` };
}

function ofPeer({ type, ref, object }: Change): News | undefined {
  if (type === 'MODIFIED' || textAt(object, 'path') === 'self') return undefined;
  const about = { group: dtDomainKind.group, plural: dtDomainKind.plural, namespace: ref.namespace, name: textAt(object, 'dtDomain') };
  const who = textAt(object, 'name') || ref.name;
  return type === 'ADDED'
    ? { about, type: 'Normal', reason: 'MemberAdded', message: `${who} is a member` }
    : { about, type: 'Normal', reason: 'MemberRemoved', message: `${who} is no longer a member` };
}

function ofInstance(change: Change): Omit<News, 'about'> | undefined {
  const { object, type } = change;
  const phase = type === 'DELETED' ? undefined : changedText(change, 'status', 'phase');
  const message = textAt(object, 'status', 'message');
  switch (phase) {
    case 'Staged':
      return { type: 'Normal', reason: 'Staged', message: message || 'it was staged' };
    case 'Converging':
      return { type: 'Normal', reason: 'Converging', message: 'a converge has begun' };
    case 'Ready':
      return { type: 'Normal', reason: 'Converged', message: 'everything is as it was committed' };
    case 'Failed':
      return { type: 'Warning', reason: 'ConvergeFailed', message: message || 'a converge did not succeed' };
    case 'Deleting':
    case 'Deleted':
      return {
        type: 'Normal',
        reason: phase,
        message: message || (phase === 'Deleted' ? 'it was taken down' : 'it is being taken down'),
      };
    default:
      return undefined;
  }
}

function ofExecution(change: Change): Omit<News, 'about'> | undefined {
  const { object, type } = change;
  if (type === 'DELETED' || changedText(change, 'status', 'phase') !== 'Finished') return undefined;
  const { status } = object;
  const parts = isRecord(status) && Array.isArray(status['parts']) ? status['parts'] : [];
  const outcomes = new Map<string, number>();
  for (const part of parts) {
    const outcome = textAt(part, 'outcome') || 'unknown';
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  const message = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ') || 'there was nothing to do';
  const succeeded = [...outcomes.keys()].every((outcome) => outcome === 'succeeded');
  return succeeded ? { type: 'Normal', reason: 'Succeeded', message } : { type: 'Warning', reason: 'NotSucceeded', message };
}

function ofNode(change: Change): Omit<News, 'about'> | undefined {
  const { object, previous, type } = change;
  if (type === 'DELETED') return undefined;
  const [before, now] = [maintenanceOf(previous), maintenanceOf(object)];
  if (now !== undefined && before === undefined) {
    const why = now.reason === undefined ? '' : `: ${now.reason}`;
    return { type: 'Normal', reason: 'MaintenanceBegan', message: `commands of others skip it${why}` };
  }
  if (before !== undefined && now === undefined) return { type: 'Normal', reason: 'MaintenanceEnded', message: 'it takes commands again' };
  const started = changedText(change, 'status', 'facts', 'startedAt');
  if (started === undefined || started === '') return undefined;
  return { type: 'Normal', reason: 'Started', message: `dtkd ${textAt(object, 'status', 'facts', 'dtkdVersion')} has started` };
}
