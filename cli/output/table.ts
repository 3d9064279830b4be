import { STALE_ANNOTATION } from '../../protocol/objects/completeness.ts';
import { ageOf } from '../../protocol/text/age.ts';
import { isRecord, listAt, numberAt, textAt } from '../json.ts';
import { alignColumns } from './columns.ts';

/** Rows of events come one by one: the first would be moved by the next. */
const LONGEST_EVENT = 'MODIFIED'.length;

export interface TableColumn {
  name: string;
  priority: number;
}

export interface TableRow {
  cells: string[];
  /** Metadata of the row's object, as far as the server sent it. */
  name: string;
  namespace: string;
  /** Since when the row has not been confirmed, if its node did not answer now. */
  staleSince: string;
}

export interface Table {
  columns: TableColumn[];
  rows: TableRow[];
  resourceVersion: string;
  continue: string | undefined;
}

export interface TableStyle {
  wide: boolean;
  /** Puts a NAMESPACE column first. */
  namespaces: boolean;
  /** Puts a STALE column last: how long ago the row's node said so, where it did not answer now. */
  stale?: boolean;
  /** Written before each name, e.g. `service/`. */
  prefix: string;
  headers: boolean;
}

/** Reads the server's `meta.k8s.io/v1` Table. Undefined if it is none. */
export function parseTable(body: unknown): Table | undefined {
  if (textAt(body, 'kind') !== 'Table') return undefined;
  return {
    columns: listAt(body, 'columnDefinitions').map((column) => ({
      name: textAt(column, 'name') ?? '',
      priority: numberAt(column, 'priority') ?? 0,
    })),
    rows: listAt(body, 'rows')
      .filter(isRecord)
      .map((row) => ({
        cells: listAt(row, 'cells').map(cellText),
        name: textAt(row, 'object', 'metadata', 'name') ?? '',
        namespace: textAt(row, 'object', 'metadata', 'namespace') ?? '',
        staleSince: textAt(row, 'object', 'metadata', 'annotations', STALE_ANNOTATION) ?? '',
      })),
    resourceVersion: textAt(body, 'metadata', 'resourceVersion') ?? '',
    continue: textAt(body, 'metadata', 'continue') || undefined,
  };
}

/**
 * Prints Tables one under the other as one: the heading once, and columns that never become narrower, so that pages and later changes
 * line up with what already stands there.
 */
export class TablePrinter {
  readonly #style: TableStyle;
  readonly #write: (lines: string[]) => void;
  readonly #widths: number[] = [];
  #columns: TableColumn[] = [];
  #started = false;

  constructor(style: TableStyle, write: (lines: string[]) => void) {
    this.#style = style;
    this.#write = write;
  }

  /** `leading` is written before each row, under `EVENT`. */
  print(table: Table, leading?: string): void {
    // Watch events after the first need not repeat the columns.
    if (table.columns.length > 0) this.#columns = table.columns;
    const { wide, namespaces, stale, prefix, headers } = this.#style;
    const shown = this.#columns.map((column, index) => ({ column, index })).filter(({ column }) => wide || column.priority === 0);
    const rows = table.rows.map((row) => [
      ...(leading === undefined ? [] : [leading.padEnd(LONGEST_EVENT)]),
      ...(namespaces ? [row.namespace || '<none>'] : []),
      ...shown.map(({ index }) => (index === 0 ? prefix : '') + (row.cells[index] || '<none>')),
      ...(stale === true ? [row.staleSince === '' ? '<none>' : ageOf(row.staleSince, Date.now())] : []),
    ]);
    const heading = [
      ...(leading === undefined ? [] : ['EVENT'.padEnd(LONGEST_EVENT)]),
      ...(namespaces ? ['NAMESPACE'] : []),
      ...shown.map(({ column }) => column.name.toUpperCase()),
      ...(stale === true ? ['STALE'] : []),
    ];
    const withHeading = headers && !this.#started && rows.length > 0;
    this.#started ||= rows.length > 0;
    this.#write(alignColumns(withHeading ? [heading, ...rows] : rows, this.#widths));
  }
}

function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'string') {
    // of several lines the first, as kubectl has it: a row is one
    const end = cell.indexOf('\n');
    return end === -1 ? cell : `${cell.slice(0, end)}...`;
  }
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}
