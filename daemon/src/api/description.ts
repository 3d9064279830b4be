/** Where the API describes itself: its OpenAPI documents and the reference page. Without a token. Nothing of it is loaded before it is first asked for. */
import type { Hono } from 'hono';
import { KINDS } from '../../../protocol/kinds/index.ts';
import { REVIEWS } from '../../../protocol/kinds/review.ts';
import type { Api, ApiContext, ApiEnv } from './request.ts';

const OPENAPI = ['/openapi/v2', '/openapi/v3', '/openapi/v3/*'];
const REFERENCE = ['/reference', '/reference/*'];

export function addDescription(api: Pick<Api, 'version'>, app: Hono<ApiEnv>): void {
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
    app.get(path, async (c: ApiContext) => {
      const { documents, openapi } = await loaded();
      return openapi.getOpenApi(documents, c);
    });
  }
  // a person at the door, and no program
  app.get('/', (c: ApiContext, next) => (/\btext\/html\b/.test(c.req.header('accept') ?? '') ? c.redirect('/reference/') : next()));
  for (const path of REFERENCE) {
    app.get(path, async (c: ApiContext) => {
      const { documents, reference } = await loaded();
      return reference.getReference(documents, c);
    });
  }
}
