/** What stands where names of Secrets belong. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { objectName } from '../../../../../protocol/objects/objects.ts';
import { secretPaths } from '../files/rules.ts';
import type { ServiceFiles } from '../instances.types.ts';
import { valueAt } from './values.ts';

/** What is no name of a Secret may be one itself: it is neither written nor committed, and not repeated. Errors: INVALID. */
export async function assertSecretNames({ service, copies }: Pick<ServiceFiles, 'service' | 'copies'>): Promise<void> {
  for (const path of await secretPaths({ service, copies })) {
    const value = valueAt(service, path);
    if (value === undefined || (typeof value === 'string' && value.includes('${')) || objectName.safeParse(value).success) continue;
    const shown = path[0] === 'components' ? `${path[1]}.${path.slice(3).join('.')}` : path.join('.');
    throw new DtkdError('INVALID', `${shown}: takes the name of a Secret, not the secret itself`, {
      next: `Nothing was changed. To keep one: dtkd service set ${service.name} ${shown}=-`,
    });
  }
}
