/** Answers with one object in the form that the client accepts. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { type IncludeObject, partialMetadata, renderTable } from '../../../../protocol/kinds/table.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { AnswerForm } from './media.ts';
import { type ApiContext, answerJson } from './request.ts';

export function answerObject(c: ApiContext, kind: Kind, object: ApiObject, form: AnswerForm, status = 200): Response {
  if (form === 'table') {
    const { resourceVersion } = object.metadata;
    return answerJson(
      c,
      renderTable(kind, [object], { now: Date.now(), includeObject: includeObject(c), metadata: { resourceVersion } }),
      status,
    );
  }
  return answerJson(c, form === 'metadata' ? partialMetadata(object) : object, status);
}

export function includeObject(c: ApiContext): IncludeObject {
  const value = c.req.query('includeObject') ?? '';
  if (value === 'None' || value === 'Object') return value;
  return 'Metadata';
}
