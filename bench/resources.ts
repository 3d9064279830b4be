import type { Site } from '../test/harness/site.ts';

export const MODEL = 'bench';

/** Resources that differ in their names, labels and one property. */
export function resources(count: number): object[] {
  const model = { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: MODEL } };
  const made = Array.from({ length: count }, (_, index) => ({
    apiVersion: 'dtkd.dev/v1',
    kind: 'Resource',
    metadata: { name: resourceName(index), labels: { tier: index % 2 === 0 ? 'front' : 'back' } },
    spec: { model: MODEL, type: 'Setting', description: 'one of very many', properties: { settingValue: `value ${index}` } },
  }));
  return [model, ...made];
}

export function resourceName(index: number): string {
  return `resource-${String(index).padStart(5, '0')}`;
}

/** Makes them at a site, in one request. */
export async function loadResources(site: Site, count: number): Promise<void> {
  await site.call('/apis/dtkd.dev/v1/daemon/import', { method: 'POST', body: { objects: resources(count) } });
}
