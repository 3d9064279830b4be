/**
 * Resolves settings before they are sent: reads files and standard input, and stores secret values as Secrets, of which only the names are
 * sent.
 */
import type { PropertyType } from '../../protocol/definitions/property-types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { secretKind } from '../../protocol/kinds/secret.ts';
import type { ApiClient } from '../client/api.ts';
import { putSecret } from '../client/secrets.ts';
import type { Named } from '../client/services.ts';
import { readFileText } from '../input/documents.ts';
import { readSecretValue } from '../input/secret-value.ts';
import { booleanAt } from '../json.ts';
import { type Setting, typedValue } from './values.ts';

export interface SettingContext {
  client: ApiClient;
  service: Named;
  /** The type at a path, if known. */
  typeOf(path: string): PropertyType | undefined;
  /** Called for each Secret that was set. */
  onSecret(name: string, path: string): void;
}

export interface SetValue {
  path: string;
  value: unknown;
}

/**
 * The values in the order of the settings. Errors: BAD_REQUEST, NOT_FOUND for a Secret that does not exist; no message shows what may be a
 * secret.
 */
export async function readSettings(settings: readonly Setting[], context: SettingContext): Promise<SetValue[]> {
  if (settings.filter(({ source }) => source === 'input').length > 1 && process.stdin.isTTY !== true) {
    throw new DtkdError('BAD_REQUEST', 'standard input can be the value of one setting only', { next: 'Give the others as @FILE.' });
  }
  const values: SetValue[] = [];
  for (const setting of settings) {
    const type = context.typeOf(setting.path);
    const value = type === 'secret' ? await secretName(setting, context) : await plainValue(setting, type);
    values.push({ path: setting.path, value });
  }
  return values;
}

async function plainValue({ path, source }: Setting, type: PropertyType | undefined): Promise<unknown> {
  if (source !== 'input' && 'text' in source) return typedValue(path, source.text, type);
  const text = await readFileText(source === 'input' ? '-' : source.file);
  // a file is text, unless the path has another type
  return type === undefined ? text : typedValue(path, type === 'string' ? text : text.trim(), type);
}

async function secretName({ path, source }: Setting, context: SettingContext): Promise<string> {
  const { client, service } = context;
  if (source !== 'input' && 'text' in source) {
    if (!source.text.includes('${')) await assertSecret(path, source.text, context);
    return source.text;
  }
  const name = secretNameOf(service.name, path);
  const value = await readSecretValue(path, source === 'input' ? undefined : source.file, { ofFile: `give a file as ${path}=@FILE` });
  await putSecret(client, { namespace: service.namespace, name, value, description: `${path} of the service ${service.name}` });
  context.onSecret(name, path);
  return name;
}

/** Throws unless a text is the name of an existing Secret: it may be the secret itself, and must not be sent. */
async function assertSecret(path: string, name: string, { client, service }: SettingContext): Promise<void> {
  const isName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name);
  const found = isName && (await isThere(client, service, name));
  if (found) return;
  throw new DtkdError('NOT_FOUND', `${path.slice(0, 120)} takes the name of a Secret, and there is none of the name that you gave`, {
    next: `To set a secret: dtkd service set ${service.name} ${path}=-   (it is asked for, and not shown). Names: "dtkd secret ls".`,
  });
}

/** True if the Secret exists, or if the caller may not see Secrets; then the converge reports a missing one. */
async function isThere(client: ApiClient, { namespace }: Named, name: string): Promise<boolean> {
  try {
    if ((await client.find({ kind: secretKind, namespace, name })) !== undefined) return true;
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'FORBIDDEN') return true;
    throw error;
  }
  // the daemon answers a read that is not allowed as it does for a missing object
  const query = new URLSearchParams({ verb: 'READ', what: `${secretKind.singular}/${name}` });
  const answer = await client.daemon('GET', `can?${query.toString()}`).catch((error: unknown) => {
    if (error instanceof DtkdError) return { allowed: true };
    throw error;
  });
  return !booleanAt(answer, 'allowed');
}

/** `shop.db.password`; object names are lower-case. */
export function secretNameOf(service: string, path: string): string {
  const words = path.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
  return `${service}.${words.replace(/[^a-z0-9.-]+/g, '-')}`.replace(/[.-]+$/, '');
}
