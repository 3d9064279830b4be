/** Documents of OpenAPI 3.0: one for each group and version, as Kubernetes clients ask for them. Pure. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { kindPaths } from './kind-paths.ts';
import { kindSchemas } from './kind-schemas.ts';
import { metaSchemas } from './meta-schemas.ts';
import { refTo, STATUS } from './names.ts';
import { DELETING, FIELD_MANAGER, LISTING, NAME, NAMESPACE } from './parameters.ts';
import type { DocumentV3, Paths } from './schema.types.ts';

const TITLE = 'dtkd';

/** The document of some kinds and of what else is served beside them. */
export function documentV3(kinds: readonly Kind[], version: string, others: Paths = {}): DocumentV3 {
  const paths: Paths = {};
  for (const kind of kinds) Object.assign(paths, kindPaths(kind));
  return {
    openapi: '3.0.0',
    info: { title: TITLE, version },
    paths: { ...paths, ...others },
    components: {
      schemas: { ...Object.assign({}, ...kinds.map(kindSchemas)), ...metaSchemas() },
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
