/** Users as they are made. Their tokens and what ends with them are the store participant's business (`access.ts`). */
import { DtkdError } from '../../../../protocol/errors.ts';
import { OPERATOR } from '../../../../protocol/rights/principal.ts';
import type { Handler } from '../ports.ts';

export function userHandler(): Handler {
  return {
    async create(object) {
      if (object.metadata.name === OPERATOR) {
        throw new DtkdError('INVALID', `no user can be called "${OPERATOR}": that is the bearer of a node's operator token`, {
          next: 'Choose another name.',
          details: { causes: [{ reason: 'FieldValueInvalid', message: 'is reserved', field: 'metadata.name' }] },
        });
      }
      return object;
    },
  };
}
