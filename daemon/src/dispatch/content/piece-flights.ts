/**
 * The fetches in pieces that are in progress: one per content and piece list, however many wait for it; and which members are not asked
 * for which content any more. A wrong piece list from one member does not count against those who give the right pieces.
 */
import { createHash } from 'node:crypto';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Member, Members } from '../dispatch.types.ts';
import type { PiecesWanted } from './content.types.ts';
import type { ContentFiles } from './content-files.ts';
import * as limits from './limits.ts';
import { fetchPieces, keyText } from './piece-fetching.ts';
import type { PieceFile } from './piece-file.ts';

export interface PieceFlightsOptions {
  files: ContentFiles;
  members: Members;
  logger: Logger;
  now(): number;
  patienceMs: number;
  restMs: number;
  takeOverMs: number;
  /** Reserves bytes of the share of the disk, and gives them back. */
  reserve(bytes: number): Promise<void>;
  giveBack(bytes: number): void;
  /** Turns a file into a kept one, and closes it. */
  keep(file: PieceFile, digest: string): Promise<void>;
}

/** Hexadecimal digits that distinguish the piece lists of one content. */
const TOLD_DIGITS = 32;

interface Flight {
  waiting: Set<PiecesWanted>;
  controller: AbortController;
  done: Promise<void>;
}

export class PieceFlights {
  readonly #options: PieceFlightsOptions;
  readonly #flights = new Map<string, Flight>();
  /** By name of the fetch: members that gave wrong bytes, and until when they are not asked (milliseconds since the epoch). */
  readonly #distrusted = new Map<string, Map<string, number>>();

  constructor(options: PieceFlightsOptions) {
    this.#options = options;
  }

  /** Resolves once the file is here. Errors: CONTENT_MISSING, CONTENT_ALTERED, DISK_FULL, TIMEOUT by the signal. */
  async fetch(wanted: PiecesWanted): Promise<void> {
    const flight = await this.#board(wanted);
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(new DtkdError('TIMEOUT', `content ${wanted.digest.slice(0, 12)}… did not arrive in time`));
    wanted.signal.addEventListener('abort', abort, { once: true });
    if (wanted.signal.aborted) abort();
    try {
      await Promise.race([promise, flight.done]);
    } finally {
      wanted.signal.removeEventListener('abort', abort);
      flight.waiting.delete(wanted);
      if (flight.waiting.size === 0) flight.controller.abort();
    }
  }

  async stop(): Promise<void> {
    const flights = [...this.#flights.values()];
    for (const { controller } of flights) controller.abort();
    await Promise.allSettled(flights.map(({ done }) => done));
  }

  async #board(wanted: PiecesWanted): Promise<Flight> {
    const name = nameOf(wanted);
    for (;;) {
      const flight = this.#flights.get(name);
      if (flight === undefined) return this.#launch(name, wanted);
      if (!flight.controller.signal.aborted) {
        flight.waiting.add(wanted);
        return flight;
      }
      await flight.done.catch(() => undefined);
    }
  }

  #launch(name: string, wanted: PiecesWanted): Flight {
    const flight: Flight = { waiting: new Set([wanted]), controller: new AbortController(), done: Promise.resolve() };
    flight.done = this.#run(name, wanted, flight).finally(() => this.#flights.delete(name));
    // Everybody who waited may be gone.
    flight.done.catch(() => undefined);
    this.#flights.set(name, flight);
    return flight;
  }

  async #run(name: string, wanted: PiecesWanted, { waiting, controller }: Flight): Promise<void> {
    const { files, members, logger, patienceMs, restMs, takeOverMs } = this.#options;
    const { digest, size } = wanted;
    await this.#options.reserve(size);
    let file: PieceFile | undefined;
    try {
      file = await files.resumePieces(name, wanted);
      await fetchPieces(
        file,
        {
          digest,
          size,
          prefer: wanted.prefer,
          signal: controller.signal,
          onProgress: (progress) => {
            for (const one of waiting) one.onProgress?.(progress);
          },
          onAltered: (member) => {
            this.#distrust(name, member);
            for (const one of waiting) one.onAltered?.(member);
          },
        },
        { members, logger, patienceMs, restMs, takeOverMs, isDistrusted: (member) => this.#isDistrusted(name, member) },
      );
      await this.#finish(file, digest);
    } finally {
      // What has come is kept for a later fetch.
      await file?.close();
      this.#options.giveBack(size);
    }
  }

  async #finish(file: PieceFile, digest: string): Promise<void> {
    if ((await file.digest()) === digest) return this.#options.keep(file, digest);
    await this.#options.files.discard(file);
    throw new DtkdError(
      'CONTENT_ALTERED',
      `the pieces of content ${digest.slice(0, 12)}… do not make up the content: their list is wrong`,
      {
        next: 'Tell the operator of the node that published it.',
        details: { toldWrong: true },
      },
    );
  }

  #distrust(name: string, member: Member): void {
    const until = this.#options.now() + limits.DISTRUST_MS;
    const those = this.#distrusted.get(name) ?? new Map<string, number>();
    those.set(keyText(member), until);
    this.#distrusted.delete(name);
    this.#distrusted.set(name, those);
    const [oldest] = this.#distrusted.keys();
    if (this.#distrusted.size > limits.MAX_DISTRUSTED && oldest !== undefined) this.#distrusted.delete(oldest);
  }

  #isDistrusted(name: string, member: string): boolean {
    return (this.#distrusted.get(name)?.get(member) ?? 0) > this.#options.now();
  }
}

/** Names a fetch: the digest of the content, and a digest of its size and the hashes of its pieces. */
function nameOf({ digest, size, pieceBytes, pieces }: PiecesWanted): string {
  const hash = createHash('sha256').update(`${size} ${pieceBytes} `);
  for (const piece of pieces) hash.update(piece);
  return `${digest}-${hash.digest('hex').slice(0, TOLD_DIGITS)}`;
}
