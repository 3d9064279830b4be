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
import { abortRequest, dispatchRequest, followRequest, resumeRequest, retryRequest } from '../../../../protocol/requests/dispatch.ts';
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
    description: 'Returns the dtDomain and the recovery key, which is shown only this once.',
  },
  {
    method: 'post',
    path: 'join',
    summary: 'Join the domain',
    description:
      'Answers once this node is a member. Sets `already` if it was one before, `elsewhere` if it joined through an address in the token.',
    body: joinRequest,
  },
  { method: 'post', path: 'leave', summary: 'Leave the domain', body: leaveRequest },
  { method: 'get', path: 'invites', summary: 'List invites' },
  { method: 'post', path: 'invites', summary: 'Invite machines', body: inviteRequest },
  { method: 'delete', path: 'invites/{invite}', summary: 'Revoke an invite' },
  { method: 'post', path: 'root/export', summary: 'Export the root key', answer: rootKey },
  { method: 'post', path: 'root/import', summary: 'Import the root key', body: rootKey },
  {
    method: 'post',
    path: 'root/rotate',
    summary: 'Replace the root key, using the recovery key',
    body: recoveryKey,
    answer: recoveryKey,
  },
  { method: 'get', path: 'members', summary: 'Show the domain and its members' },
  { method: 'post', path: 'names/{node}/free', summary: 'Free the name of a removed member' },
  { method: 'post', path: 'clear/{peer}', summary: 'Lift the suspension of a member' },
];

const WITH_SERVICES: readonly ActionEntry[] = [
  { method: 'get', path: 'state', summary: 'Show the state of the service', needs: 'READ', answer: serviceState },
  {
    method: 'get',
    path: 'diff',
    summary: 'Show what was edited, or what changed between two commits',
    needs: 'READ',
    query: {
      from: 'The commit to compare from. Default: the applied commit, or HEAD if none is applied.',
      to: 'The commit to compare to. Default: the files in the directory.',
    },
    answer: serviceDiff,
  },
  {
    method: 'get',
    path: 'log',
    summary: 'List the commits of the service',
    needs: 'READ',
    query: { from: 'The commit to start from. Default: the latest.', limit: 'The maximum number of commits. Default: 200.' },
    answer: serviceLog,
  },
  { method: 'get', path: 'file', summary: 'Read the service file', needs: 'READ', answer: fileAnswer },
  { method: 'post', path: 'file', summary: 'Replace the service file', needs: 'UPDATE', body: fileRequest, answer: editAnswer },
  { method: 'post', path: 'edit', summary: 'Edit the service file', needs: 'UPDATE', body: editRequest, answer: editAnswer },
  {
    method: 'get',
    path: 'modules',
    summary: 'Compare the copies of modules with the modules they were copied from',
    needs: 'READ',
    query: { module: 'The name of the module. Default: all modules.' },
    answer: copiesDiff,
  },
  { method: 'post', path: 'modules', summary: 'Pull or push a copy of a module', needs: 'UPDATE', body: copyRequest, answer: copyAnswer },
  { method: 'post', path: 'plan', summary: 'Show what a converge would do', needs: 'READ', body: convergeRequest, answer: planAnswer },
  {
    method: 'post',
    path: 'converge',
    summary: 'Converge the service',
    description: 'Returns the plan and the name of the Task that carries it out.',
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
    summary: 'Check the service for drift',
    needs: 'EXECUTE',
    body: takeDownRequest,
    answer: planAnswer,
  },
  {
    method: 'post',
    path: 'delete',
    summary: 'Take the service down but keep its files',
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
    summary: 'Set or unset this service as the default target',
    description: 'The body is {"default": true} or {"default": false}.',
    needs: 'MANAGE',
  },
];

const WITH_TASKS: readonly ActionEntry[] = [
  {
    method: 'get',
    path: 'follow',
    summary: 'Follow a task',
    needs: 'READ',
    query: { output: 'The output to include: `all`, `none`, or the number of a step. Default: `all`.' },
    lines: taskLine,
  },
  { method: 'post', path: 'cancel', summary: 'Cancel a task', needs: 'EXECUTE', answer: taskKind },
];

const WITH_EXECUTIONS: readonly ActionEntry[] = [
  {
    method: 'get',
    path: 'dispatch',
    summary: 'Show what can be run',
    needs: 'user',
    query: {
      model: 'The name of the model.',
      type: 'The name of the type.',
      resource: 'The name of the resource.',
      command: 'The name of the command.',
    },
    answer: contextAnswer,
  },
  {
    method: 'post',
    path: 'dispatch',
    summary: 'Run a command',
    description: 'Returns the Execution; with `follow`, lines that report progress; with `dryRun`, the plan.',
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
    query: { from: 'The offsets in the output to continue from, as a JSON object by the number of the target.' },
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
  { method: 'post', path: 'executions/{id}/abort', summary: 'Abort an execution', needs: 'user', body: abortRequest },
  {
    method: 'post',
    path: 'executions/{id}/resume',
    summary: 'Resume a paused execution',
    needs: 'user',
    body: resumeRequest,
    answer: executionKind,
  },
  {
    method: 'post',
    path: 'executions/{id}/retry',
    summary: 'Retry an execution on the targets that did not succeed',
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
    description: 'The archive must have been uploaded as content before.',
    needs: 'user',
    body: installRequest,
  },
  { method: 'post', path: 'module-publish', summary: 'Publish a module to domains', needs: 'user', body: publishRequest },
  {
    method: 'post',
    path: 'module-fetch',
    summary: 'Fetch a module and its dependencies',
    needs: 'user',
    body: fetchRequest,
    lines: true,
  },
  { method: 'post', path: 'module-lock', summary: 'Choose the versions for a lock file', needs: 'user', body: lockRequest, lines: true },
];

const RIGHT = {
  who: 'The user, as USER@NODE. Default: the user who asks.',
  verb: 'The verb: DISCOVER, READ, CREATE, UPDATE, DELETE, MANAGE, REQUEST or EXECUTE.',
  what: 'The object or kind: resource/MODEL/NAME, KIND/NAME or KIND.',
};

const OF_DAEMON: readonly ActionEntry[] = [
  { method: 'get', path: 'status', summary: 'Show the status of the daemon', needs: 'operator' },
  {
    method: 'post',
    path: 'token',
    summary: "Replace the operator's token",
    description: 'The current token becomes invalid at once.',
    needs: 'operator',
  },
  {
    method: 'get',
    path: 'audit/show',
    summary: 'Show the audit log',
    needs: 'operator',
    query: {
      limit: 'The maximum number of lines. Default: 100.',
      who: 'Only lines whose user contains this text, ignoring case.',
      verb: 'Only lines whose verb contains this text, ignoring case.',
      what: 'Only lines whose object contains this text, ignoring case.',
      follow: 'If `true`, keep the response open and send new lines as they are written.',
    },
  },
  { method: 'get', path: 'audit/verify', summary: 'Verify the audit log against the heads that peers witnessed', needs: 'operator' },
  {
    method: 'get',
    path: 'checkup',
    summary: 'Check the daemon for problems',
    description: 'Returns one finding for each check, with what to do about it. Changes nothing. Takes a few seconds at most.',
    needs: 'operator',
    answer: checkup,
  },
  {
    method: 'post',
    path: 'backup',
    summary: 'Create a backup',
    description: 'Returns a tar file with all data and keys of this node.',
    needs: 'operator',
    answer: BYTES,
  },
  { method: 'get', path: 'whoami', summary: 'Show whose token it is', needs: 'anybody' },
  { method: 'get', path: 'can', summary: 'Show whether an action is allowed, and why', needs: 'anybody', query: RIGHT },
  { method: 'get', path: 'rules', summary: 'List the rules for what the token may do on this node', needs: 'anybody' },
  {
    method: 'post',
    path: 'import',
    summary: 'Write Models, Types and Resources in one request',
    description: 'Writes all objects or none. The body is {"objects": [OBJECT, …], "dryRun": true or false}.',
    needs: 'operator',
  },
  { method: 'put', path: 'content', summary: 'Upload a file', description: 'Returns the digest of the file.', needs: 'user', body: BYTES },
  { method: 'get', path: 'content/{digest}', summary: 'Read a file by its digest', needs: 'user', answer: BYTES },
  {
    method: 'post',
    path: 'parcel/export',
    summary: 'Create a bundle file for a site without a network connection',
    needs: 'user',
    body: parcelRequest,
    answer: BYTES,
  },
  { method: 'post', path: 'parcel', summary: 'Import a bundle file', needs: 'user', body: BYTES },
];

const of = (kind: Kind, entries: readonly ActionEntry[]): ActionEntry[] => entries.map((entry) => ({ ...entry, kind }));
const beside = (shownWith: Kind, entries: readonly ActionEntry[]): ActionEntry[] => entries.map((entry) => ({ ...entry, shownWith }));

export const ACTIONS: readonly ActionEntry[] = [
  ...of(dtDomainKind, OF_DOMAINS),
  ...of(dtAppKind, [
    {
      method: 'post',
      path: 'forward',
      summary: 'Forward a local port to the app',
      description: 'The body is {"local": "HOST:PORT"}. The first line of the answer has the address. Listens until the request ends.',
      lines: true,
    },
  ]),
  ...of(userKind, [
    {
      method: 'post',
      path: 'token',
      summary: 'Create a token for the user',
      description: 'For the operator and the user. The previous token becomes invalid at once.',
      needs: 'READ',
    },
  ]),
  ...of(typeKind, [{ method: 'get', path: 'effective', summary: 'Show a type with everything it inherits', needs: 'READ' }]),
  ...of(resourceKind, [
    { method: 'get', path: 'effective', summary: 'Show a resource with the values that follow from its type and relations', needs: 'READ' },
    {
      method: 'get',
      path: 'bundle',
      summary: 'Read the signed bundle of the resource that targets need',
      description: 'Returns signed CBOR in base64.',
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
