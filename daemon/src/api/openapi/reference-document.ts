import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { actionPaths } from './action-paths.ts';
import { documentV3 } from './document-v3.ts';
import type { DocumentV3 } from './schema.types.ts';
export function referenceDocument(kinds: readonly Kind[], version: string): DocumentV3 {
  return documentV3(kinds, version, actionPaths(kinds));
}
