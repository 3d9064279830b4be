import { STALE_ANNOTATION } from '../../protocol/objects/completeness.ts';
import { ageOf } from '../../protocol/text/age.ts';
import { isRecord, listAt, numberAt, textAt } from '../json.ts';
import { alignColumns } from './columns.ts';

/** Width of the EVENT column. It is fixed, since rows of a watch are printed one by one, and a wider one would shift the column. */
const LONGEST_EVENT = 'MODIFIED'.length;

export interface TableColumn {
  name: string;
  priority: number;
}

export interface TableRow {
  cells: string[];
  /** From the metadata of the row's object, if the server sent it. */
  name: string;
  namespace: string;
  /** When the row was last confirmed, if its node did not answer now; else empty. */
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
  /** Puts a STALE column last: the age of rows whose node did not answer now. */
  stale?: boolean;
  /** Written before each name, e.g. `service/`. */
  prefix: string;
  headers: boolean;
}

/** Parses the server's `meta.k8s.io/v1` Table. Undefined if it is none. */
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
 * Prints successive Tables as one: a single heading, and columns that never become narrower, so that later pages and changes line up with
 * the rows above.
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

  /** Prints a Table. `leading` is put before each row, under `EVENT`. */
  print(table: Table, leading?: string): void {
    // Later watch events may omit the columns.
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
    // only the first line, as kubectl does: a row is one line
    const end = cell.indexOf('\n');
    return end === -1 ? cell : `${cell.slice(0, end)}...`;
  }
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}
