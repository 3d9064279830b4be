/** Creates Users. The store participant in `fact-keeper.ts` deletes their tokens and what else ends with them. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { OPERATOR } from '../../../../protocol/rights/principal.ts';
import type { Handler } from '../ports.ts';

export function userHandler(): Handler {
  return {
    async create(object) {
      if (object.metadata.name === OPERATOR) {
        throw new DtkdError('INVALID', `no user can be called "${OPERATOR}": that name means the operator of a node`, {
          next: 'Choose another name.',
          details: { causes: [{ reason: 'FieldValueInvalid', message: 'is reserved', field: 'metadata.name' }] },
        });
      }
      return object;
    },
  };
}
