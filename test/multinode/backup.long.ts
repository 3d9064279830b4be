/** A node is backed up while it is written to, lost, and put back elsewhere: what was acknowledged is there, and what was taken back stays so. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { shellWord } from '../../protocol/text/shell-word.ts';
import { run } from '../harness/child.ts';
import { appsSeen, connected, publish } from '../harness/domain.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import { freePort } from '../harness/ports.ts';
import { findProgram } from '../harness/programs.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, modelDocument, revoke, type SiteUser } from '../harness/user.ts';
import { waitFor } from '../wait.ts';
import { ok, openShop, page, ran, type Shop, stageShop, stateOf } from './services/shop.ts';

const stage = useStage({ story: true });
const WRITERS = 3;
/** On a busy machine. */
const RESTORE_MS = 180_000;

/** Names that were acknowledged, each with when it was asked for and answered. */
interface Written {
  name: string;
  at: number;
}

describe('a node that is backed up, lost and put back', () => {
  let shop: Shop;
  let home: Site;
  let others: Site[];
  let domain: string;
  let guest: SiteUser;
  let file: string;
  let port: number;
  let began = 0;
  const apps: Written[] = [];
  const models: Written[] = [];

  beforeAll(async () => {
    shop = await openShop(stage.current, { names: ['node0', 'node1', 'node2'], tags: { node0: 'store', node1: 'web', node2: 'web' } });
    ({ home } = shop);
    others = shop.sites.slice(1);
    port = await freePort();
    file = join(stage.current.directory, 'node0.backup');
    domain = String((await home.list('dtdomains'))[0]?.metadata.name);
    guest = await addUser(shop.sites[1] as Site, 'guest');
    await ok(shop, 'module', 'install', shop.module);
    await stageShop(shop, 'one', 'north', '--set', `port=${port}`, '--set', 'text=north');
    await ok(shop, 'converge', 'north', '--yes');
    expect((await home.cliWith({ stdin: 'pst' }, 'secret', 'set', 'word', '--from-file', '-')).code).toBe(0);
  });

  /** Writes shared and private objects until told to stop. */
  function load(): () => Promise<void> {
    let going = true;
    const writer = async (number: number): Promise<void> => {
      for (let count = 0; going; count++) {
        const name = `w${number}-${count}`;
        await publish(home, name, domain);
        apps.push({ name, at: Date.now() });
        await home.create(modelDocument(name));
        models.push({ name, at: Date.now() });
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, number) => writer(number));
    return async () => {
      going = false;
      await Promise.all(writers);
    };
  }

  it('is backed up while it is written to', async () => {
    await publish(home, 'deleted-later', domain);
    await home.create(modelDocument('secret-plan'));
    const granted = await grant(home, guest, ['READ'], { kind: 'models', name: 'secret-plan' });
    await waitFor(async () => (await guest.statusOf('model', 'secret-plan', 'node0')) === 200, { what: 'the guest to read the model' });
    const stop = load();
    await waitFor(() => models.length > 10, { what: 'some objects' });
    began = Date.now();
    const made = await home.cli('backup', file);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/keep it secret/) });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await stop();
    // what happens after the backup
    await home.delete('dtapp', 'deleted-later');
    await revoke(home, granted);
    await publish(home, 'after-the-backup', domain);
    await addUser(home, 'late');
    await home.create({ apiVersion: 'dtkd.dev/v1', kind: 'Trust', metadata: { name: 'friends' }, spec: {} });
    await waitFor(
      async () =>
        (await Promise.all(others.map((site) => appsSeen(site)))).every(
          (seen) => seen.includes('node0/after-the-backup') && !seen.includes('node0/deleted-later'),
        ),
      { what: 'the others to have heard' },
    );
  });

  it('can be verified, and is refused to anybody but the operator', async () => {
    const checked = await dtkd('restore', file, '--check');
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringMatching(/of node0, made .*\n.*rows, .* files\nIt is whole/) });
    expect((await shop.ops.cli('backup', '-')).stderr).toMatch(/for the operator/);
    expect(await home.cli('backup', file)).toMatchObject({ code: 6, stderr: expect.stringMatching(/already exists/) });
    expect((await readdir(home.seenAt)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is put back elsewhere, and nothing that was acknowledged is lost', async () => {
    await home.kill9();
    const heads = await appsSeen(others[0] as Site);
    // the guest tries on and on
    const seen = new Set<number>();
    let watching = true;
    const watch = waitFor(
      async () => {
        seen.add(await guest.statusOf('model', 'secret-plan', 'node0'));
        return !watching;
      },
      { what: 'the restore to be done', timeoutMs: RESTORE_MS },
    );
    const back = await restored('second');
    watching = false;
    await watch;
    expect(seen).not.toContain(200);
    expect(await guest.statusOf('model', 'secret-plan', 'node0')).not.toBe(200);
    const own = await appsSeen(back);
    const shared = [...apps.map(({ name }) => name), 'after-the-backup'].map((name) => `node0/${name}`).sort();
    expect(own.filter((name) => name.startsWith('node0/'))).toEqual(expect.arrayContaining(shared));
    expect(own).not.toContain('node0/deleted-later');
    expect(await back.get('user', 'late')).toBeDefined();
    expect(await back.get('trust', 'friends')).toBeDefined();
    const names = new Set((await back.list('models')).map((model) => model.metadata.name));
    for (const { name, at } of models) if (at < began) expect(names).toContain(name);
    await waitFor(async () => JSON.stringify(await appsSeen(others[0] as Site)) === JSON.stringify(heads), {
      what: 'the others to show what they showed',
    });
    await noFork(back);
    await publish(back, 'new-life', domain);
    await waitFor(async () => (await appsSeen(others[1] as Site)).includes('node0/new-life'), { what: 'the others to hear of it again' });
  });

  it('explains in its audit log what is missing', async () => {
    const back = current();
    const verified = await back.cli('audit', 'verify');
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/sound[\s\S]*this node was restored from the backup/) });
  });

  it('has its services, their repositories and its files', async () => {
    const again = { ...shop, home: current(), ops: userAt(current()) };
    const { directory } = await stateOf(again, 'north');
    const git = findProgram('git');
    if (git !== undefined) expect((await run({ command: git, args: ['-C', directory, 'fsck', '--strict'] })).code).toBe(0);
    const before = await ran(shop);
    expect(await ok(again, 'converge', 'north', '--yes')).toMatch(/nothing to run/i);
    expect(await ran(shop)).toEqual(before);
    expect(await page(port)).toBe('north from none');
    await stageShop(again, 'one', 'east', '--set', `port=${await freePort()}`, '--set', 'text=east');
    expect((await current().cli('secret', 'ls')).stdout).toMatch(/word/);
  });

  it('can be put back from the same backup once more', async () => {
    await current().kill9();
    const back = await restored('the third');
    const own = await appsSeen(back);
    expect(own).toContain('node0/new-life');
    expect(own).not.toContain('node0/deleted-later');
    await noFork(back);
  });

  let now: Site | undefined;

  function current(): Site {
    if (now === undefined) throw new Error('nothing was restored yet');
    return now;
  }

  function userAt(site: Site): SiteUser {
    const { ops } = shop;
    return Object.assign(Object.create(Object.getPrototypeOf(ops) as object) as SiteUser, { site, name: ops.name, token: ops.token });
  }

  /** Into a directory of its own, at other ports. */
  async function restored(name: string): Promise<Site> {
    const directory = join(stage.current.directory, name);
    expect(await dtkd('restore', file, '--data', directory)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`\n  dtkd up --data ${shellWord(directory)}\nMake sure that node0 does not run anywhere else.\n`),
    });
    expect(await dtkd('restore', file, '--data', directory)).toMatchObject({ code: 6 });
    const site = await stage.current.site({ name: 'node0', dir: directory }).start();
    now = site;
    for (const one of [site, ...others]) await connected(one, domain, [site, ...others]);
    await waitFor(async () => !/waits to hear/.test(String((await site.get('dtdomain', domain))?.['message'])), {
      what: 'it to have heard from the others',
    });
    return site;
  }

  async function noFork(back: Site): Promise<void> {
    for (const site of [back, ...others]) {
      const members = JSON.stringify(await site.call(site.path('dtdomain', domain, { sub: 'members' })));
      expect(members).not.toMatch(/"suspended":true/);
      expect(members).toMatch(/"suspended":false/);
    }
  }
});

async function dtkd(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return run({ command: NODE, args: [DTKD, ...args] });
}
