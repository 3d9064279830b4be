import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { Paths } from './schema.types.ts';
export function actionPaths(_kinds: readonly Kind[]): Paths {
  return {};
}
