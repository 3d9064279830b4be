/** The forms of a list, as text around its rows. What is only known after the rows comes after them. Pure. */
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { columnDefinitions, type IncludeObject, partialMetadata, renderTable } from '../../../../protocol/kinds/table.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Json, ListEnd } from '../../catalog/federation/federation.types.ts';
import type { AnswerForm } from '../request/media.ts';

export interface ListForm {
  head(resourceVersion: string): string;
  /** `first` is true for the very first rows. */
  rows(items: readonly Json[], first: boolean): string;
  tail(end: ListEnd): string;
}

export function listForm(kind: Kind, form: AnswerForm, includeObject: IncludeObject): ListForm {
  switch (form) {
    case 'rows':
      return {
        head: (resourceVersion) => line({ metadata: { resourceVersion } }),
        rows: (items) => items.map((item) => `${textOf(item)}\n`).join(''),
        tail: ({ completeness, continue: next }) => line({ end: { ...(next === undefined ? {} : { continue: next }), completeness } }),
      };
    case 'table':
      return {
        head: () => `{"kind":"Table","apiVersion":"meta.k8s.io/v1","columnDefinitions":${JSON.stringify(columnDefinitions(kind))},"rows":[`,
        rows: (items, first) => {
          const { rows } = renderTable(kind, items.map(objectOf), { now: Date.now(), includeObject });
          return joined(
            rows.map((row) => JSON.stringify(row)),
            first,
          );
        },
        tail,
      };
    case 'metadata':
      return {
        head: () => '{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","items":[',
        rows: (items, first) =>
          joined(
            items.map((item) => JSON.stringify(partialMetadata(objectOf(item)))),
            first,
          ),
        tail,
      };
    default:
      return {
        head: () => `{"kind":"${kind.kind}List","apiVersion":"${apiVersionOf(kind)}","items":[`,
        rows: (items, first) => joined(items.map(textOf), first),
        tail,
      };
  }
}

function tail({ resourceVersion, completeness, continue: next }: ListEnd): string {
  return `],"metadata":${JSON.stringify({ resourceVersion, ...(next === undefined ? {} : { continue: next }), completeness })}}`;
}

function joined(texts: readonly string[], first: boolean): string {
  return `${first || texts.length === 0 ? '' : ','}${texts.join(',')}`;
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function textOf(item: Json): string {
  return typeof item === 'string' ? item : Buffer.from(item.buffer, item.byteOffset, item.byteLength).toString('utf8');
}

/** Trusted JSON: stored by this daemon, or checked when it arrived. */
function objectOf(item: Json): ApiObject {
  return JSON.parse(textOf(item));
}
