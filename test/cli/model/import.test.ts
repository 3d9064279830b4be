import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FakeDaemon } from '../fake-daemon.ts';

let daemon: FakeDaemon;
beforeAll(async () => {
  daemon = await FakeDaemon.start();
  daemon.script('POST', /\/daemon\/import$/, () => ({ created: 1, changed: 0, unchanged: 0 }));
});
afterAll(() => daemon.stop());

it('says which variables of an Ansible inventory do not stand in it, and how to bring them', async () => {
  const inventory = join(daemon.dir, 'hosts.ini');
  await writeFile(inventory, '[web]\nweb1\n');
  expect(await daemon.cli('model', 'import', inventory, '--model', 'lab')).toMatchObject({ code: 0, stderr: '' });
  await mkdir(join(daemon.dir, 'group_vars'));
  const { stderr } = await daemon.cli('model', 'import', inventory, '--model', 'lab');
  expect(stderr).toContain(
    'group_vars beside the file was left out; to import everything: ' +
      'ansible-inventory -i INVENTORY --list --yaml --export | dtkd model import - --model lab\n',
  );
});
