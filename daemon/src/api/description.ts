/**
 * Routes to the API's description of itself: OpenAPI documents and the reference page. They need no token. Their code is loaded on
 * first request.
 */
import { KINDS } from '../../../protocol/kinds/index.ts';
import { REVIEWS } from '../../../protocol/kinds/review.ts';
import type { AddRoute } from './reception/reception.ts';
import type { Api } from './request/request.ts';

const OPENAPI = ['/openapi/v2', '/openapi/v3', '/openapi/v3/*'];
const REFERENCE = ['/reference', '/reference/*'];

export function addDescription(api: Pick<Api, 'version'>, add: AddRoute): void {
  const load = async () => {
    const [{ Documents }, openapi, reference] = await Promise.all([
      import('./openapi/documents.ts'),
      import('./openapi/routes.ts'),
      import('./reference/routes.ts'),
    ]);
    return { documents: new Documents({ kinds: KINDS, reviews: REVIEWS }, api.version), openapi, reference };
  };
  let parts: ReturnType<typeof load> | undefined;
  const loaded = () => {
    parts ??= load();
    return parts;
  };
  for (const path of OPENAPI) {
    add('GET', path, async (c) => {
      const { documents, openapi } = await loaded();
      return openapi.getOpenApi(documents, c);
    });
  }
  for (const path of REFERENCE) {
    add('GET', path, async (c) => {
      const { documents, reference } = await loaded();
      return reference.getReference(documents, c);
    });
  }
}
