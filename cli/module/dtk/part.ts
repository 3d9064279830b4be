/** Reads a file of DTK piece by piece. Each piece knows its place, and reports there what is wrong with it and what could not be kept. */
import { DtkdError } from '../../../protocol/errors.ts';
import { readYaml } from '../../../protocol/modules/yaml.ts';
import { isRecord } from '../../json.ts';
import type { Note } from '../../model/draft.ts';

/** Further faults are not collected. */
const MAX_FAULTS = 200;
/** Further notes are not kept. */
const MAX_NOTES = 2_000;
/** Characters of a value that messages show. */
const SHOWN = 80;

type Path = readonly (string | number)[];

/** The faults and notes collected while a file is read. */
export class Findings {
  readonly faults: string[] = [];
  readonly notes: Note[] = [];

  fault(where: string, text: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(`${where}: ${text}`);
  }

  note(text: string, line?: number): void {
    if (this.notes.length < MAX_NOTES) this.notes.push({ text, line });
  }
}

interface Document {
  source: string;
  findings: Findings;
  at(path: Path): { line: number; column: number; written: string | undefined } | undefined;
}

export class Part {
  readonly value: unknown;
  readonly path: Path;
  readonly #document: Document;

  constructor(document: Document, value: unknown, path: Path = []) {
    this.#document = document;
    this.value = value;
    this.path = path;
  }

  get isThere(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  get line(): number | undefined {
    return this.#document.at(this.path)?.line;
  }

  /** A scalar as written in the file, so that `1.10` is not turned into a number. */
  get written(): string | undefined {
    return this.#document.at(this.path)?.written ?? (isScalar(this.value) ? String(this.value) : undefined);
  }

  /** Reports that something in the file is invalid: nothing will be written. */
  fault(text: string): void {
    const at = this.#document.at(this.path);
    this.#document.findings.fault(at === undefined ? this.#document.source : `${this.#document.source}:${at.line}:${at.column}`, text);
  }

  /** Reports that something in the file has no counterpart. */
  note(text: string): void {
    this.#document.findings.note(text, this.line);
  }

  get(key: string): Part {
    const value = isRecord(this.value) && Object.hasOwn(this.value, key) ? this.value[key] : undefined;
    return this.#child(key, value);
  }

  /** The entries of a mapping; empty if absent. Anything else is a fault. */
  entries(what: string): [string, Part][] {
    if (!this.isThere) return [];
    if (isRecord(this.value)) return Object.entries(this.value).map(([key, value]) => [key, this.#child(key, value)]);
    this.fault(`${what} must be a mapping`);
    return [];
  }

  /** The items of a list; anything else counts as its only item. */
  items(): Part[] {
    if (!this.isThere) return [];
    return Array.isArray(this.value) ? this.value.map((value, index) => this.#child(index, value)) : [this];
  }

  /** Each name and what stands below it, where DTK allows a mapping of names, or a list of names and of such mappings. */
  named(what: string): [string, Part][] {
    if (isRecord(this.value)) return this.entries(what);
    return this.items().flatMap((item): [string, Part][] => {
      if (typeof item.value === 'string') return [[item.value, item.#nothing()]];
      if (isRecord(item.value)) return item.entries(what);
      item.fault(`${what} must be names, or mappings of names`);
      return [];
    });
  }

  /** A scalar as text; undefined if absent. Anything else is a fault. */
  text(what: string): string | undefined {
    if (!this.isThere) return undefined;
    if (typeof this.value === 'string') return this.value;
    if (isScalar(this.value)) return String(this.value);
    this.fault(`${what} must be a text`);
    return undefined;
  }

  flag(what: string): boolean {
    if (!this.isThere) return false;
    if (typeof this.value === 'boolean') return this.value;
    if (this.value === 'true' || this.value === 'false') return this.value === 'true';
    this.fault(`${what} must be true or false`);
    return false;
  }

  #child(key: string | number, value: unknown): Part {
    return new Part(this.#document, value, [...this.path, key]);
  }

  #nothing(): Part {
    return new Part(this.#document, undefined, this.path);
  }
}

/** Parses a file. Errors: INVALID with file, line and column if it is not YAML. */
export async function readPart(text: string, source: string, findings: Findings): Promise<Part> {
  const value = await readYaml(text, source);
  const { isNode, isScalar: isYamlScalar, LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines });
  return new Part(
    {
      source,
      findings,
      at(path) {
        // use the nearest ancestor that exists
        for (let length = path.length; length >= 0; length--) {
          const node: unknown = document.getIn(path.slice(0, length), true);
          if (!isNode(node) || node.range === undefined || node.range === null) continue;
          const { line, col } = lines.linePos(node.range[0]);
          const written = length === path.length && isYamlScalar(node) && typeof node.source === 'string' ? node.source : undefined;
          return { line, column: col, written };
        }
        return undefined;
      },
    },
    value,
  );
}

/** The error for a file with faults: nothing was written. */
export function unreadable(faults: readonly string[]): DtkdError {
  const shown = faults.slice(0, 20);
  const more = faults.length > shown.length ? `\n  … and ${faults.length - shown.length} more` : '';
  return new DtkdError('BAD_REQUEST', `nothing was written\n  ${shown.join('\n  ')}${more}`, {
    next: 'Correct the file and import it again.',
  });
}

/** A name or value, shortened for messages. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
