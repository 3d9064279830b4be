/** Checks the values that must be names of Secrets. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { objectName } from '../../../../../protocol/objects/objects.ts';
import { secretPaths } from '../files/rules.ts';
import type { ServiceFiles } from '../instances.types.ts';
import { valueAt } from './values.ts';

/** A value that is not a valid name may be a secret itself, and must not be written, committed or repeated. Errors: INVALID. */
export async function assertSecretNames({ service, copies }: Pick<ServiceFiles, 'service' | 'copies'>): Promise<void> {
  for (const path of await secretPaths({ service, copies })) {
    const value = valueAt(service, path);
    if (value === undefined || (typeof value === 'string' && value.includes('${')) || objectName.safeParse(value).success) continue;
    const shown = path[0] === 'components' ? `${path[1]}.${path.slice(3).join('.')}` : path.join('.');
    throw new DtkdError('INVALID', `${shown}: takes the name of a Secret, not the secret itself`, {
      next: `Nothing was changed. To store a secret: dtkd service set ${service.name} ${shown}=-`,
    });
  }
}
