/**
 * What stories of services begin with: sites in one domain, a user of the first who may do everything there and run commands on the others, and a
 * module whose pages are really served. Each command leaves a line in a log, and files say what is really up.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type ServiceState, serviceState } from '../../../protocol/requests/service.ts';
import { fetchText } from '../../harness/http.ts';
import { NODE } from '../../harness/node-binary.ts';
import type { Site } from '../../harness/site.ts';
import type { Stage } from '../../harness/stage.ts';
import { grant, type SiteUser } from '../../harness/user.ts';
import { type FieldOptions, openField } from '../dispatch/field.ts';

export interface Shop {
  sites: Site[];
  /** The first site, which has the services. */
  home: Site;
  ops: SiteUser;
  /** What commands leave behind: `log`, and a file for each resource that is up. */
  left: string;
  /** The directory of the module. */
  module: string;
}

const EVERYTHING = ['DISCOVER', 'CREATE', 'READ', 'UPDATE', 'DELETE', 'MANAGE', 'EXECUTE'];
/** What an app is made of. */
const APP_KINDS = ['services', 'endpoints', 'dtapps.sid.sightlineinnovation.com'];

/** Starts the sites; ops@FIRST may do what services need. */
export async function openShop(stage: Stage, options: FieldOptions): Promise<Shop> {
  const { sites, home, ops } = await openField(stage, options);
  for (const kind of ['*', 'secrets.dtkd.dev']) await grant(home, ops, EVERYTHING, { kind });
  for (const site of sites.slice(1)) for (const kind of APP_KINDS) await grant(site, ops, EVERYTHING, { kind });
  const left = join(stage.directory, 'left');
  await mkdir(left);
  const module = join(stage.directory, 'module');
  await writeModule(module);
  return { sites, home, ops, left, module };
}

/** Runs the CLI as ops; anything but status 0 fails. */
export async function ok({ ops }: Pick<Shop, 'ops'>, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await ops.cli(...args);
  if (code !== 0) throw new Error(`dtkd ${args.join(' ')}: status ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** Stages the assembly of the module. */
export async function stageShop(shop: Shop, assembly: string, name: string, ...more: string[]): Promise<void> {
  await ok(shop, 'stage', `acme/web:${assembly}`, '--name', name, '--set', `dir=${shop.left}`, '--set', `node=${NODE}`, ...more);
}

export async function stateOf({ ops, home }: Pick<Shop, 'ops' | 'home'>, name: string): Promise<ServiceState> {
  return serviceState.parse(await ops.call(home.path('serviceinstance', name, { sub: 'state' })));
}

/** Lines `NODE RESOURCE COMMAND` of what was run, in its order. */
export async function ran({ left }: Pick<Shop, 'left'>): Promise<string[]> {
  const text = await readFile(join(left, 'log'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

/** What is up, by `SERVICE.RESOURCE@NODE`, with what it serves. */
export async function up({ left }: Pick<Shop, 'left'>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(left)).sort()) {
    if (name.startsWith('up-')) found[name.slice('up-'.length)] = await readFile(join(left, name), 'utf8');
  }
  return found;
}

/** The page that is served at a port of this machine; undefined if nothing listens there. */
export async function page(port: number): Promise<string | undefined> {
  return fetchText({ target: { host: '127.0.0.1', port }, path: '/', timeoutMs: 5_000 }).then(
    ({ body }) => body,
    () => undefined,
  );
}

const head = z.looseObject({ status: z.looseObject({ state: z.string() }) });

/** The state of a task. */
export async function taskState({ ops, home }: Pick<Shop, 'ops' | 'home'>, task: string): Promise<string> {
  return head.parse(await ops.call(home.path('task', task))).status.state;
}

/** Makes the next version of the module: other texts, and whatever else is put in their place. */
export async function writeModule(directory: string, version = '1.0.0', replaced: Record<string, string> = {}): Promise<void> {
  await mkdir(join(directory, 'bin'), { recursive: true });
  const files: Record<string, string> = {
    'dtk.module.yaml': MANIFEST.replace('VERSION', version),
    'bin/up': UP,
    'bin/down': DOWN,
    'bin/check': CHECK,
    'bin/serve.js': SERVE,
  };
  for (const [path, text] of Object.entries(files)) {
    const whole = Object.entries(replaced).reduce((now, [from, to]) => now.replaceAll(from, to), text);
    await writeFile(join(directory, path), whole, { mode: path.startsWith('bin/') ? 0o755 : 0o644 });
  }
}

const MANIFEST = `dsl_version: "1.0"
module: acme/web
version: VERSION
description: Pages that are served, and what they tell of the store behind them.
types:
  Page:
    extends: Service
    properties:
      port: {type: port, required: true}
      text: {type: string, default: hello}
      store: {type: string, default: none}
      dir: {type: string, required: true}
      node: {type: string, required: true}
    links:
      store: {type: Store, take: {store: text}}
    commands:
      create: {script: {file: bin/up, args: [create]}}
      converge: {script: {file: bin/up, args: [converge]}}
      restart: {options: {why: {default: asked}}, script: {file: bin/up, args: ["restart-\${options.why}"]}}
      delete: {script: {file: bin/down}}
      check: {script: {file: bin/check}}
      hold: {script: {inline: 'echo held; waited=0; while [ ! -e "$DTKD_PROPERTY_DIR/gate" ] && [ $waited -lt 2400 ]; do sleep 0.05; waited=$((waited+1)); done'}}
  Store:
    extends: Service
    properties:
      text: {type: string, default: shelves}
      dir: {type: string, required: true}
    commands:
      create: {script: {inline: 'echo "$DTKD_NODE $DTKD_RESOURCE_NAME create" >> "$DTKD_PROPERTY_DIR/log"; printf %s "$DTKD_PROPERTY_TEXT" > "$DTKD_PROPERTY_DIR/up-$DTKD_RESOURCE_MODEL.$DTKD_RESOURCE_NAME@$DTKD_NODE"'}}
      delete: {script: {inline: 'echo "$DTKD_NODE $DTKD_RESOURCE_NAME delete" >> "$DTKD_PROPERTY_DIR/log"; rm -f "$DTKD_PROPERTY_DIR/up-$DTKD_RESOURCE_MODEL.$DTKD_RESOURCE_NAME@$DTKD_NODE"'}}
assemblies:
  three:
    description: A store, and pages on two other nodes.
    parameters: &parameters
      dir: {type: string, required: true}
      node: {type: string, required: true}
      port: {type: port, default: 18080}
      text: {type: string, default: hello}
    components:
      store:
        type: Store
        properties: {dir: "\${parameters.dir}"}
        on: tags=store
      page:
        type: Page
        properties: {dir: "\${parameters.dir}", node: "\${parameters.node}", port: "\${parameters.port}", text: "\${parameters.text}"}
        on: {nodes: tags=web, count: all}
        links: {store: store}
    workflows:
      rolling:
        steps:
          - {component: page, command: restart, batch: "1", options: {why: rolling}}
  one:
    description: A page here.
    parameters: *parameters
    components:
      page:
        type: Page
        properties: {dir: "\${parameters.dir}", node: "\${parameters.node}", port: "\${parameters.port}", text: "\${parameters.text}"}
  placed:
    description: A page wherever the target says.
    target: place
    parameters: *parameters
    components:
      page:
        type: Page
        properties: {dir: "\${parameters.dir}", node: "\${parameters.node}", port: "\${target.port}", text: "\${target.text}"}
  place:
    description: Where pages go, and what they say there.
    role: target
    kind: place
    parameters:
      nodes: {type: string, required: true}
      port: {type: port, required: true}
      text: {type: string, required: true}
    offers: {nodes: "\${parameters.nodes}", port: "\${parameters.port}", text: "\${parameters.text}"}
  shared:
    description: A page on each web node, with a URI at every site.
    parameters: *parameters
    components:
      page:
        type: Page
        properties: {dir: "\${parameters.dir}", node: "\${parameters.node}", port: "\${parameters.port}", text: "\${parameters.text}"}
        on: {nodes: tags=web, count: 1}
    apps:
      page: {component: page, domains: [field]}
`;

const UP = `#!/bin/sh
# $1: which command it is.
d=$DTKD_PROPERTY_DIR
me=$DTKD_RESOURCE_MODEL.$DTKD_RESOURCE_NAME@$DTKD_NODE
printf '%s' "$DTKD_PROPERTY_TEXT from $DTKD_PROPERTY_STORE" > "$d/.$me" && mv "$d/.$me" "$d/up-$me" || exit 1
if ! kill -0 "$(cat pid 2>/dev/null || echo none)" 2>/dev/null || [ "$(cat port 2>/dev/null)" != "$DTKD_PROPERTY_PORT" ]; then
  kill "$(cat pid 2>/dev/null || echo none)" 2>/dev/null
  setsid nohup "$DTKD_PROPERTY_NODE" "$(dirname "$0")/serve.js" "$DTKD_PROPERTY_PORT" "$d/up-$me" listening </dev/null >>serve.log 2>&1 &
  echo $! > pid
  echo "$DTKD_PROPERTY_PORT" > port
fi
waited=0
while [ "$(cat listening 2>/dev/null)" != "$DTKD_PROPERTY_PORT" ] && [ $waited -lt 2400 ]; do sleep 0.05; waited=$((waited+1)); done
echo "$DTKD_NODE $DTKD_RESOURCE_NAME $1" >> "$d/log"
`;

const DOWN = `#!/bin/sh
d=$DTKD_PROPERTY_DIR
kill "$(cat pid 2>/dev/null || echo none)" 2>/dev/null
rm -f pid port listening "$d/up-$DTKD_RESOURCE_MODEL.$DTKD_RESOURCE_NAME@$DTKD_NODE"
echo "$DTKD_NODE $DTKD_RESOURCE_NAME delete" >> "$d/log"
`;

const CHECK = `#!/bin/sh
kill -0 "$(cat pid 2>/dev/null || echo none)" 2>/dev/null || { echo "nothing serves $DTKD_RESOURCE_NAME"; exit 1; }
[ "$(cat "$DTKD_PROPERTY_DIR/up-$DTKD_RESOURCE_MODEL.$DTKD_RESOURCE_NAME@$DTKD_NODE")" = "$DTKD_PROPERTY_TEXT from $DTKD_PROPERTY_STORE" ]
`;

/** Ends by itself after ten minutes, whatever a test that failed leaves behind. */
const SERVE = `const { createServer } = require('node:http');
const { readFileSync, writeFileSync } = require('node:fs');
const [port, file, told] = process.argv.slice(2);
createServer((_request, response) => response.end(readFileSync(file))).listen(Number(port), '127.0.0.1', () => writeFileSync(told, port));
setTimeout(() => process.exit(), 600000);
`;
