/** Suggestions for a word that is not a command: what other tools call a command, or a word that some group has. Pure. */
import { COMMANDS, type CommandEntry } from './commands/index.ts';

/** Words of other tools, and the command that does the same here. */
const ELSEWHERE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  dtkd: {
    diff: 'dtkd apply -f FILE --dry-run',
    logs: 'dtkd executions follow ID',
    log: 'dtkd executions follow ID',
    plan: 'dtkd converge SERVICE --dry-run',
    deploy: 'dtkd converge SERVICE',
    upgrade: 'dtkd service pull-module SERVICE MODULE',
    destroy: 'dtkd service uninstall SERVICE',
    history: 'dtkd service log SERVICE',
    start: 'dtkd run Start RESOURCE',
    stop: 'dtkd run Stop RESOURCE',
    restart: 'dtkd run Restart RESOURCE',
    ssh: 'dtkd exec -I FILTER -- PROGRAM',
    shell: 'dtkd exec -I FILTER -- PROGRAM',
    cordon: 'dtkd node maintain on',
    drain: 'dtkd node maintain on',
    uncordon: 'dtkd node maintain off',
    label: 'dtkd edit KIND NAME',
    annotate: 'dtkd edit KIND NAME',
    wait: 'dtkd watch KIND',
    members: 'dtkd domain show DOMAIN',
  },
  'dtkd domain': { remove: 'dtkd delete dtpeer NODE', rm: 'dtkd delete dtpeer NODE', delete: 'dtkd domain leave DOMAIN' },
  'dtkd app': { create: 'dtkd app expose APP --to HOST:PORT', add: 'dtkd app expose APP --to HOST:PORT' },
  'dtkd model': {
    rm: 'dtkd delete model MODEL --cascade',
    remove: 'dtkd delete model MODEL --cascade',
    delete: 'dtkd delete model MODEL --cascade',
  },
  'dtkd audit': { ls: 'dtkd audit show', log: 'dtkd audit show' },
  'dtkd secret': { show: 'dtkd secret ls', get: 'dtkd secret ls', create: 'dtkd secret set SECRET', add: 'dtkd secret set SECRET' },
  'dtkd service': {
    plan: 'dtkd converge SERVICE --dry-run',
    converge: 'dtkd converge SERVICE',
    apply: 'dtkd converge SERVICE',
    create: 'dtkd stage MODULE:ASSEMBLY',
    add: 'dtkd stage MODULE:ASSEMBLY',
    stage: 'dtkd stage MODULE:ASSEMBLY',
    rm: 'dtkd service uninstall SERVICE',
    remove: 'dtkd service uninstall SERVICE',
    destroy: 'dtkd service uninstall SERVICE',
    logs: 'dtkd service tasks SERVICE',
  },
};

/** Synonyms. The first one that a group has as a command is suggested. */
const SAME: readonly (readonly string[])[] = [
  ['rm', 'remove', 'delete', 'uninstall', 'unexpose', 'destroy'],
  ['add', 'create', 'new', 'init'],
  ['show', 'describe', 'get', 'info', 'inspect', 'status'],
  ['ls', 'get', 'list', 'search'],
  ['abort', 'cancel', 'stop', 'kill'],
  ['follow', 'log', 'logs', 'output', 'tail'],
];

/** A word that is in more groups than this says nothing about which one was meant. */
const MAX_GROUPS = 2;

/** Command lines for a word that is no command of `asked`, such as `dtkd module`. Empty if nothing is known. */
export function meantBy(word: string, asked: string): string[] {
  const own = ELSEWHERE[asked] ?? {};
  if (Object.hasOwn(own, word)) return [own[word] ?? ''];
  const groups = asked === 'dtkd' ? COMMANDS.filter(({ children }) => children?.some(({ name }) => name === word)) : [];
  if (groups.length > 0 && groups.length <= MAX_GROUPS) return groups.map(({ name }) => `dtkd ${name} ${word}`);
  const here = commandsOf(asked).map(({ name }) => name);
  const same = SAME.flatMap((words) => (words.includes(word) ? words.filter((other) => here.includes(other)).slice(0, 1) : []));
  return same.slice(0, 1).map((name) => `${asked} ${name}`);
}

function commandsOf(asked: string): readonly CommandEntry[] {
  let entries = COMMANDS;
  for (const word of asked.split(' ').slice(1)) entries = entries.find(({ name }) => name === word)?.children ?? [];
  return entries;
}
