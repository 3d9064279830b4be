import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CREATOR_ANNOTATION } from '../../protocol/rights/principal.ts';
import { connected, formDomain, peerNamed } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, known, modelDocument, newToken, resourceDocument, revoke, type SiteUser } from '../harness/user.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'fleet';

describe('a user of one node who works on another', () => {
  let node0: Site;
  let node2: Site;
  let ops: SiteUser;
  let file: string;

  beforeAll(async () => {
    [node0, node2] = (await stage.current.startAll('node0', 'node2')) as [Site, Site];
    await formDomain(DOMAIN, [node0, node2]);
    ops = await addUser(node0, 'ops');
    await known(node2, 'user', 'ops@node0');
    file = join(stage.current.directory, 'depot.yaml');
    await writeFile(
      file,
      `apiVersion: dtkd.dev/v1
kind: Model
metadata: {name: depot}
spec: {description: made from afar}
---
apiVersion: dtkd.dev/v1
kind: Resource
metadata: {name: crane}
spec: {model: depot, type: Service}
---
apiVersion: dtkd.dev/v1
kind: Resource
metadata: {name: hook}
spec: {model: depot, type: Setting, properties: {value: steel}, parents: [crane]}
`,
    );
  });

  describe('writes there', () => {
    it('nothing without CREATE', async () => {
      const applied = await ops.cli('apply', '-f', file, '-n', 'node2');
      expect(applied.code).not.toBe(0);
      expect(applied.stderr).toMatch(/CREATE/);
      expect(await node2.get('model', 'depot')).toBeUndefined();
      expect(await node0.get('model', 'depot')).toBeUndefined();
    });

    it('what it may create, and has every right on it', async () => {
      await grant(node2, ops, ['CREATE'], { kind: 'models.dtkd.dev' });
      await grant(node2, ops, ['CREATE'], { kind: 'resources.dtkd.dev', model: 'depot' });
      expect(await ops.cli('apply', '-f', file, '-n', 'node2')).toMatchObject({ code: 0 });
      expect(await node2.get('resource', 'hook')).toMatchObject({ spec: { parents: ['crane'] } });
      expect(await node0.get('model', 'depot')).toBeUndefined();
      const again = await ops.cli('apply', '-f', file, '-n', 'node2');
      expect(again).toMatchObject({ code: 0, stderr: '' });
      expect(again.stdout.match(/unchanged/g)).toHaveLength(3);
      const patched = await ops.cli('patch', 'model', 'depot', '-n', 'node2', '-p', '{"spec": {"description": "changed from afar"}}');
      expect(patched).toMatchObject({ code: 0 });
      expect(await node2.get('model', 'depot')).toMatchObject({ spec: { description: 'changed from afar' } });
    });

    it('under its own name only', async () => {
      const stored = await node2.get('model', 'depot');
      expect(stored?.metadata.annotations?.[CREATOR_ANNOTATION]).toMatch(/^ops\//);
      const document = modelDocument('claimed');
      document['metadata'] = { name: 'claimed', annotations: { [CREATOR_ANNOTATION]: 'operator' } };
      expect((await ops.create(document, 'node2')).status).toBe(201);
      expect((await node2.get('model', 'claimed'))?.metadata.annotations?.[CREATOR_ANNOTATION]).toBe(
        stored?.metadata.annotations?.[CREATOR_ANNOTATION],
      );
      await node2.delete('model', 'claimed');
    });

    it('nothing beyond what is granted', async () => {
      expect((await ops.create(resourceDocument('elsewhere', { model: 'other', type: 'Service' }), 'node2')).status).toBe(403);
      await node2.create(modelDocument('theirs'));
      expect((await ops.api(node0.path('model', 'theirs', { namespace: 'node2' }), { method: 'DELETE' })).status).toBe(404);
      expect(await node2.get('model', 'theirs')).toBeDefined();
    });

    it('with the rules of the owner: what is not allowed is refused there, with the reason', async () => {
      const answer = await ops.create(resourceDocument('lost', { model: 'depot', type: 'Nonesuch' }), 'node2');
      expect(answer.status).toBe(422);
      expect(JSON.stringify(answer.body)).toContain('Nonesuch');
      const dependents = await ops.cli('delete', 'resource', 'crane', '-n', 'node2');
      expect(dependents.code).not.toBe(0);
      expect(dependents.stderr).toMatch(/hook/);
    });

    it('a deployment only with EXECUTE on the node', async () => {
      const change = { method: 'PATCH', contentType: 'application/merge-patch+json', body: { spec: { parents: ['node/node2'] } } };
      const path = node0.path('resource', 'crane', { namespace: 'node2' });
      const refused = await ops.api(path, change);
      expect(refused.status).toBe(403);
      expect(JSON.stringify(refused.body)).toContain('EXECUTE');
      const capability = await grant(node2, ops, ['EXECUTE'], { kind: 'nodes.dtkd.dev', name: 'node2' });
      expect((await ops.api(path, change)).status).toBe(200);
      await revoke(node2, capability);
      expect(await node2.get('resource', 'crane')).toMatchObject({ spec: { parents: ['node/node2'] } });
    });

    it('deletions with all that depends on it', async () => {
      expect(await ops.cli('delete', 'model', 'depot', '-n', 'node2', '--cascade')).toMatchObject({ code: 0 });
      for (const name of ['crane', 'hook']) expect(await node2.get('resource', name)).toBeUndefined();
      expect(await node2.get('model', 'depot')).toBeUndefined();
    });

    it('grants of what it holds with MANAGE, and no other', async () => {
      const dan = await addUser(node0, 'dan');
      await known(node2, 'user', 'dan@node0');
      const managing = await grant(node2, ops, ['READ', 'MANAGE'], { kind: 'models.dtkd.dev' });
      expect(await ops.cli('grant', 'dan@node0', 'READ', '--on', 'model', '-n', 'node2')).toMatchObject({ code: 0 });
      await waitFor(async () => (await dan.statusOf('model', 'theirs', 'node2')) === 200, { what: 'dan to see a model of node2' });
      const because = await node2.cli('can', 'dan@node0', 'READ', 'model/theirs');
      expect(because).toMatchObject({ code: 0, stdout: expect.stringMatching(/^yes: .*c-/) });
      for (const [verbs, on] of [
        ['UPDATE', 'model'],
        ['READ,DELETE', 'model'],
        ['READ', '*'],
        ['READ', 'resource'],
      ] as const) {
        const refused = await ops.cli('grant', 'dan@node0', verbs, '--on', on, '-n', 'node2');
        expect(refused.code, `${verbs} on ${on}`).not.toBe(0);
        expect(refused.stderr).toMatch(/^error: /);
      }
      expect((await dan.cli('grant', 'ops@node0', 'READ', '--on', 'model', '-n', 'node2')).code).not.toBe(0);
      // A delegated right is valid as long as the right that it came from.
      await revoke(node2, managing);
      await waitFor(async () => (await dan.statusOf('model', 'theirs', 'node2')) === 404, { what: 'dan to see it no more' });
      expect((await node2.cli('can', 'dan@node0', 'READ', 'model/theirs')).code).toBe(1);
    });

    it('no grant that outlives the user at its home', async () => {
      const [tom, una] = await Promise.all([addUser(node0, 'tom'), addUser(node0, 'una')]);
      await Promise.all([tom, una].map((user) => known(node2, 'user', user.display)));
      const managing = await grant(node2, tom, ['READ', 'MANAGE'], { kind: 'models.dtkd.dev' });
      expect(await tom.cli('grant', una.display, 'READ', '--on', 'model', '-n', 'node2')).toMatchObject({ code: 0 });
      expect((await node2.cli('can', una.display, 'READ', 'model/theirs')).code).toBe(0);
      expect(await node0.cli('user', 'rm', 'tom')).toMatchObject({ code: 0 });
      await waitFor(async () => (await una.statusOf('model', 'theirs', 'node2')) === 404, { what: 'una to see it no more' });
      expect((await node2.cli('can', una.display, 'READ', 'model/theirs')).code).toBe(1);
      await node2.restart();
      await connected(node0, DOMAIN, [node2]);
      expect((await node2.cli('can', una.display, 'READ', 'model/theirs')).code).toBe(1);
      await revoke(node2, managing);
    });

    it('no grant to somebody who is not known, and is told who is', async () => {
      const elsewhere = await node2.cli('grant', 'ops@nowhere', 'READ', '--on', 'model');
      expect(elsewhere.code).not.toBe(0);
      expect(elsewhere.stderr).toMatch(/nowhere[\s\S]*node0/);
      const nobody = await node2.cli('grant', 'nobody@node0', 'READ', '--on', 'model');
      expect(nobody.code).not.toBe(0);
      expect(nobody.stderr).toMatch(/nobody[\s\S]*ops/);
      expect((await node2.cli('grant', 'ops@node0', 'FLY', '--on', 'model')).stderr).toMatch(/FLY/);
      expect((await node2.cli('grant', 'ops@node0', 'READ', '--on', 'model', '-l', 'tier in front')).stderr).toMatch(/\^/);
    });

    it('nothing while the owner is away, and is told which node that is', async () => {
      await node2.stop();
      const answer = await ops.cli('apply', '-f', file, '-n', 'node2');
      expect(answer.code).not.toBe(0);
      expect(answer.stderr).toMatch(/node2/);
      expect((await ops.create(modelDocument('depot'), 'node2')).status).toBe(503);
      await node2.start();
      await connected(node0, DOMAIN, [node2]);
    });

    it('and all of it is in the owner’s audit log', async () => {
      const shown = await node2.cli('audit', 'show', '--limit', '200');
      expect(shown.code).toBe(0);
      expect(shown.stdout).toMatch(/ops@node0.*depot/);
      expect(await node2.cli('audit', 'verify')).toMatchObject({ code: 0 });
    });
  });

  describe('is who its token says', () => {
    it('at home only', async () => {
      expect((await node2.api(node2.path('model'), { headers: { authorization: `Bearer ${ops.token}` } })).status).toBe(401);
      expect((await ops.api(node0.path('model'))).status).toBe(200);
      expect(await ops.cli('can', 'me', 'READ', 'models')).toMatchObject({ code: 1 });
    });

    it('until the token is rotated', async () => {
      const old = ops.token;
      const rotated = await node0.cli('user', 'rotate', 'ops', '--quiet');
      expect(rotated.code).toBe(0);
      ops.token = rotated.stdout.trim();
      expect(ops.token).toMatch(/^dtkd_[A-Za-z0-9_-]{43}$/);
      expect((await node0.api(node0.path('model'), { headers: { authorization: `Bearer ${old}` } })).status).toBe(401);
      expect((await ops.api(node0.path('model'))).status).toBe(200);
    });

    it('and may change its own, but nobody else’s, token', async () => {
      await addUser(node0, 'other');
      const path = (name: string) => node0.path('user', name, { sub: 'token' });
      expect((await ops.api(path('other'), { method: 'POST', body: {} })).status).toBe(403);
      const answer = await ops.api(path('ops'), { method: 'POST', body: {} });
      expect(answer.status).toBe(200);
      ops.token = String(Reflect.get(Object(answer.body), 'token'));
      expect((await ops.api(node0.path('model'))).status).toBe(200);
    });

    it('until the user is removed; a new one of that name inherits nothing', async () => {
      const capability = await grant(node2, ops, ['READ'], { kind: 'models.dtkd.dev' });
      await waitFor(async () => (await ops.statusOf('model', 'theirs', 'node2')) === 200, { what: 'ops to see a model of node2' });
      const before = await known(node2, 'user', 'ops@node0');
      expect(await node0.cli('user', 'rm', 'ops')).toMatchObject({ code: 0 });
      expect((await ops.api(node0.path('model'))).status).toBe(401);
      const again = await addUser(node0, 'ops');
      await waitFor(async () => (await known(node2, 'user', 'ops@node0')).metadata.uid !== before.metadata.uid, {
        what: 'node2 to know the new user',
      });
      expect(await again.statusOf('model', 'theirs', 'node2')).toBe(404);
      await revoke(node2, capability);
      ops = again;
    });

    it('for as long as its node is a member', async () => {
      await grant(node2, ops, ['READ'], { kind: 'models.dtkd.dev' });
      await waitFor(async () => (await ops.statusOf('model', 'theirs', 'node2')) === 200, { what: 'ops to see a model of node2' });
      // node2 is the one that goes: for its users and for those of others it is then no member, and holds no rights.
      const visitor = await addUser(node2, 'visitor');
      await grant(node0, visitor, ['READ'], { kind: 'models.dtkd.dev' });
      await node0.create(modelDocument('of-node0'));
      await waitFor(async () => (await visitor.statusOf('model', 'of-node0', 'node0')) === 200, { what: 'the visitor to see a model' });
      const peer = await peerNamed(node0, DOMAIN, 'node2');
      await node0.delete('dtpeer', String(peer?.metadata.name));
      await waitFor(async () => [404, 503].includes(await visitor.statusOf('model', 'of-node0', 'node0')), {
        what: 'the visitor to be out',
      });
      await waitFor(async () => [404, 503].includes(await ops.statusOf('model', 'theirs', 'node2')), { what: 'node2 to be out' });
      expect((await ops.list('model', { all: true })).rows).not.toContain('node2/theirs');
      expect(await newToken(node0, 'ops')).toMatch(/^dtkd_/);
    });
  });
});
