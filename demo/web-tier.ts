/** The second half of the demo: a web tier is staged and converged over two sites, and opened through the URI of a third. */
import { join } from 'node:path';
import { copyOf } from '../test/harness/domain.ts';
import { REPOSITORY } from '../test/harness/node-binary.ts';
import { freePort } from '../test/harness/ports.ts';
import type { Site } from '../test/harness/site.ts';
import { addUser, type SiteUser } from '../test/harness/user.ts';
import { waitFor } from '../test/wait.ts';
import { checked, command, dtkd, dtkdAs, heading, result, say } from './narrator.ts';

const SERVICE = 'shop';
const APP = `${SERVICE}-site`;
const SECRET = 'shop-password';
/** The kinds that make up an app. */
const APP_KINDS = ['service', 'endpoints', 'dtapp'];

/** Sets up the rights: node1 lets a user of node0 deploy things there, and trusts code published by node0. */
async function letOps(node0: Site, node1: Site): Promise<SiteUser> {
  heading('node1 lets ops, a user of node0, run services there');
  const ops = await addUser(node0, 'ops');
  say('node0$ dtkd user add ops   (its token is what ops works with from here on)');
  await dtkd(node0, ['grant', 'ops@node0', 'CREATE,READ,UPDATE,DELETE,EXECUTE', '--on', '*']);
  await waitFor(async () => (await node1.get('user', 'ops', 'node0')) !== undefined, { what: 'node1 to know ops' });
  await dtkd(node1, ['policy', 'trust', 'node0', '--follow']);
  await dtkd(node1, ['grant', 'ops@node0', 'READ,EXECUTE', '--on', 'resource']);
  for (const kind of APP_KINDS) await dtkd(node1, ['grant', 'ops@node0', 'CREATE,READ,UPDATE,DELETE', '--on', kind]);
  for (const site of [node0, node1]) await dtkd(site, ['secret', 'set', SECRET], { stdin: 'correct horse battery staple' });
  checked('the secret is on both nodes, and nowhere else: not in files, not in logs');
  return ops;
}

async function stageAndConverge(ops: SiteUser): Promise<void> {
  heading('ops stages a target and a web tier against it, and converges both');
  for (const module of ['hosts', 'database', 'web']) {
    await dtkdAs(ops, ['module', 'install', join(REPOSITORY, 'examples', 'modules', module)], {
      shown: ['module', 'install', `examples/modules/${module}`],
    });
  }
  await dtkdAs(ops, [
    'stage',
    'example/hosts:static-hosts',
    '--name',
    'sites',
    '--set',
    'hosts=node0,node1',
    '--set',
    `credential=${SECRET}`,
  ]);
  await dtkdAs(ops, ['converge', 'sites', '--yes']);
  const [port, databasePort] = [await freePort(), await freePort()];
  const settings = [`port=${port}`, `database-port=${databasePort}`].flatMap((one) => ['--set', one]);
  await dtkdAs(ops, ['stage', 'example/web:web-tier', '--name', SERVICE, '--target', 'sites', ...settings]);
  await dtkdAs(ops, ['converge', SERVICE, '--yes']);
  await dtkdAs(ops, ['service', 'status', SERVICE]);
  checked('the database runs at one site, the web service at the other');
}

async function open(node2: Site, owner: string): Promise<string> {
  const copy = await waitFor(
    async () => {
      const found = await copyOf(node2, APP, owner);
      return found?.['status'] === 'Ready' ? found : undefined;
    },
    { what: `the copy of ${APP} at ${node2.name}` },
  );
  const uri = String(copy['URI']);
  await dtkd(node2, ['get', 'dtapps']);
  command(node2.name, `curl ${uri}/`);
  const { body } = await node2.fetchUri(uri);
  result(body);
  return body;
}

/** Runs the second half; throws if a result is not the expected one. */
export async function showWebTier([node0, node1, node2]: readonly [Site, Site, Site]): Promise<void> {
  const ops = await letOps(node0, node1);
  await stageAndConverge(ops);

  heading('node2 opens it, by a URI of its own');
  const owner = (await node1.list('dtapps')).some(({ metadata }) => metadata.name === APP) ? 'node1' : 'node0';
  const before = await open(node2, owner);
  if (!before.includes('Hello')) throw new Error(`the page at node2 is ${JSON.stringify(before.slice(0, 400))}`);
  checked('its page, with what the database at the other site says');

  heading('An edit, and back again');
  await dtkdAs(ops, ['service', 'set', SERVICE, 'greeting=Good morning']);
  await dtkdAs(ops, ['service', 'diff', SERVICE]);
  await dtkdAs(ops, ['converge', SERVICE, '--yes']);
  if (!(await open(node2, owner)).includes('Good morning')) throw new Error('the new greeting is not there');
  checked('the new greeting');
  await dtkdAs(ops, ['service', 'rollback', SERVICE, 'HEAD~1', '--yes']);
  if (!(await open(node2, owner)).includes('Hello')) throw new Error('the old greeting is not back');
  await dtkdAs(ops, ['service', 'log', SERVICE]);
  await dtkdAs(ops, ['converge', SERVICE, '--yes']);
  checked('rolled back; and to converge once more does nothing');
  await dtkdAs(ops, ['service', 'uninstall', 'sites', '--recursive', '--yes']);
}
