/** What content takes and offers beyond the port that all of dispatch uses. */
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { Content, Members } from '../dispatch.types.ts';

export interface ContentOptions {
  /** `DATA/content`; made if it is not there. */
  directory: string;
  members: Members;
  /** Rows `b/…`. */
  rows: Kv;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Bytes kept in sum. Default: DEFAULT_CONTENT_BYTES. */
  capacity?: number;
  /** How long a fetch goes on without any progress. Milliseconds; default: FETCH_PATIENCE_MS. */
  patienceMs?: number;
  /** The first rest between two rounds of asking. Milliseconds; default: FIRST_REST_MS. */
  restMs?: number;
  /** How long a piece may be under way before another member is asked as well. Milliseconds; default: TAKE_OVER_MS. */
  takeOverMs?: number;
}

/** Bytes of which the hash of each piece is known, so that several members can be asked at once. */
export interface PiecesWanted {
  digest: string;
  size: number;
  pieceBytes: number;
  /** SHA-256 of each piece. */
  pieces: readonly Uint8Array[];
  /** Who is asked first. */
  prefer: readonly { domain: string; key: string }[];
  signal: AbortSignal;
  onProgress?: ((progress: { done: number; size: number; members: readonly string[] }) => void) | undefined;
  /** A member gave something else, and is not asked for this again. */
  onAltered?: ((member: { node: string; domain: string; key: string }) => void) | undefined;
}

/**
 * `allow` says who may fetch a file, and that it is kept so long: `Infinity` for ever. Readers that were allowed before stay; for those named, the new time
 * counts, so a time that has passed takes it back. What nobody may fetch is kept for a day after it was last used.
 */
export interface ContentStore extends Content {
  /** Bytes of a file that is here. */
  size(digest: string): number | undefined;
  /**
   * Fetches something small that is not kept, into memory. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT by the signal, TOO_MANY_REQUESTS while
   * many others are fetched so.
   */
  bytes(digest: string, options: { size: number; from: { domain: string; key: string }; signal: AbortSignal }): Promise<Uint8Array>;
  /**
   * Fetches from several members at once, piece by piece; goes on with what an earlier fetch has brought. Gives up when nobody who can be reached has it.
   * Gives the path. Errors: CONTENT_MISSING, CONTENT_ALTERED naming who gave it, DISK_FULL, TIMEOUT by the signal.
   */
  fetchPieces(wanted: PiecesWanted): Promise<string>;
  counts(): { files: number; bytes: number };
  /** Removes what nobody may fetch any more and has not been used for a day. Done every hour. */
  sweep(): Promise<void>;
  /** Takes up what is on the disk, and serves `/dtkd/content`. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
