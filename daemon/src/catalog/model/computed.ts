/** Refuses writes to computed properties: only the system sets them. Sending back the stored value is allowed. */
import { isRecord } from '../../../../protocol/encoding/json.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { resourceSpecOf } from './objects.ts';
import { invalid, objectText } from './refusal.ts';
import type { ResolvedType } from './resolved-type.ts';
import { writtenDynamic } from './resource-properties.ts';

/** Throws INVALID if a write changes values of computed properties. `resolve` returns types as they are after the write. */
export async function assertNotComputed(
  resolve: (type: string) => Promise<ResolvedType | undefined>,
  before: ApiObject | undefined,
  after: ApiObject,
): Promise<void> {
  const spec = resourceSpecOf(after);
  const type = spec === undefined ? undefined : await resolve(spec.type);
  if (spec === undefined || type === undefined) return;
  const names = writtenDynamic(type, propertiesOf(before), spec.properties ?? {});
  if (names.length === 0) return;
  throw invalid(
    names.map((name) => ({
      reason: 'FieldValueForbidden',
      field: `spec.properties.${name}`,
      message: 'is computed by the system and cannot be written',
      object: objectText({ plural: 'resources', name: after.metadata.name }),
    })),
  );
}

function propertiesOf(object: ApiObject | undefined): Record<string, unknown> {
  const properties = Reflect.get(Object(object?.['spec']), 'properties');
  return isRecord(properties) ? properties : {};
}
