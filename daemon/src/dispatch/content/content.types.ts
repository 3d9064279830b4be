/** The port of content: what it needs, and what it offers beyond the port that all of dispatch uses. */
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { Content, Members } from '../dispatch.types.ts';

export interface ContentOptions {
  /** `DATA/content`. Created if missing. */
  directory: string;
  members: Members;
  /** Rows `b/…`. */
  rows: Kv;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Maximum bytes kept. Default: DEFAULT_CONTENT_BYTES. */
  capacity?: number;
  /** How long a fetch goes on without progress. Milliseconds; default: FETCH_PATIENCE_MS, or PIECE_PATIENCE_MS for a fetch in pieces. */
  patienceMs?: number;
  /** The first pause between two rounds of asking. Milliseconds; default: FIRST_REST_MS. */
  restMs?: number;
  /** How long a piece may be in progress before another member is asked for it as well. Milliseconds; default: TAKE_OVER_MS. */
  takeOverMs?: number;
}

/** Content of which the hash of each piece is known, so that several members can be asked at once. */
export interface PiecesWanted {
  digest: string;
  size: number;
  pieceBytes: number;
  /** SHA-256 of each piece. */
  pieces: readonly Uint8Array[];
  /** Members to ask first. */
  prefer: readonly { domain: string; key: string }[];
  signal: AbortSignal;
  onProgress?: ((progress: { done: number; size: number; members: readonly string[] }) => void) | undefined;
  /** Called when a member gave wrong bytes. It is not asked for this again. */
  onAltered?: ((member: { node: string; domain: string; key: string }) => void) | undefined;
}

/**
 * `allow` says who may fetch a file, and keeps it until then (`Infinity`: for ever). Earlier readers keep their access; for readers that
 * are named again, the new time replaces the old, so a past time revokes access. A file that nobody may fetch is kept for a day after its
 * last use.
 */
export interface ContentStore extends Content {
  /** Size in bytes of a file that is here. */
  size(digest: string): number | undefined;
  /**
   * Fetches something small into memory, without keeping it. Errors: CONTENT_MISSING, CONTENT_ALTERED, TIMEOUT by the signal,
   * TOO_MANY_REQUESTS if too many such fetches are in progress.
   */
  bytes(digest: string, options: { size: number; from: { domain: string; key: string }; signal: AbortSignal }): Promise<Uint8Array>;
  /**
   * Fetches from several members at once, piece by piece, and continues an earlier fetch. Gives up when no reachable member has it.
   * Returns the path. Errors: CONTENT_MISSING, CONTENT_ALTERED naming who gave it, DISK_FULL, TIMEOUT by the signal.
   */
  fetchPieces(wanted: PiecesWanted): Promise<string>;
  counts(): { files: number; bytes: number };
  /** Removes files that nobody may fetch any more and that have not been used for a day. Runs every hour. */
  sweep(): Promise<void>;
  /** Loads what is on disk, and serves `/dtkd/content`. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
