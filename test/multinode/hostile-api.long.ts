import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PeerKey, peerIdOf } from '../../protocol/ids.ts';
import { REMOTE_API_PROTOCOL } from '../../protocol/peers/remote.ts';
import { formDomain, invite } from '../harness/domain.ts';
import { Informer } from '../harness/informer.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, known, modelDocument, type SiteUser } from '../harness/user.ts';
import { waitFor } from '../wait.ts';
import { answerHead, ask, badAnswers, badRequests, hold, page, row } from './hostile/hostile-api.ts';
import { HostilePeer } from './hostile/hostile-peer.ts';
import { publishUser } from './hostile/published.ts';

const stage = useStage();
const DOMAIN = 'town';
const MIB = 1024 * 1024;
/** What all of it together may cost an honest daemon in memory, for good. */
const ALLOWED_GROWTH = 96 * MIB;
const CALM_MS = 180_000;
/** Short, so that the silent ones do not make the test long, and long enough for an honest one on a slow machine. */
const PEER_TIMEOUT_MS = 3_000;
const LIAR = 'mallory';
const MODELS = '/apis/dtkd.dev/v1/namespaces/default/models';
const status = z.looseObject({ kind: z.literal('Status'), message: z.string() });

describe('a hostile member and the API between nodes', () => {
  let a: Site;
  let b: Site;
  let ops: SiteUser;
  let opsOfB: SiteUser;
  let uidOfOpsOfB: string;
  /** The hostile member's own user, who is granted something. */
  let uidOfEve: string;
  let liar: HostilePeer;
  let keyOfA: PeerKey;
  let memory: number[];

  beforeAll(async () => {
    [a, b] = (await stage.current.startAll('a', 'b')) as [Site, Site];
    await formDomain(DOMAIN, [a, b]);
    await a.create(modelDocument('of-a'));
    await b.create(modelDocument('of-b'));
    [ops, opsOfB] = await Promise.all([addUser(a, 'ops'), addUser(b, 'ops')]);
    await grant(b, ops, ['READ'], { kind: 'models.dtkd.dev' });
    await grant(a, opsOfB, ['READ', 'CREATE', 'DELETE'], { kind: '*' });
    uidOfOpsOfB = (await known(a, 'user', 'ops@b')).metadata.uid;
    liar = await HostilePeer.join((await invite(a, DOMAIN)).token, a.meshAddress, LIAR);
    uidOfEve = publishUser(liar, 'eve');
    keyOfA = await liar.connect(a.meshAddress);
    await waitFor(async () => (await ops.list('model', { all: true })).rows.includes('b/of-b'), { what: 'what b grants' });
    memory = await Promise.all([a, b].map((site) => site.rss()));
  });

  afterAll(async () => {
    await liar?.stop();
  });

  /** What it did before may have cost it the connection. */
  async function connected(): Promise<void> {
    if (liar.connectedTo(keyOfA)) return;
    await waitFor(async () => liar.connect(a.meshAddress), { what: 'the hostile member to be let in again' });
  }

  async function calm(): Promise<void> {
    for (const [index, site] of [a, b].entries()) {
      await waitFor(async () => (await site.rss()) - (memory[index] ?? 0) < ALLOWED_GROWTH, {
        what: `${site.name} to have given back its memory`,
        timeoutMs: CALM_MS,
        pollMs: 500,
      });
    }
  }

  it('is asked as any other, and what it says properly of itself is shown as its own', async () => {
    liar.answerApi = (stream) => {
      stream.end(Buffer.concat([answerHead(), page([row('of-mallory', LIAR)])]));
    };
    expect((await ops.list('model', { all: true })).rows).toEqual(['b/of-b', `${LIAR}/of-mallory`]);
  });

  describe('when asked', () => {
    beforeEach(connected);

    it.each(Object.keys(badAnswers('b', LIAR)))('%s: others’ rows come, and it is named as missing', async (name) => {
      liar.answerApi = badAnswers('b', LIAR)[name] ?? (() => undefined);
      const { rows, completeness } = await ops.list('model', {
        all: true,
        query: { peerTimeoutMs: String(PEER_TIMEOUT_MS), limit: '500' },
      });
      expect(rows).toContain('b/of-b');
      expect(rows.filter((each) => !each.startsWith(`${LIAR}/`))).toEqual(['b/of-b']);
      expect(rows.some((each) => each.startsWith('b/') && each !== 'b/of-b')).toBe(false);
      expect(completeness.find(({ node }) => node === LIAR)).toMatchObject({ state: 'unreachable', reason: expect.any(String) });
      expect(completeness.find(({ node }) => node === 'b')).toMatchObject({ state: 'answered' });
    });

    it('for one object: any of it is an error that names it', async () => {
      for (const [name, answer] of Object.entries(badAnswers('b', LIAR))) {
        liar.answerApi = answer;
        const got = await ops.api(`${a.path('model', 'x', { namespace: LIAR })}?peerTimeoutMs=${PEER_TIMEOUT_MS}`);
        expect([502, 503, 504], `${name}: ${JSON.stringify(got.body)}`).toContain(got.status);
      }
    });

    it('for a watch: others’ changes come, and what it says wrongly does not', async () => {
      for (const answer of Object.values(badAnswers('b', LIAR))) {
        liar.answerApi = answer;
        const informer = await Informer.open(ops, 'model', { all: true });
        await informer.until('the row of b', () => informer.cache.has('b/of-b'));
        expect([...informer.cache.keys()].filter((key) => !key.startsWith(`${LIAR}/`))).toEqual(['b/of-b']);
        informer.close();
      }
    });
  });

  describe('when it asks', () => {
    beforeEach(connected);

    it('is believed about its own users, and only those', async () => {
      await known(a, 'user', `eve@${LIAR}`);
      await grant(a, `eve@${LIAR}`, ['READ'], { kind: 'models.dtkd.dev' });
      const own = await ask(liar, keyOfA, { user: { name: 'eve', uid: uidOfEve }, path: `${MODELS}/of-a` });
      expect({ status: own.status, name: JSON.parse(own.body).metadata.name }).toEqual({ status: 200, name: 'of-a' });
      // A user is its uid: one of the same name, made later, has nothing.
      const namesake = await ask(liar, keyOfA, { user: { name: 'eve', uid: uidOfOpsOfB }, path: `${MODELS}/of-a` });
      expect(namesake.status).toBe(404);
      const user = { name: 'ops', uid: uidOfOpsOfB };
      const forged = await ask(liar, keyOfA, { user, path: `${MODELS}/of-a` });
      // The decision rests on the connection's key: there is no way to say "of b".
      expect(forged.status).toBe(404);
      const listed = await ask(liar, keyOfA, { user, path: MODELS });
      expect(listed.body).not.toContain('of-a');
      const who = await ask(liar, keyOfA, { user, path: '/apis/dtkd.dev/v1/daemon/whoami' });
      expect(JSON.parse(who.body)).toMatchObject({ display: `ops@${LIAR}`, home: liar.key.publicKey });
      expect(await opsOfB.statusOf('model', 'of-a', 'a')).toBe(200);
    });

    it('cannot say in any other way that it is somebody else', async () => {
      const user = { name: 'ops', uid: uidOfOpsOfB };
      const home = (await known(a, 'user', 'ops@b')).metadata.annotations?.['dtkd.dev/author'];
      for (const more of [
        { user: { ...user, home } },
        { user: { ...user, home: 'self' } },
        { user, principal: { type: 'operator', name: 'operator' } },
        { user, headers: { authorization: `Bearer ${a.token}` } },
        { user, home, peer: home },
        { user: { name: 'operator', uid: 'operator' } },
      ]) {
        const answer = await ask(liar, keyOfA, { ...more, path: `${MODELS}/of-a` });
        expect(answer.status, JSON.stringify(more)).toBe(404);
      }
    });

    it('gets nothing but what is in the namespace of the asked node', async () => {
      const user = { name: 'ops', uid: uidOfOpsOfB };
      for (const path of [
        '/apis/dtkd.dev/v1/models',
        '/apis/dtkd.dev/v1/nodes',
        '/apis/dtkd.dev/v1/namespaces/b/models',
        '/apis/dtkd.dev/v1/namespaces/a/models',
        '/apis/dtkd.dev/v1/namespaces/default/../b/models',
        '/apis/dtkd.dev/v1/namespaces/%64efault/models',
        '/apis/dtkd.dev/v1/daemon/status',
        '/apis/dtkd.dev/v1/daemon/token',
        '/apis/dtkd.dev/v1/daemon/audit',
        '/apis/dtkd.dev/v1/daemon/import',
        '/api/v1/namespaces/default/secrets/x',
        '/apis/sid.sightlineinnovation.com/v1/namespaces/default/dtdomains/town/invites',
        '/apis/sid.sightlineinnovation.com/v1/namespaces/default/dtdomains/town/root/export',
        '/apis/dtkd.dev/v1/namespaces/default/users/ops/token',
      ]) {
        for (const method of ['GET', 'POST', 'DELETE']) {
          const answer = await ask(liar, keyOfA, { user, path, method }, method === 'POST' ? Buffer.from('{}') : undefined);
          if (answer.status >= 400) expect(status.safeParse(JSON.parse(answer.body)).success, `${method} ${path}`).toBe(true);
          else expect(answer.body, `${method} ${path}`).toMatch(/"items":\[\]/);
          expect(answer.body).not.toMatch(/of-a|dtkd_|rootKey/);
        }
      }
      expect(await a.get('model', 'of-a')).toBeDefined();
    });

    it('gets an error, or is cut, for what is no request', async () => {
      for (const bytes of badRequests()) {
        const stream = await liar.open(keyOfA, REMOTE_API_PROTOCOL);
        stream.on('error', () => undefined).resume();
        stream.end(bytes);
        await waitFor(() => stream.readableEnded || stream.destroyed, { what: 'a to be done with it' });
      }
    });

    it('cannot use a up by a thousand streams, nor keep others out', async () => {
      const streams = await hold(liar, keyOfA, 1_000);
      expect(await opsOfB.statusOf('model', 'of-a', 'a')).toBe(200);
      expect((await ops.list('model', { namespace: 'b' })).rows).toEqual(['b/of-b']);
      await waitFor(() => streams.every((stream) => stream.destroyed || stream.readableEnded), {
        what: 'a to let go of requests that do not come',
      });
      for (const stream of streams) stream.destroy();
    });
  });

  it('asks nothing any more once it is removed, also of a node that it is connected to', async () => {
    await connected();
    const user = { name: 'eve', uid: uidOfEve };
    expect((await ask(liar, keyOfA, { user, path: `${MODELS}/of-a` })).status).toBe(200);
    await a.delete('dtpeer', peerIdOf(liar.key.publicKey));
    await waitFor(() => !liar.connectedTo(keyOfA), { what: 'a to close the connection' });
    await expect(ask(liar, keyOfA, { user, path: `${MODELS}/of-a` })).rejects.toThrow();
    await expect(liar.connect(a.meshAddress)).rejects.toThrow();
    expect((await ops.list('model', { all: true })).rows).toEqual(['b/of-b']);
  });

  it('leaves both honest nodes as they were', async () => {
    expect((await opsOfB.list('model', { namespace: 'a' })).rows).toEqual(['a/of-a']);
    for (const site of [a, b]) {
      expect((await site.api('/readyz')).status).toBe(200);
      expect(await site.cli('audit', 'verify')).toMatchObject({ code: 0 });
    }
    const shown = await a.cli('audit', 'show', '--limit', '500');
    expect(shown.stdout).toContain(`ops@${LIAR}`);
    await calm();
  });
});
