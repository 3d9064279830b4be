/**
 * What the API does beyond objects: subresources and daemon-wide actions, each with its input and output. The code behind them is
 * registered by name (extensions.ts); a test checks that all those names are listed here.
 */
import type { z } from 'zod';
import { dtAppKind } from '../../../../protocol/kinds/dtapp.ts';
import { dtDomainKind } from '../../../../protocol/kinds/dtdomain.ts';
import { executionKind } from '../../../../protocol/kinds/execution.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { moduleKind } from '../../../../protocol/kinds/module.ts';
import { resourceKind } from '../../../../protocol/kinds/resource.ts';
import { serviceInstanceKind } from '../../../../protocol/kinds/service-instance.ts';
import { taskKind } from '../../../../protocol/kinds/task.ts';
import { typeKind } from '../../../../protocol/kinds/type.ts';
import { userKind } from '../../../../protocol/kinds/user.ts';
import { parcelRequest } from '../../../../protocol/parcel/request.ts';
import { checkup } from '../../../../protocol/requests/checkup.ts';
import { abortRequest, dispatchRequest, followRequest, retryRequest } from '../../../../protocol/requests/dispatch.ts';
import { inviteRequest, joinRequest, leaveRequest, recoveryKey, rootKey } from '../../../../protocol/requests/domain.ts';
import { contextAnswer, followLine } from '../../../../protocol/requests/follow.ts';
import { fetchRequest, installRequest, lockRequest, publishRequest } from '../../../../protocol/requests/module.ts';
import {
  convergeRequest,
  copiesDiff,
  copyAnswer,
  copyRequest,
  editAnswer,
  editRequest,
  fileAnswer,
  fileRequest,
  planAnswer,
  rollbackRequest,
  serviceDiff,
  serviceExecRequest,
  serviceLog,
  serviceState,
  stageRequest,
  takeDownRequest,
  taskLine,
} from '../../../../protocol/requests/service.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Method } from './schema.types.ts';

export const BYTES = 'bytes';

export interface ActionEntry {
  /** The kind that it is a subresource of; absent: daemon-wide. */
  kind?: Kind;
  /** For a daemon-wide action: the kind with which it is shown. */
  shownWith?: Kind;
  method: Method;
  /** The path below the object or below `daemon`: `invites/{invite}`. */
  path: string;
  summary: string;
  description?: string;
  /**
   * The right that a user needs. `operator`: nobody else may; `user`: any user of this node; `anybody`: also users of other nodes.
   * Absent: MANAGE.
   */
  needs?: CapabilityVerb | 'operator' | 'user' | 'anybody';
  query?: Record<string, string>;
  body?: z.ZodType | typeof BYTES;
  answer?: z.ZodType | Kind | typeof BYTES;
  /** The answer is lines of JSON. */
  lines?: z.ZodType | true;
}

const OF_DOMAINS: readonly ActionEntry[] = [
  {
    method: 'post',
    path: 'create',
    summary: 'Found the domain',
    description: 'Answers with the dtDomain, and with the recovery key, which is shown only now.',
  },
  {
    method: 'post',
    path: 'join',
    summary: 'Join the domain',
    description:
      'Answers once this node is a member; with `already` where it was one before, and `elsewhere` where an address in the token was used.',
    body: joinRequest,
  },
  { method: 'post', path: 'leave', summary: 'Leave the domain', body: leaveRequest },
  { method: 'get', path: 'invites', summary: 'List invites' },
  { method: 'post', path: 'invites', summary: 'Invite machines', body: inviteRequest },
  { method: 'delete', path: 'invites/{invite}', summary: 'Revoke an invite' },
  { method: 'post', path: 'root/export', summary: 'Show the root key', answer: rootKey },
  { method: 'post', path: 'root/import', summary: 'Bring the root key here', body: rootKey },
  { method: 'post', path: 'root/rotate', summary: 'Replace the root key by the recovery key', body: recoveryKey, answer: recoveryKey },
  { method: 'get', path: 'members', summary: 'Show the domain with its members' },
  { method: 'post', path: 'names/{node}/free', summary: 'Free the name of a member that was removed' },
  { method: 'post', path: 'clear/{peer}', summary: 'Lift the suspension of a member' },
];

const WITH_SERVICES: readonly ActionEntry[] = [
  { method: 'get', path: 'state', summary: 'Show how the service stands', needs: 'READ', answer: serviceState },
  {
    method: 'get',
    path: 'diff',
    summary: 'Show what was edited',
    needs: 'READ',
    query: { from: 'A commit. Default: the one that is applied.', to: 'A commit. Default: the files as they are.' },
    answer: serviceDiff,
  },
  {
    method: 'get',
    path: 'log',
    summary: 'Show its commits',
    needs: 'READ',
    query: { from: 'A commit to begin with.', limit: 'Commits at most.' },
    answer: serviceLog,
  },
  { method: 'get', path: 'file', summary: 'Read its service file', needs: 'READ', answer: fileAnswer },
  { method: 'post', path: 'file', summary: 'Replace its service file', needs: 'UPDATE', body: fileRequest, answer: editAnswer },
  { method: 'post', path: 'edit', summary: 'Edit its service file', needs: 'UPDATE', body: editRequest, answer: editAnswer },
  {
    method: 'get',
    path: 'modules',
    summary: 'Show its copies of modules against their bases',
    needs: 'READ',
    query: { module: 'One of them.' },
    answer: copiesDiff,
  },
  { method: 'post', path: 'modules', summary: 'Pull or push a copy of a module', needs: 'UPDATE', body: copyRequest, answer: copyAnswer },
  { method: 'post', path: 'plan', summary: 'Show what a converge would do', needs: 'READ', body: convergeRequest, answer: planAnswer },
  {
    method: 'post',
    path: 'converge',
    summary: 'Converge the service',
    description: 'Answers with the plan and the name of the Task that carries it out.',
    needs: 'EXECUTE',
    body: convergeRequest,
    answer: planAnswer,
  },
  {
    method: 'post',
    path: 'rollback',
    summary: 'Converge to an earlier commit',
    needs: 'EXECUTE',
    body: rollbackRequest,
    answer: planAnswer,
  },
  {
    method: 'post',
    path: 'exec',
    summary: 'Run a command or a workflow of the service',
    needs: 'EXECUTE',
    body: serviceExecRequest,
    answer: planAnswer,
  },
  {
    method: 'post',
    path: 'drift',
    summary: 'Check whether what runs is as it was applied',
    needs: 'EXECUTE',
    body: takeDownRequest,
    answer: planAnswer,
  },
  {
    method: 'post',
    path: 'delete',
    summary: 'Take the service down, and keep its files',
    needs: 'DELETE',
    body: takeDownRequest,
    answer: planAnswer,
  },
  {
    method: 'post',
    path: 'uninstall',
    summary: 'Take the service down for good',
    needs: 'DELETE',
    body: takeDownRequest,
    answer: planAnswer,
  },
  {
    method: 'post',
    path: 'default-target',
    summary: 'Stage services against this target where none is named',
    description: 'The body: {"default": true} or {"default": false}.',
    needs: 'MANAGE',
  },
];

const WITH_TASKS: readonly ActionEntry[] = [
  {
    method: 'get',
    path: 'follow',
    summary: 'Follow a task',
    needs: 'READ',
    query: { output: '`all` (default), `none`, or the number of a step.' },
    lines: taskLine,
  },
  { method: 'post', path: 'cancel', summary: 'Cancel a task', needs: 'EXECUTE', answer: taskKind },
];

const WITH_EXECUTIONS: readonly ActionEntry[] = [
  {
    method: 'get',
    path: 'dispatch',
    summary: 'Show what could be run',
    needs: 'user',
    query: { model: 'A model.', type: 'A type.', resource: 'A resource.', command: 'A command.' },
    answer: contextAnswer,
  },
  {
    method: 'post',
    path: 'dispatch',
    summary: 'Run a command',
    description: 'Answers with the Execution; with `follow` in lines; with `dryRun` with the plan.',
    needs: 'user',
    body: dispatchRequest,
    answer: executionKind,
  },
  { method: 'get', path: 'executions/{id}', summary: 'Show an execution, merged from all nodes', needs: 'user', answer: executionKind },
  {
    method: 'get',
    path: 'executions/{id}/follow',
    summary: 'Follow an execution',
    needs: 'user',
    query: { from: 'Where to go on, as JSON: offsets by the numbers of targets.' },
    lines: followLine,
  },
  {
    method: 'post',
    path: 'executions/{id}/follow',
    summary: 'Follow an execution from many offsets',
    needs: 'user',
    body: followRequest,
    lines: followLine,
  },
  { method: 'post', path: 'executions/{id}/abort', summary: 'End an execution', needs: 'user', body: abortRequest },
  { method: 'post', path: 'executions/{id}/resume', summary: 'Go on with a paused execution', needs: 'user', answer: executionKind },
  {
    method: 'post',
    path: 'executions/{id}/retry',
    summary: 'Repeat it for the targets that did not succeed',
    needs: 'user',
    body: retryRequest,
    answer: executionKind,
  },
];

const WITH_MODULES: readonly ActionEntry[] = [
  {
    method: 'post',
    path: 'modules',
    summary: 'Install a module',
    description: 'Its archive is handed over before, as content.',
    needs: 'user',
    body: installRequest,
  },
  { method: 'post', path: 'module-publish', summary: 'Publish a module to domains', needs: 'user', body: publishRequest },
  {
    method: 'post',
    path: 'module-fetch',
    summary: 'Fetch a module with all that it needs',
    needs: 'user',
    body: fetchRequest,
    lines: true,
  },
  { method: 'post', path: 'module-lock', summary: 'Choose the versions for a lock', needs: 'user', body: lockRequest, lines: true },
];

const RIGHT = {
  who: 'USER@NODE; absent: whoever asks.',
  verb: 'DISCOVER, READ, CREATE, UPDATE, DELETE, MANAGE, REQUEST or EXECUTE.',
  what: 'resource/MODEL/NAME, KIND/NAME or KIND.',
};

const OF_DAEMON: readonly ActionEntry[] = [
  { method: 'get', path: 'status', summary: 'Show how the daemon stands', needs: 'operator' },
  {
    method: 'post',
    path: 'token',
    summary: "Replace the operator's token",
    description: 'The one that there is ends at once.',
    needs: 'operator',
  },
  {
    method: 'get',
    path: 'audit/show',
    summary: 'Show the audit log',
    needs: 'operator',
    query: {
      limit: 'Lines at most.',
      who: 'Only of those.',
      verb: 'Only this.',
      what: 'Only of that.',
      follow: '`true`: go on, in lines.',
    },
  },
  { method: 'get', path: 'audit/verify', summary: 'Verify the audit log with the peers', needs: 'operator' },
  {
    method: 'get',
    path: 'checkup',
    summary: 'Have the daemon look for what is wrong',
    description: 'One finding for each thing that was looked at, with what to do. Nothing is changed; it takes some seconds at most.',
    needs: 'operator',
    answer: checkup,
  },
  {
    method: 'post',
    path: 'backup',
    summary: 'Make a backup',
    description: 'A tar file of all that this node is, with its keys.',
    needs: 'operator',
    answer: BYTES,
  },
  { method: 'get', path: 'whoami', summary: 'Show who the token is', needs: 'anybody' },
  { method: 'get', path: 'can', summary: 'Show whether something is allowed, and why', needs: 'anybody', query: RIGHT },
  { method: 'get', path: 'rules', summary: 'Show what the token may do here, as rules', needs: 'anybody' },
  {
    method: 'post',
    path: 'import',
    summary: 'Write Models, Types and Resources at once',
    description: 'All or none. The body: {"objects": [OBJECT, …], "dryRun": true or false}.',
    needs: 'operator',
  },
  { method: 'put', path: 'content', summary: 'Hand over a file', description: 'Answers with its digest.', needs: 'user', body: BYTES },
  { method: 'get', path: 'content/{digest}', summary: 'Read a file by its digest', needs: 'user', answer: BYTES },
  {
    method: 'post',
    path: 'parcel/export',
    summary: 'Make a bundle file for a site without network',
    needs: 'user',
    body: parcelRequest,
    answer: BYTES,
  },
  { method: 'post', path: 'parcel', summary: 'Take in a bundle file', needs: 'user', body: BYTES },
];

const of = (kind: Kind, entries: readonly ActionEntry[]): ActionEntry[] => entries.map((entry) => ({ ...entry, kind }));
const beside = (shownWith: Kind, entries: readonly ActionEntry[]): ActionEntry[] => entries.map((entry) => ({ ...entry, shownWith }));

export const ACTIONS: readonly ActionEntry[] = [
  ...of(dtDomainKind, OF_DOMAINS),
  ...of(dtAppKind, [
    {
      method: 'post',
      path: 'forward',
      summary: 'Listen here for the app',
      description: 'The body: {"local": "HOST:PORT"}. Lines: first where it listens; it does so as long as the request lasts.',
      lines: true,
    },
  ]),
  ...of(userKind, [
    {
      method: 'post',
      path: 'token',
      summary: 'Make a token for the user',
      description: 'For the operator, and for the user. The one before ends at once.',
      needs: 'READ',
    },
  ]),
  ...of(typeKind, [{ method: 'get', path: 'effective', summary: 'Show a type with all that it inherits', needs: 'READ' }]),
  ...of(resourceKind, [
    { method: 'get', path: 'effective', summary: 'Show a resource with all that follows from its type and its relations', needs: 'READ' },
    {
      method: 'get',
      path: 'bundle',
      summary: 'Read what a target has to know of the resource',
      description: 'Signed, as base64 of CBOR.',
      needs: 'READ',
    },
  ]),
  ...beside(moduleKind, WITH_MODULES),
  ...of(serviceInstanceKind, WITH_SERVICES),
  ...beside(serviceInstanceKind, [
    { method: 'post', path: 'stage', summary: 'Stage an assembly', needs: 'anybody', body: stageRequest, answer: serviceInstanceKind },
  ]),
  ...of(taskKind, WITH_TASKS),
  ...beside(executionKind, WITH_EXECUTIONS),
  ...OF_DAEMON,
];
