/** Reads `dtk.service.yaml` for commands that only show it. Lenient, since faults in it are reported elsewhere. */
import type { PropertyType } from '../../protocol/definitions/property-types.ts';
import type { ApiClient } from '../client/api.ts';
import { type Named, readServiceFile } from '../client/services.ts';
import { parseDocuments } from '../input/documents.ts';
import { type JsonRecord, recordAt } from '../json.ts';

export interface ServiceView {
  document: JsonRecord;
  components: JsonRecord;
  workflows: JsonRecord;
  apps: JsonRecord;
  types: Readonly<Record<string, PropertyType>>;
}

export async function readService(client: ApiClient, service: Named): Promise<ServiceView> {
  const { content, types = {} } = await readServiceFile(client, service);
  const [first] = await parseDocuments(content, 'dtk.service.yaml');
  const document = first?.document ?? {};
  return {
    document,
    components: recordAt(document, 'components'),
    workflows: recordAt(document, 'workflows'),
    apps: recordAt(document, 'apps'),
    types,
  };
}
