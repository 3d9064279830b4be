/** What a foreign file says, before it becomes dtkd's objects: the one form that all readers produce. */

/** A property's value as the file has it. */
export type DraftValue = string | number | boolean | null | DraftValue[] | { [key: string]: DraftValue };

/** Names a resource within the file: types and names as the file writes them. */
export interface DraftRef {
  type: string;
  name: string;
}

export interface ResourceDraft extends DraftRef {
  description?: string;
  /** Words that the file attaches to it; they become labels and the property `tags`. */
  tags?: string[];
  properties: Record<string, DraftValue>;
  /** What it is a child of. */
  parents: DraftRef[];
  /** True: its parents are exactly these; else they are added to those that it has. */
  replaceParents?: boolean;
  /** Line of the file, from 1. */
  line?: number | undefined;
}

export interface TypeDraft {
  name: string;
  extends: string;
  line?: number | undefined;
}

/** Something that could not be kept, and why. */
export interface Note {
  line?: number | undefined;
  text: string;
}

export interface Draft {
  /** What the file is, for people. */
  format: string;
  types: TypeDraft[];
  resources: ResourceDraft[];
  notes: Note[];
}

/** The built-in type of machines that a file names; whether a daemon runs there is not for the file to say. */
export const HOST = 'Host';
export const SITE = 'Site';

/** Parts that readers collect into: resources by type and name, each once. */
export class DraftBuilder {
  readonly #resources = new Map<string, ResourceDraft>();
  readonly #types = new Map<string, TypeDraft>();
  readonly notes: Note[] = [];

  note(text: string, line?: number): void {
    this.notes.push({ text, line });
  }

  /** The resource of that type and name; made if there is none yet. */
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

  /** Declares a type, once. */
  type(type: TypeDraft): void {
    const key = type.name.toLowerCase();
    if (!this.#types.has(key)) this.#types.set(key, type);
  }

  /** A property as the file names it; one that no document can have is left out, and that is noted. */
  property(draft: ResourceDraft, name: string, value: DraftValue, line?: number): void {
    // assigning it would not make a property but change what the record inherits
    if (name === '__proto__') this.note(`property "${name}" of ${draft.type} "${draft.name}" was left out: nothing can be called so`, line);
    else draft.properties[name] = value;
  }

  /** Makes one the parent of the other, once. */
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
