/** The story that every package has to be able to tell. */
import { expect } from 'vitest';
import { connected, expose, uriOf } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import type { Stage } from '../harness/stage.ts';

/** Founds a domain, joins it, and fetches a service of the first site at the second. */
export async function formDomain(stage: Stage, name: string, [first, second]: readonly [Site, Site]): Promise<void> {
  expect(await first.cli('domain', 'create', name)).toMatchObject({ code: 0 });
  const invited = await first.cli('domain', 'invite', name, '-o', 'json');
  const { token } = JSON.parse(invited.stdout) as { token: string };
  expect(await second.cliWith({ stdin: token }, 'domain', 'join', first.meshAddress, '-')).toMatchObject({ code: 0 });
  await bothConnected(name, [first, second]);
  await expose(first, 'web', await stage.origin({ name }), name);
  expect(await second.fetchUri(await uriOf(second, 'web', first))).toMatchObject({ status: 200, body: `hello from ${name}\n` });
}

export async function bothConnected(name: string, [first, second]: readonly [Site, Site]): Promise<void> {
  await Promise.all([connected(first, name, [second]), connected(second, name, [first])]);
}
