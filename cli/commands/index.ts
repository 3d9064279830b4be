import type { Command } from 'commander';
import type { Cli } from '../cli.ts';

/** The module of a command: adds options, arguments, examples and the action. */
export interface CommandModule {
  configure(command: Command, cli: Cli): void;
}

export interface CommandEntry {
  name: string;
  alias?: string;
  summary: string;
  /** Heading in the help for this and the following commands. */
  group?: string;
  load?: () => Promise<CommandModule>;
  children?: readonly CommandEntry[];
}

const DOMAIN: readonly CommandEntry[] = [
  { name: 'create', summary: 'create a domain; prints an invite token and the recovery key', load: () => import('./domain/create.ts') },
  { name: 'join', summary: 'join a domain through any of its members', load: () => import('./domain/join.ts') },
  { name: 'invite', summary: 'make a token for other nodes to join with', load: () => import('./domain/invite.ts') },
  { name: 'invites', summary: 'list invites', load: () => import('./domain/invites.ts') },
  { name: 'revoke', summary: 'revoke an invite', load: () => import('./domain/revoke.ts') },
  { name: 'ls', alias: 'list', summary: 'list the domains of this node', load: () => import('./domain/ls.ts') },
  { name: 'show', summary: 'show members, who is away and since when, who has heard of removals', load: () => import('./domain/show.ts') },
  { name: 'leave', summary: 'leave a domain', load: () => import('./domain/leave.ts') },
  {
    name: 'root',
    summary: 'keep, move or replace the root key of a domain',
    children: [
      { name: 'export', summary: 'print the root key', load: () => import('./domain/root-export.ts') },
      { name: 'import', summary: 'import the root key: makes this node the founder', load: () => import('./domain/root-import.ts') },
      { name: 'rotate', summary: 'make a new root key with the recovery key', load: () => import('./domain/root-rotate.ts') },
    ],
  },
  { name: 'free-name', summary: 'free the name of a removed member', load: () => import('./domain/free-name.ts') },
  { name: 'clear', summary: 'end the suspension of a member whose log forked', load: () => import('./domain/clear.ts') },
];

const APP: readonly CommandEntry[] = [
  { name: 'expose', summary: 'share something that listens here into domains', load: () => import('./app/expose.ts') },
  { name: 'ls', alias: 'list', summary: 'list apps, own and shared by others', load: () => import('./app/ls.ts') },
  { name: 'show', summary: 'show one app: where it leads and how it is reached', load: () => import('./app/show.ts') },
  { name: 'open', summary: 'open an app in the browser', load: () => import('./app/open.ts') },
  { name: 'curl', summary: 'send an HTTP request to an app', load: () => import('./app/curl.ts') },
  { name: 'forward', summary: 'make an app reachable on a local port, for any TCP protocol', load: () => import('./app/forward.ts') },
  { name: 'rm', summary: 'stop sharing an app', load: () => import('./app/rm.ts') },
];

const MODEL: readonly CommandEntry[] = [
  { name: 'import', summary: 'import a model from ControlTier, Rundeck, Ansible or dtkd files', load: () => import('./model/import.ts') },
  { name: 'ls', alias: 'list', summary: 'list the models of this node, or of all', load: () => import('./model/ls.ts') },
  { name: 'tree', summary: 'draw what runs where, and what belongs to what', load: () => import('./model/tree.ts') },
  { name: 'export', summary: 'write a model as dtkd or Rundeck YAML', load: () => import('./model/export.ts') },
];

const MODULE: readonly CommandEntry[] = [
  { name: 'init', summary: 'create a module in a new directory', load: () => import('./module/init.ts') },
  { name: 'validate', summary: 'check a module; lists all errors', load: () => import('./module/validate.ts') },
  { name: 'install', summary: 'install a module from its directory', load: () => import('./module/install.ts') },
  { name: 'import-dtk', summary: 'convert a DTK module', load: () => import('./module/import-dtk.ts') },
  { name: 'ls', alias: 'list', summary: 'list the modules of this node, or of all', load: () => import('./module/ls.ts') },
  { name: 'show', summary: 'show who signed a module, its types and their commands', load: () => import('./module/show.ts') },
  { name: 'publish', summary: 'let members of domains fetch a module', load: () => import('./module/publish.ts') },
  { name: 'unpublish', summary: 'stop publishing a module', load: () => import('./module/unpublish.ts') },
  { name: 'fetch', summary: 'fetch a module that a member publishes', load: () => import('./module/fetch.ts') },
  { name: 'rm', summary: 'remove modules with their types', load: () => import('./module/rm.ts') },
];

const USER: readonly CommandEntry[] = [
  { name: 'add', summary: 'add a user of this node; prints its token once', load: () => import('./user/add.ts') },
  { name: 'rotate', summary: 'replace the token of a user', load: () => import('./user/rotate.ts') },
  { name: 'rm', summary: 'remove users', load: () => import('./user/rm.ts') },
  { name: 'ls', alias: 'list', summary: 'list users of all nodes', load: () => import('./user/ls.ts') },
];

const TRUST: readonly CommandEntry[] = [
  { name: 'create', summary: 'create a list of users to share objects with', load: () => import('./trust/create.ts') },
  { name: 'add-member', summary: 'add users to a trust', load: () => import('./trust/add-member.ts') },
  { name: 'remove-member', summary: 'remove users from a trust', load: () => import('./trust/remove-member.ts') },
  { name: 'share', summary: 'share objects of this node into a trust', load: () => import('./trust/share.ts') },
  { name: 'unshare', summary: 'take shared objects back', load: () => import('./trust/unshare.ts') },
  { name: 'show', summary: 'show members, and what is shared', load: () => import('./trust/show.ts') },
  { name: 'ls', alias: 'list', summary: 'list trusts of all nodes', load: () => import('./trust/ls.ts') },
  { name: 'rm', summary: 'remove trusts', load: () => import('./trust/rm.ts') },
];

const EXECUTIONS: readonly CommandEntry[] = [
  { name: 'ls', alias: 'list', summary: 'list executions, the latest first', load: () => import('./executions/ls.ts') },
  { name: 'show', summary: 'show what became of each target', load: () => import('./executions/show.ts') },
  { name: 'follow', summary: 'show the output from the beginning, and follow it', load: () => import('./executions/follow.ts') },
  { name: 'abort', summary: 'end it on all targets', load: () => import('./executions/abort.ts') },
  { name: 'resume', summary: 'resume a paused execution', load: () => import('./executions/resume.ts') },
  { name: 'retry', summary: 'run it again where it did not succeed', load: () => import('./executions/retry.ts') },
];

const SECRET: readonly CommandEntry[] = [
  { name: 'set', summary: 'set a value that commands get, or replace it', load: () => import('./secret/set.ts') },
  { name: 'ls', alias: 'list', summary: 'list secrets, without their values', load: () => import('./secret/ls.ts') },
  { name: 'rm', summary: 'remove secrets', load: () => import('./secret/rm.ts') },
];

const NODE: readonly CommandEntry[] = [
  { name: 'ls', alias: 'list', summary: 'list nodes with the keys that filters use', load: () => import('./node/ls.ts') },
  {
    name: 'maintain',
    summary: 'switch maintenance on or off: commands of others skip this node',
    load: () => import('./node/maintain.ts'),
  },
  {
    name: 'tag',
    summary: 'words by which this node is chosen',
    children: [
      { name: 'add', summary: 'add tags to this node', load: () => import('./node/tag-add.ts') },
      { name: 'rm', summary: 'remove tags from this node', load: () => import('./node/tag-rm.ts') },
    ],
  },
  { name: 'set', summary: 'set properties of this node', load: () => import('./node/set.ts') },
];

const POLICY: readonly CommandEntry[] = [
  { name: 'show', summary: 'show whose code may run here, and within which limits', load: () => import('./policy/show.ts') },
  { name: 'trust', summary: 'trust models and code of a node', load: () => import('./policy/trust.ts') },
  { name: 'untrust', summary: 'stop trusting a node', load: () => import('./policy/untrust.ts') },
  { name: 'pin', summary: 'pin the exact code that may run', load: () => import('./policy/pin.ts') },
  { name: 'unpin', summary: 'unpin code: the next version that comes is pinned', load: () => import('./policy/unpin.ts') },
  { name: 'set', summary: 'set limits for what runs here', load: () => import('./policy/set.ts') },
];

const BUNDLE: readonly CommandEntry[] = [
  { name: 'export', summary: 'write a file for nodes without a connection', load: () => import('./bundle/export.ts') },
  { name: 'import', summary: 'import such a file', load: () => import('./bundle/import.ts') },
  { name: 'show', summary: 'show what is in such a file; needs no daemon', load: () => import('./bundle/show.ts') },
];

const TASK: readonly CommandEntry[] = [
  { name: 'show', summary: 'show the tree of its steps', load: () => import('./service/task-show.ts') },
  { name: 'follow', summary: 'follow it to its end', load: () => import('./service/task-follow.ts') },
  { name: 'cancel', summary: 'end it', load: () => import('./service/task-cancel.ts') },
];

const SERVICE: readonly CommandEntry[] = [
  { name: 'ls', alias: 'list', summary: 'list services of this node, or of all', load: () => import('./service/ls.ts') },
  {
    name: 'status',
    summary: 'show what is edited, applied and running, and what is wrong',
    load: () => import('./service/status.ts'),
  },
  { name: 'show', summary: 'show its components, and what can be set', load: () => import('./service/show.ts') },
  { name: 'diff', summary: 'show what was changed, with old and new values', load: () => import('./service/diff.ts') },
  { name: 'log', summary: 'list its commits', load: () => import('./service/log.ts') },
  { name: 'path', summary: 'print its directory, a git repository', load: () => import('./service/path.ts') },
  { name: 'set', summary: 'set properties, parameters, nodes and counts', load: () => import('./service/set.ts') },
  { name: 'unset', summary: 'unset settings', load: () => import('./service/unset.ts') },
  { name: 'edit', summary: 'edit dtk.service.yaml in your editor', load: () => import('./service/edit.ts') },
  { name: 'add-component', summary: 'add a component', load: () => import('./service/add-component.ts') },
  { name: 'rm-component', summary: 'remove components', load: () => import('./service/rm-component.ts') },
  { name: 'add-link', summary: 'link a component to another one', load: () => import('./service/add-link.ts') },
  { name: 'rm-link', summary: 'remove a link', load: () => import('./service/rm-link.ts') },
  { name: 'rollback', summary: 'converge to the state at a commit', load: () => import('./service/rollback.ts') },
  { name: 'drift', summary: 'check whether all resources are as they should be', load: () => import('./service/drift.ts') },
  { name: 'exec', summary: 'run a command of components, or a workflow', load: () => import('./service/exec.ts') },
  { name: 'tasks', summary: 'list tasks, running and past', load: () => import('./service/tasks.ts') },
  { name: 'task', summary: 'look at one task', children: TASK },
  { name: 'delete', summary: 'take its resources down, and keep its files', load: () => import('./service/delete.ts') },
  { name: 'uninstall', summary: 'take its resources down, and remove it', load: () => import('./service/uninstall.ts') },
  { name: 'diff-module', summary: 'compare its copies with the modules', load: () => import('./service/diff-module.ts') },
  { name: 'pull-module', summary: 'update its copy from a version of the module', load: () => import('./service/pull-module.ts') },
  { name: 'push-module', summary: 'make a new version of the module from its copy', load: () => import('./service/push-module.ts') },
  {
    name: 'default-target',
    summary: 'show or set the target used when none is named',
    load: () => import('./service/default-target.ts'),
  },
];

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  { group: 'Start here:', name: 'up', summary: 'start the daemon of this node', load: () => import('./up.ts') },
  { name: 'status', summary: 'what runs here, who is connected, what is wrong', load: () => import('./status.ts') },
  { name: 'doctor', summary: 'find problems, and say how to fix them', load: () => import('./doctor.ts') },
  { name: 'domain', summary: 'create, join and manage domains', children: DOMAIN },
  { name: 'app', summary: 'share services, and use shared ones', children: APP },
  { name: 'bundle', summary: 'files that carry a domain between nodes that never connect', children: BUNDLE },
  { name: 'model', summary: 'draw, import and export models', children: MODEL },
  { name: 'module', summary: 'types with commands, and the scripts that these run', children: MODULE },
  {
    group: 'Services:',
    name: 'stage',
    summary: 'create a service from an assembly of a module',
    load: () => import('./stage.ts'),
  },
  { name: 'converge', summary: 'bring a service to the state its files describe', load: () => import('./converge.ts') },
  { name: 'service', summary: 'show and change services, run their commands', children: SERVICE },
  {
    group: 'Running commands:',
    name: 'run',
    summary: 'run a command of a resource, here or on chosen nodes',
    load: () => import('./run.ts'),
  },
  {
    name: 'ctl',
    summary: "the same with ControlTier's flags; without a command it lists what you can run",
    load: () => import('./ctl.ts'),
  },
  { name: 'exec', summary: 'run any program on chosen nodes', load: () => import('./exec.ts') },
  { name: 'executions', alias: 'execution', summary: 'what was run, with its output; abort and retry', children: EXECUTIONS },
  { name: 'cp', summary: 'copy files to chosen nodes, or from them', load: () => import('./cp.ts') },
  { name: 'secret', summary: 'values that commands get and nobody sees', children: SECRET },
  { name: 'node', summary: 'tags, properties and maintenance of this node', children: NODE },
  { name: 'policy', summary: 'whose code may run on this node, and within which limits', children: POLICY },
  { group: 'Who may do what:', name: 'user', summary: 'users of this node', children: USER },
  { name: 'grant', summary: 'give a user or a trust rights on objects', load: () => import('./grant.ts') },
  { name: 'revoke', summary: 'take rights back', load: () => import('./revoke.ts') },
  { name: 'can', summary: 'say whether a user may do something, and why', load: () => import('./can.ts') },
  { name: 'trust', summary: 'share objects with lists of users', children: TRUST },
  { name: 'whoami', summary: 'show the user of the token, and its grants', load: () => import('./whoami.ts') },
  { group: 'Objects:', name: 'get', summary: 'list objects', load: () => import('./get.ts') },
  { name: 'describe', summary: 'show objects in full, with their events', load: () => import('./describe.ts') },
  { name: 'apply', summary: 'create or update objects from YAML or JSON', load: () => import('./apply.ts') },
  { name: 'create', summary: 'create objects from YAML or JSON', load: () => import('./create.ts') },
  { name: 'edit', summary: 'edit an object in your editor', load: () => import('./edit.ts') },
  { name: 'patch', summary: 'change fields of an object', load: () => import('./patch.ts') },
  { name: 'delete', summary: 'delete objects', load: () => import('./delete.ts') },
  { name: 'watch', summary: 'follow changes of objects', load: () => import('./watch.ts') },
  { name: 'api-resources', summary: 'list the kinds of objects', load: () => import('./api-resources.ts') },
  { name: 'explain', summary: 'describe the fields of a kind', load: () => import('./explain.ts') },
  { name: 'kubeconfig', summary: 'let kubectl talk to this node', load: () => import('./kubeconfig.ts') },
  {
    group: 'Other:',
    name: 'audit',
    summary: 'who did what on this node; verify that record',
    children: [
      { name: 'show', summary: 'show the newest lines of the audit log', load: () => import('./audit/show.ts') },
      {
        name: 'verify',
        summary: 'check every line of the audit log, and what other members have seen of it',
        load: () => import('./audit/verify.ts'),
      },
    ],
  },
  {
    name: 'token',
    summary: 'the operator token of the daemon',
    children: [{ name: 'rotate', summary: 'replace the operator token', load: () => import('./token-rotate.ts') }],
  },
  { name: 'backup', summary: 'back this node up into a file, while it runs', load: () => import('./backup.ts') },
  { name: 'restore', summary: 'restore a node from a backup', load: () => import('./restore.ts') },
  { name: 'completion', summary: 'completion script for bash, zsh or fish', load: () => import('./completion.ts') },
  { name: 'version', summary: 'versions of this command and of the daemon', load: () => import('./version.ts') },
];

/** What `dtkd` alone prints. */
export const ORIENTATION = `dtkd shares services between sites, with no server in the middle.

  dtkd up                                  start the daemon of this node
  dtkd status                              what runs here and who is connected

  dtkd domain create mydomain              found a domain; prints a token for others
  dtkd domain join ADDRESS TOKEN           join one, through any of its members
  dtkd app expose wiki --to HOST:PORT      share a service with the domain
  dtkd app ls                              what is shared, with the address of each

  dtkd get all                             the objects behind all this
  dtkd --help                              every command`;
