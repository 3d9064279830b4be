/**
 * `npm run demo`: three real daemons on this machine walk through the dtDomains example, from founding a domain to removing a peer, with a
 * real HTTP service behind the shared app. Then a web tier is staged and converged over two of them. The sites keep running until Ctrl-C;
 * with `--once` it ends by itself, with status 0 only if every step had the expected result.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '../test/harness/child.ts';
import { copyOf, peerNamed } from '../test/harness/domain.ts';
import { DTKD, REPOSITORY } from '../test/harness/node-binary.ts';
import type { Origin } from '../test/harness/origin.ts';
import { findProgram } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import { waitFor } from '../test/wait.ts';
import { checked, command, dtkd, elapsed, failed, heading, result, say } from './narrator.ts';
import { showWebTier } from './web-tier.ts';

const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
const BODY = 'hello from example-service\n';
const DOMAIN = 'mydomain';
const APP = 'mydtapp';

/** A document of examples/dtdomains, with values of this run filled in. Returns its path. */
async function example(stage: Stage, name: string, replacements: Record<string, string> = {}): Promise<string> {
  let text = await readFile(join(REPOSITORY, 'examples', 'dtdomains', name), 'utf8');
  for (const [from, to] of Object.entries(replacements)) text = text.replaceAll(from, to);
  const path = join(stage.directory, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

async function startSites(stage: Stage): Promise<[Site, Site, Site]> {
  heading('Three sites, each with a daemon and a database of its own');
  const sites = ['node0', 'node1', 'node2'].map((name) => stage.site({ name, dir: join(stage.directory, name) }));
  await Promise.all(sites.map((site) => site.start()));
  for (const site of sites) {
    command(site.name, `dtkd up --name ${site.name} --data ${site.dir} …`);
    result(site.child.stdout);
  }
  const [node0, node1, node2] = sites;
  if (node0 === undefined || node1 === undefined || node2 === undefined) throw new Error('three sites');
  return [node0, node1, node2];
}

async function foundDomain(stage: Stage, node0: Site): Promise<string> {
  heading('node0 founds a domain');
  const file = await example(stage, 'node0.yaml');
  result(await readFile(file, 'utf8'));
  await dtkd(node0, ['apply', '-f', file], { shown: ['apply', '-f', 'node0.yaml'] });
  const domain = await node0.waitForObject(
    'dtdomain',
    DOMAIN,
    (object) => object['status'] === 'Ready' && object['inviteToken'] !== undefined,
  );
  await dtkd(node0, ['describe', 'dtdomains']);
  checked('the domain is Ready and has an invite token');
  return String(domain['inviteToken']);
}

async function joinDomain(stage: Stage, [node0, node1, node2]: readonly [Site, Site, Site], token: string): Promise<void> {
  heading('node1 joins with the invite token, as a document');
  const file = await example(stage, 'node1.yaml', { '1.2.3.4': node0.meshAddress, 'PUT-THE-INVITE-TOKEN-HERE': token });
  result((await readFile(file, 'utf8')).replace(token, `${token.slice(0, 24)}…`));
  await dtkd(node1, ['apply', '-f', file], { shown: ['apply', '-f', 'node1.yaml'] });
  await node1.waitForObject('dtdomain', DOMAIN, (object) => object['status'] === 'Ready');
  await dtkd(node1, ['get', 'dtdomains']);

  heading('node2 joins with a command, and by way of node1: any member may admit');
  const second = (await dtkd(node0, ['domain', 'invite', DOMAIN, '--quiet'])).trim();
  await dtkd(node2, ['domain', 'join', node1.meshAddress, second], {
    shown: ['domain', 'join', node1.meshAddress, `${second.slice(0, 24)}…`],
  });
  await waitFor(async () => (await node0.list('dtpeers')).filter((peer) => peer['connected'] === true).length >= 2, {
    what: 'node0 to see both peers',
  });
  await dtkd(node0, ['get', 'dtpeers', '-o', 'wide']);
  const peer = await waitFor(() => peerNamed(node0, DOMAIN, 'node1'), { what: 'the dtPeer of node1 at node0' });
  await dtkd(node0, ['describe', 'dtpeer', peer.metadata.name]);
  checked('three members, each connected to the others');
}

async function shareService(stage: Stage, node0: Site, origin: Origin): Promise<void> {
  heading('node0 shares a service that listens at its site only');
  command('node0', `curl http://${origin.host}:${origin.port}/`);
  result(BODY);
  const service = await example(stage, 'service.yaml', { '10.1.2.3': origin.host, '12345': String(origin.port) });
  const app = await example(stage, 'dtapp.yaml');
  result(`${await readFile(service, 'utf8')}---\n${await readFile(app, 'utf8')}`);
  await dtkd(node0, ['apply', '-f', service], { shown: ['apply', '-f', 'service.yaml'] });
  await dtkd(node0, ['apply', '-f', app], { shown: ['apply', '-f', 'dtapp.yaml'] });
  checked(`${APP} exists on node0`);
}

/** Fetches a URI of a site: with curl if it is installed, as a user would. The ingress is dialled at the port in the URI either way. */
async function fetchUri(site: Site, uri: string): Promise<string> {
  const curl = findProgram('curl');
  command(site.name, `curl ${uri}/`);
  if (curl === undefined) return (await site.fetchUri(uri)).body;
  const { stdout, stderr, code } = await run({ command: curl, args: ['--silent', '--show-error', '--max-time', '20', `${uri}/`] });
  return code === 0 ? stdout : stderr;
}

async function useService(sites: readonly Site[]): Promise<void> {
  heading('The app exists on every other node as well, each with a URI of its own');
  for (const site of sites) {
    const copy = await waitFor(
      async () => {
        const found = await copyOf(site, APP, 'node0');
        return found?.['status'] === 'Ready' ? found : undefined;
      },
      { what: `the copy of ${APP} at ${site.name}` },
    );
    await dtkd(site, ['get', 'dtapps']);
    if (site === sites[0]) await dtkd(site, ['describe', 'dtapp', copy.metadata.name]);
    const body = await fetchUri(site, String(copy['URI']));
    result(body);
    if (body !== BODY) throw new Error(`the body through the URI of ${site.name} is ${JSON.stringify(body)}`);
    checked(`the body of the service at node0, through the URI of ${site.name}`);
  }
}

async function removePeer([node0, node1, node2]: readonly [Site, Site, Site]): Promise<void> {
  heading('node0, which created the domain, removes node2; nobody else can');
  const peer = await waitFor(() => peerNamed(node0, DOMAIN, 'node2'), { what: 'the dtPeer of node2 at node0' });
  const uri = String((await copyOf(node2, APP, 'node0'))?.['URI']);
  await dtkd(node1, ['delete', 'dtpeer', peer.metadata.name], { status: 'refused' });
  await dtkd(node0, ['delete', 'dtpeer', peer.metadata.name]);
  await waitFor(async () => (await node2.fetchUri(uri)).status !== 200, { what: 'node2 to lose the app' });
  await waitFor(async () => (await node1.list('dtpeers')).every((each) => each.metadata.name !== peer.metadata.name), {
    what: 'node1 to drop the peer',
  });
  await dtkd(node2, ['get', 'dtdomains', '-o', 'wide']);
  await dtkd(node1, ['get', 'dtpeers']);
  checked('node2 is cut off for good: its key is refused by every member');

  heading('A rebuilt node2 takes its old name with an invite that says so');
  await dtkd(node2, ['domain', 'leave', DOMAIN]);
  const token = (await dtkd(node0, ['domain', 'invite', DOMAIN, '--replace', 'node2', '--quiet'])).trim();
  await dtkd(node2, ['domain', 'join', '--replace', 'node2', node0.meshAddress, token], {
    shown: ['domain', 'join', '--replace', 'node2', node0.meshAddress, `${token.slice(0, 24)}…`],
  });
  await waitFor(async () => (await copyOf(node2, APP, 'node0'))?.['status'] === 'Ready', { what: `the copy of ${APP} at node2` });
  checked('node2 is back, with a new key');
}

function hints(sites: readonly Site[]): void {
  heading('Yours to play with, until Ctrl-C');
  for (const site of sites) command('you', `alias ${site.name}='${DTKD} --data ${site.dir}'`);
  say('Then, for example:');
  for (const line of [
    'node1 status',
    'node1 get dtapps',
    `node2 app curl ${APP} /`,
    'node2 app expose mine --to 127.0.0.1:8000 --domain mydomain',
    `node1 app forward ${APP}`,
    'node0 get dtpeers -o wide',
    'node1 watch dtapps',
  ])
    command('you', line);
}

async function walk(stage: Stage): Promise<Site[]> {
  const origin = await stage.origin({ name: 'example-service' });
  const sites = await startSites(stage);
  const token = await foundDomain(stage, sites[0]);
  await joinDomain(stage, sites, token);
  await shareService(stage, sites[0], origin);
  await useService([sites[1], sites[2]]);
  await removePeer(sites);
  await showWebTier(sites);
  return [...sites];
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

const stage = await Stage.open();
const stopped = interrupted();
try {
  const outcome = await Promise.race([walk(stage), stopped]);
  if (outcome !== undefined) {
    console.log();
    checked(`every step came out as it should, in ${elapsed()}`);
    if (!values.once) {
      hints(outcome);
      // A site that stops by itself does not end the demo: the others go on, as real ones would.
      await stopped;
    }
    await Promise.allSettled(outcome.filter((site) => site.running).map((site) => site.stop()));
  }
  await stage.close();
} catch (error) {
  failed(error instanceof Error ? error.message : String(error));
  await stage.close({ keep: true });
  console.error(`The data and logs of the sites are in ${stage.directory}.`);
  process.exitCode = 1;
}
