/**
 * What stories of dispatch begin with: sites in one domain, a user of the first who may run commands on all of them, a type whose commands
 * really run, and resources that are deployed. Marker files say what ran where, whatever anybody says of it.
 */
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Command } from '../../../protocol/definitions/commands.ts';
import { executionSchema } from '../../../protocol/kinds/execution.ts';
import type { Part } from '../../../protocol/orders/outcome.ts';
import { formDomain } from '../../harness/domain.ts';
import type { Site } from '../../harness/site.ts';
import type { Stage } from '../../harness/stage.ts';
import { addUser, grant, modelDocument, resourceDocument, type SiteUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';

export const DOMAIN = 'field';
export const MODEL = 'demo';

export interface Field {
  sites: Site[];
  /** The first site, which owns the model and starts commands. */
  home: Site;
  ops: SiteUser;
  /** Where commands leave their marks. */
  marks: string;
}

export interface FieldOptions {
  names: readonly string[];
  /** Words that `dtkd up --tag` is given, by site. */
  tags?: Readonly<Record<string, string>>;
  /** More environment of daemons, by site. */
  envs?: Readonly<Record<string, NodeJS.ProcessEnv>>;
}

/** Starts the sites and lets ops@FIRST run commands on all of them. */
export async function openField(stage: Stage, { names, tags = {}, envs = {} }: FieldOptions): Promise<Field> {
  const sites = await Promise.all(
    names.map((name) =>
      stage.start({
        name,
        ...(tags[name] === undefined ? {} : { args: ['--tags', tags[name]] }),
        ...(envs[name] === undefined ? {} : { env: envs[name] }),
      }),
    ),
  );
  const [home] = sites;
  if (home === undefined) throw new Error('a field needs a site');
  await formDomain(DOMAIN, sites);
  const ops = await addUser(home, 'ops');
  for (const site of sites) await allow(site, home, ops);
  const marks = join(stage.directory, 'marks');
  await mkdir(marks, { recursive: true });
  return { sites, home, ops, marks };
}

/** Lets a user run commands at a site, and the code of `owner` be run there. */
export async function allow(site: Site, owner: Site, user: SiteUser): Promise<void> {
  await grant(site, user, ['READ', 'EXECUTE'], { kind: 'resources.dtkd.dev' });
  if (site === owner || (await site.get('policy', 'node')) !== undefined) return;
  await waitFor(async () => (await site.get('node', owner.name)) !== undefined, { what: `${site.name} to know the node ${owner.name}` });
  await site.create({
    apiVersion: 'dtkd.dev/v1',
    kind: 'Policy',
    metadata: { name: 'node' },
    spec: { trust: [{ node: owner.name, follow: true }] },
  });
}

/** Runs the CLI as the operator of a site; anything but status 0 fails. */
export async function ok(site: Site, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await site.cli(...args);
  if (code !== 0) throw new Error(`dtkd ${args.join(' ')} at ${site.name}: status ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** Makes a type with commands, in the model of the first site. */
export async function makeType(
  { home }: Field,
  name: string,
  commands: Record<string, Command>,
  spec: Record<string, unknown> = {},
): Promise<void> {
  await home.create({
    apiVersion: 'dtkd.dev/v1',
    kind: 'Type',
    metadata: { name: name.toLowerCase() },
    spec: { name, extends: 'Service', ...spec, commands },
  });
}

/** Makes a resource, deployed to sites; and the model, if it is not there. */
export async function deploy(
  { home }: Field,
  type: string,
  name: string,
  nodes: readonly (Site | string)[],
  spec: Record<string, unknown> = {},
): Promise<void> {
  if ((await home.get('model', MODEL)) === undefined) await home.create(modelDocument(MODEL));
  const parents = nodes.map((node) => (typeof node === 'string' ? node : `node/${node.name}`));
  await home.create(resourceDocument(name.toLowerCase(), { model: MODEL, type, name, parents, ...spec }));
}

/** An inline script of a command. */
export function shell(text: string, more: Record<string, unknown> = {}): Command {
  return { script: { inline: text }, ...more };
}

/** Shell text that leaves a mark: a line with the node's name in the file WHAT. */
export function mark({ marks }: Pick<Field, 'marks'>, what: string): string {
  return `echo "$DTKD_NODE" >> '${join(marks, what)}'`;
}

/** The nodes that left a mark, in the order in which they did. */
export async function marked({ marks }: Pick<Field, 'marks'>, what: string): Promise<string[]> {
  const text = await readFile(join(marks, what), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** Opens a gate for which a command waits with `waitForGate`. */
export async function openGate({ marks }: Pick<Field, 'marks'>, gate: string): Promise<void> {
  await appendFile(join(marks, `gate-${gate}`), '');
}

/** Shell text that waits until a gate is opened, two minutes at most: what a failed test leaves behind ends by itself. */
export function waitForGate({ marks }: Pick<Field, 'marks'>, gate: string): string {
  return `waited=0; while [ ! -e '${join(marks, `gate-${gate}`)}' ] && [ $waited -lt 2400 ]; do sleep 0.05; waited=$((waited+1)); done`;
}

const started = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });

/** Starts a command without waiting for its end; returns the id of the execution. */
export async function start(user: SiteUser, request: Record<string, unknown>): Promise<string> {
  const answer = await user.call('/apis/dtkd.dev/v1/daemon/dispatch', { method: 'POST', body: { request } });
  return started.parse(answer).metadata.name;
}

/** The parts of an execution as a user sees them, by node. */
export async function partsOf(user: SiteUser, id: string): Promise<Map<string, Part>> {
  const answer = await user.call(`/apis/dtkd.dev/v1/daemon/executions/${id}`);
  const parsed = executionSchema.parse(answer);
  return new Map((parsed.status?.parts ?? []).map((part) => [part.node, part]));
}

export async function phaseOf(user: SiteUser, id: string): Promise<string | undefined> {
  return executionSchema.parse(await user.call(`/apis/dtkd.dev/v1/daemon/executions/${id}`)).status?.phase;
}
