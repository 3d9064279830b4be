/**
 * Follows an execution at the nodes that know it. Output passes through without being stored: the next piece is read once the last was
 * taken, so a slow reader slows the target's stream and nothing is lost. If a part's target is lost, the starter is asked if it knows the
 * part, and the other way round.
 */
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { ExecutionPhase } from '../../../../../protocol/orders/words.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import type { Member, Members } from '../../dispatch.types.ts';
import { MAX_FOLLOWED_ELSEWHERE, MAX_NOTES, type Timing } from '../limits.ts';
import type { OutputSink } from '../output/collected.ts';
import { openConversation } from '../part/conversation.ts';
import { type LocalTarget, localConversation } from '../part/local-conversation.ts';
import { PartDriver } from '../part/part-driver.ts';
import type { Line } from '../part/part-driver.types.ts';
import { wireUser } from '../starting.ts';
import { Notes } from '../views/notes.ts';
import type { Note, View } from '../views/view.types.ts';
import { isIdle, type Merged, phaseOf } from './elsewhere.ts';

export interface ElsewhereOptions {
  merged: Merged;
  members: Pick<Members, 'open' | 'byKey' | 'onChange'>;
  target: LocalTarget;
  principal: Principal;
  self: string;
  from: ReadonlyMap<number, number>;
  timing: Timing;
  now(): number;
  logger: Logger;
}

/** Output in passing: one piece at a time. */
class Passage implements OutputSink {
  offset: number;
  #piece: { offset: number; bytes: Uint8Array } | undefined;
  #taken: (() => void) | undefined;
  #over = false;

  constructor(offset: number) {
    this.offset = offset;
  }

  async append(records: Uint8Array): Promise<void> {
    if (this.#over) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#piece = { offset: this.offset, bytes: records };
    this.offset += records.length;
    this.#taken = resolve;
    this.onPiece?.();
    await promise;
  }

  onPiece: (() => void) | undefined;

  /** The piece at this offset. Reading at any other offset means that the piece was taken. */
  read(offset: number): Uint8Array {
    const piece = this.#piece;
    if (piece === undefined) return new Uint8Array();
    if (offset === piece.offset) return piece.bytes;
    this.#piece = undefined;
    this.#taken?.();
    return new Uint8Array();
  }

  end(): void {
    this.#over = true;
    this.#piece = undefined;
    this.#taken?.();
  }
}

export class ElsewhereView implements View {
  readonly id: string;
  readonly #options: ElsewhereOptions;
  readonly #followed = new Map<number, { driver: PartDriver; passage: Passage }>();
  readonly #notes = new Notes(MAX_NOTES);
  readonly #listeners = new Set<(index?: number) => void>();
  readonly #waiting: number[];
  #running = 0;

  constructor(options: ElsewhereOptions) {
    this.#options = options;
    this.id = options.merged.id;
    // parts that have something to show go first: the others may keep their places for long
    const parts = [...options.merged.parts];
    this.#waiting = [false, true].flatMap((idle) => parts.flatMap(([index, { part }]) => (isIdle(part) === idle ? [index] : [])));
    this.#next();
  }

  object(): ApiObject {
    return this.#options.merged.object;
  }

  indexes(): Iterable<number> {
    return this.#options.merged.parts.keys();
  }

  part(index: number): Part | undefined {
    return this.#followed.get(index)?.driver.part ?? this.#options.merged.parts.get(index)?.part;
  }

  phase(): ExecutionPhase {
    return phaseOf(this.#asTold());
  }

  resting(): boolean {
    return (this.#waiting.length === 0 && this.#running === 0) || this.phase() === 'Paused';
  }

  async read(index: number, offset: number): Promise<Uint8Array> {
    return this.#followed.get(index)?.passage.read(offset) ?? new Uint8Array();
  }

  notes(since: number): { items: readonly Note[]; next: number } {
    return this.#notes.since(since);
  }

  onChange(listener: (index?: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  missing(): number {
    return this.#options.merged.missing;
  }

  close(): void {
    this.#waiting.length = 0;
    for (const { driver, passage } of this.#followed.values()) {
      passage.end();
      driver.close();
    }
  }

  /** Parts as told now: only nodes that are being asked can say that it is still paused. */
  *#asTold(): Generator<Part> {
    for (const [index, { part }] of this.#options.merged.parts) {
      yield this.#followed.get(index)?.driver.part ?? { ...part, paused: undefined };
    }
  }

  /** Begins to follow more parts, as many as there is room for. */
  #next(): void {
    while (this.#running < MAX_FOLLOWED_ELSEWHERE) {
      const index = this.#waiting.shift();
      if (index === undefined) return;
      this.#begin(index);
    }
  }

  #begin(index: number): void {
    const known = this.#options.merged.parts.get(index);
    if (known === undefined) return;
    const { timing, now, logger, self, from, principal } = this.#options;
    const { id } = this;
    const passage = new Passage(from.get(index) ?? 0);
    passage.onPiece = () => this.#tell(index);
    this.#running += 1;
    const driver = new PartDriver({
      id,
      // as if it were running: the end is reported after the output
      part: { ...known.part, state: 'running', outcome: undefined },
      self,
      line: lineTo(known.sources, this.#options),
      sink: passage,
      relayed: true,
      user: wireUser(principal),
      notAfter: now(),
      settleUntil: now(),
      timeoutMs: Number.MAX_SAFE_INTEGER,
      timing,
      now,
      logger,
      onChange: () => this.#tell(index),
      note: (event, text) => {
        this.#notes.add({ event, index, node: known.part.node, text });
        this.#tell();
      },
    });
    this.#followed.set(index, { driver, passage });
    driver.resume();
    void driver.turnOver.then(() => {
      // a part that is lost for long stays as last reported
      if (driver.lost) driver.giveUp('lost');
      this.#running -= 1;
      this.#next();
      this.#tell(index);
    });
  }

  #tell(index?: number): void {
    for (const listener of this.#listeners) listener(index);
  }
}

/** Each attempt goes to the next node that can be asked. */
function lineTo(
  sources: readonly Member[],
  { members, target, principal }: Pick<ElsewhereOptions, 'members' | 'target' | 'principal'>,
): Line {
  let turn = 0;
  const there = () => sources.filter(({ domain, key }) => domain === '' || isThere(members.byKey(domain, key)));
  return {
    open: async (signal) => {
      const candidates = there();
      const source = candidates[turn % Math.max(1, candidates.length)] ?? sources[0];
      turn += 1;
      if (source === undefined) throw new RangeError('there is nobody to ask');
      return source.domain === '' ? localConversation(target, principal) : openConversation(members, source, signal);
    },
    maybeThere: () => there().length > 0,
    isGone: () => false,
    onChange: (listener) => members.onChange(listener),
  };
}

function isThere(member: Member | undefined): boolean {
  return member !== undefined && member.reach !== 'away';
}
