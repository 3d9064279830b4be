/** Renders objects as a `meta.k8s.io/v1` Table, by the columns of their kind. Used by both the API and the CLI. Pure. */
import type { ApiObject } from '../objects/objects.ts';
import { valueAt } from '../objects/selectors.ts';
import { ageOf } from '../text/age.ts';
import type { Column, Kind } from './kind.ts';

export interface ColumnDefinition {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

export type Cell = string | number | boolean | null;

export interface TableRow {
  cells: Cell[];
  object?: unknown;
}

export interface Table {
  kind: 'Table';
  apiVersion: 'meta.k8s.io/v1';
  metadata: { resourceVersion?: string; continue?: string };
  columnDefinitions: ColumnDefinition[];
  rows: TableRow[];
}

/** What a row contains of its object besides the cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** Returns the columns: Name first, Age last, and those of the kind between. */
export function columnDefinitions(kind: Pick<Kind, 'columns' | 'anonymous'>): ColumnDefinition[] {
  const priority = kind.anonymous === true ? 1 : 0;
  return [
    { name: 'Name', type: 'string', format: 'name', description: 'name of the object, unique in its namespace', priority },
    ...kind.columns.map(({ name, type, description, priority }) => ({ name, type, format: '', description, priority })),
    { name: 'Age', type: 'string', format: '', description: 'time since the object was created', priority },
  ];
}

function cellsOf(kind: Pick<Kind, 'columns'>, object: ApiObject, now: number): Cell[] {
  return [object.metadata.name, ...kind.columns.map((column) => cell(column, object, now)), ageOf(object.metadata.creationTimestamp, now)];
}

function cell(column: Column, object: ApiObject, now: number): Cell {
  const found = column.value === undefined ? valueAt(object, column.path ?? '') : column.value(object, now);
  if (found === undefined || found === null) return '';
  if (column.type === 'date') return ageOf(found, now);
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? found : JSON.stringify(found);
}

export function partialMetadata(object: ApiObject): unknown {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

export interface TableOptions {
  now: number;
  includeObject?: IncludeObject;
  metadata?: Table['metadata'];
}

export function renderTable(
  kind: Pick<Kind, 'columns' | 'anonymous'>,
  objects: readonly ApiObject[],
  { now, includeObject = 'Metadata', metadata = {} }: TableOptions,
): Table {
  const carried = (object: ApiObject): Pick<TableRow, 'object'> => {
    if (includeObject === 'None') return {};
    return { object: includeObject === 'Object' ? object : partialMetadata(object) };
  };
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columnDefinitions(kind),
    rows: objects.map((object) => ({ cells: cellsOf(kind, object, now), ...carried(object) })),
  };
}
