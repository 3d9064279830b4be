/**
 * The API's description of itself, in every form that clients request. Each document is made from the kinds alone when first
 * requested, and kept with its ETag and, once requested, its compressed form. Guarantees that they contain nothing about this node.
 * Does not serve them.
 */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { documentV2 } from './document-v2.ts';
import { type Described, documentV3 } from './document-v3.ts';
import { openApiProtobuf } from './protobuf.ts';
import { referenceDocument } from './reference-document.ts';

const gzip = promisify(gzipCallback);

/** A document that is the same for everybody. */
export class Document {
  readonly bytes: Buffer<ArrayBuffer>;
  /** SHA-256, in the form that Kubernetes uses in URLs. */
  readonly hash: string;
  readonly type: string;
  #short: Promise<Buffer<ArrayBuffer>> | undefined;

  constructor(bytes: Buffer, type = 'application/json') {
    this.bytes = Buffer.from(bytes);
    this.hash = createHash('sha256').update(bytes).digest('hex').toUpperCase();
    this.type = type;
  }

  /** The compressed bytes. */
  short(): Promise<Buffer<ArrayBuffer>> {
    this.#short ??= gzip(this.bytes).then((bytes) => Buffer.from(bytes));
    return this.#short;
  }
}

const PROTOBUF_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

export class Documents {
  readonly #all: Described;
  readonly #version: string;
  readonly #made = new Map<string, Promise<Document>>();

  constructor(all: Described, version: string) {
    this.#all = all;
    this.#version = version;
  }

  /** The index of version 3: the path of each group and version, with a URL that contains the hash of its document. */
  index(): Promise<Document> {
    return this.#once('index', async () => {
      const paths: Record<string, { serverRelativeURL: string }> = {};
      for (const place of this.#places()) {
        // one per turn of the event loop: making all of them at once would delay other requests
        await turn();
        const document = await this.group(place);
        paths[place] = { serverRelativeURL: `/openapi/v3/${place}?hash=${document?.hash ?? ''}` };
      }
      return json({ paths });
    });
  }

  /** The document of one group and version, `api/v1` or `apis/GROUP/VERSION`; undefined if there is none. */
  group(place: string): Promise<Document> | undefined {
    const here = (kind: Pick<Kind, 'group' | 'version'>) => placeOf(kind) === place;
    const described = { kinds: this.#all.kinds.filter(here), reviews: this.#all.reviews.filter(here) };
    if (described.kinds.length + described.reviews.length === 0) return undefined;
    return this.#once(place, async () => json(documentV3(described, this.#version)));
  }

  v2(): Promise<Document> {
    return this.#once('v2', async () => json(this.#v2()));
  }

  /** Version 2 in the encoding that kubectl requests. */
  v2Protobuf(): Promise<Document> {
    return this.#once('v2-protobuf', async () => new Document(openApiProtobuf(this.#v2()), PROTOBUF_V2));
  }

  /** One document with everything and with examples, for people. */
  reference(): Promise<Document> {
    return this.#once('reference', async () => json(referenceDocument(this.#all, this.#version)));
  }

  #v2() {
    return documentV2(documentV3(this.#all, this.#version));
  }

  #places(): string[] {
    return [...new Set([...this.#all.kinds, ...this.#all.reviews].map(placeOf))];
  }

  #once(name: string, make: () => Promise<Document>): Promise<Document> {
    let document = this.#made.get(name);
    if (document === undefined) {
      document = make();
      this.#made.set(name, document);
    }
    return document;
  }
}

function placeOf(kind: Pick<Kind, 'group' | 'version'>): string {
  return kind.group === '' ? `api/${kind.version}` : `apis/${apiVersionOf(kind)}`;
}

function json(value: unknown): Document {
  return new Document(Buffer.from(JSON.stringify(value)));
}
