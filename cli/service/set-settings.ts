import type { Cli, GlobalFlags } from '../cli.ts';
import { type Named, readServiceFile } from '../client/services.ts';
import { line } from '../dispatch/conclude.ts';
import { sendEdits } from './editing.ts';
import { readSettings } from './settings.ts';
import { undeclaredNotes } from './undeclared.ts';
import type { Setting } from './values.ts';

export interface SetOptions {
  /** Connection flags, repeated in command lines that are shown. */
  global: GlobalFlags;
  /** Paths whose values are secrets, whatever their types. */
  secrets?: readonly string[];
}

/**
 * Sets values in `dtk.service.yaml`, each converted to the type of its path, and returns the differences. A secret value is stored in a
 * Secret, whose name goes into the file.
 */
export async function setSettings(
  cli: Cli,
  service: Named,
  settings: readonly Setting[],
  options: SetOptions,
): ReturnType<typeof sendEdits> {
  const client = await cli.client();
  const { types = {}, base } = await readServiceFile(client, service);
  const secrets = new Set(options.secrets ?? []);
  const values = await readSettings(settings, {
    client,
    service,
    typeOf: (path) => (secrets.has(path) ? 'secret' : (types[path] ?? types[`parameters.${path}`])),
    onSecret: (secret, path) => {
      const elsewhere = line(options.global, 'secret', 'set', secret, '-n', 'NODE');
      cli.out.note(`Set the Secret ${secret} for ${path}. For other nodes that run it: ${elsewhere}`);
    },
  });
  const differences = await sendEdits(
    cli,
    service,
    values.map(({ path, value }) => ({ op: 'set', path, value })),
    base,
  );
  for (const note of undeclaredNotes(
    values.map(({ path }) => path),
    Object.keys(types),
  )) {
    cli.out.note(note);
  }
  return differences;
}
