/** Makes OpenAPI 3.0 documents: one for each group and version, as Kubernetes clients request them. Pure. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { DiscoveredKind } from '../../../../protocol/kinds/review.ts';
import { actionPaths } from './action-paths.ts';
import { kindPaths } from './kind-paths.ts';
import { kindSchemas } from './kind-schemas.ts';
import { metaSchemas } from './meta-schemas.ts';
import { refTo, STATUS } from './names.ts';
import { DELETING, FIELD_MANAGER, LISTING, NAME, NAMESPACE } from './parameters.ts';
import { reviewPaths, reviewSchemas } from './review-document.ts';
import type { DocumentV3, Paths } from './schema.types.ts';

const TITLE = 'dtkd';

/** What a document describes. */
export interface Described {
  kinds: readonly Kind[];
  reviews: readonly DiscoveredKind[];
}

/** The document for some kinds, their actions, and some reviews. */
export function documentV3({ kinds, reviews }: Described, version: string): DocumentV3 {
  const paths: Paths = {};
  for (const kind of kinds) Object.assign(paths, kindPaths(kind));
  for (const review of reviews) Object.assign(paths, reviewPaths(review));
  return {
    openapi: '3.0.0',
    info: { title: TITLE, version },
    paths: { ...paths, ...actionPaths(kinds) },
    components: {
      schemas: { ...Object.assign({}, ...kinds.map(kindSchemas), ...reviews.map(reviewSchemas)), ...metaSchemas() },
      parameters: {
        [NAMESPACE.name]: NAMESPACE,
        [NAME.name]: NAME,
        [FIELD_MANAGER.name]: FIELD_MANAGER,
        ...LISTING,
        ...DELETING,
      },
      responses: {
        Failure: { description: 'What went wrong, and what to do next.', content: { 'application/json': { schema: refTo(STATUS) } } },
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: "The operator's token, or a user's." },
      },
    },
    security: [{ token: [] }],
  };
}
