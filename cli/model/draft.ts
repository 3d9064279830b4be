/** The contents of a foreign file before they become dtkd's objects: the common output of all readers. */

/** The value of a property, as in the file. */
export type DraftValue = string | number | boolean | null | DraftValue[] | { [key: string]: DraftValue };

/** Names a resource within the file, with type and name as written there. */
export interface DraftRef {
  type: string;
  name: string;
}

export interface ResourceDraft extends DraftRef {
  description?: string;
  /** Tags in the file; they become labels and the property `tags`. */
  tags?: string[];
  properties: Record<string, DraftValue>;
  /** The resources that it is a child of. */
  parents: DraftRef[];
  /** True: its parents are exactly these; otherwise they are added to those that it has. */
  replaceParents?: boolean;
  /** Line in the file, from 1. */
  line?: number | undefined;
}

export interface TypeDraft {
  name: string;
  extends: string;
  line?: number | undefined;
}

/** Something that could not be imported, and why. */
export interface Note {
  line?: number | undefined;
  text: string;
}

export interface Draft {
  /** The format of the file, for people. */
  format: string;
  types: TypeDraft[];
  resources: ResourceDraft[];
  notes: Note[];
}

/** The built-in type of machines in a file; the file cannot say whether a daemon runs there. */
export const HOST = 'Host';
export const SITE = 'Site';

/** Collects what a reader finds: each resource once, by type and name. */
export class DraftBuilder {
  readonly #resources = new Map<string, ResourceDraft>();
  readonly #types = new Map<string, TypeDraft>();
  readonly notes: Note[] = [];

  note(text: string, line?: number): void {
    this.notes.push({ text, line });
  }

  /** The resource of that type and name; created if new. */
  resource(ref: DraftRef, line?: number): ResourceDraft {
    const key = keyOf(ref);
    let draft = this.#resources.get(key);
    if (draft === undefined) {
      draft = { ...ref, properties: {}, parents: [], line };
      this.#resources.set(key, draft);
    }
    return draft;
  }

  find(ref: DraftRef): ResourceDraft | undefined {
    return this.#resources.get(keyOf(ref));
  }

  /** Declares a type; later declarations of it are ignored. */
  type(type: TypeDraft): void {
    const key = type.name.toLowerCase();
    if (!this.#types.has(key)) this.#types.set(key, type);
  }

  /** Sets a property. A name that no document can have is left out and noted. */
  property(draft: ResourceDraft, name: string, value: DraftValue, line?: number): void {
    // assigning it would change the prototype of the record
    if (name === '__proto__') this.note(`property "${name}" of ${draft.type} "${draft.name}" was left out: this is not a valid name`, line);
    else draft.properties[name] = value;
  }

  /** Makes one the parent of the other; repeating it has no effect. */
  relate(child: ResourceDraft, parent: DraftRef): void {
    if (!child.parents.some((each) => keyOf(each) === keyOf(parent))) child.parents.push({ type: parent.type, name: parent.name });
  }

  build(format: string): Draft {
    return { format, types: [...this.#types.values()], resources: [...this.#resources.values()], notes: this.notes };
  }
}

export function keyOf({ type, name }: DraftRef): string {
  return `${type.toLowerCase()}\n${name}`;
}
