/**
 * Imports a checked parcel: hands each item to the part that also accepts it from members, and counts the results. Invalid items are left
 * out and reported; the rest is imported. Importing a parcel again changes nothing.
 */
import { MAX_MODULE_BYTES } from '../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import type { DomainId } from '../../../protocol/ids.ts';
import { compareEpochs, parseEntry } from '../../../protocol/log/log-entry.ts';
import type { AnswerFrame } from '../../../protocol/orders/answer.ts';
import type { FrameOf, ParcelFrame, ParcelHead } from '../../../protocol/parcel/parcel.ts';
import { type CheckedParcel, framesOf } from './checking.ts';
import type { CarriedOrder, DomainReport, ImportReport, ParcelDomain, ParcelsOptions, Refused, Taken } from './parcels.types.ts';

/** Refusals reported individually, so that a dishonest maker does not cause a long answer. */
const MAX_TOLD = 32;
/** The most authors named in `gaps`. */
const MAX_GAPS = 64;

type Ports = Pick<ParcelsOptions, 'orders' | 'modules'>;

export async function takeIn(
  path: string,
  checked: CheckedParcel,
  { dryRun, signal }: { dryRun: boolean; signal: AbortSignal },
  ports: Ports,
): Promise<ImportReport> {
  const taking = new Taking(checked, dryRun, ports);
  for await (const { frame, section } of framesOf(path)) {
    signal.throwIfAborted();
    await taking.take(frame, section?.domain);
  }
  return taking.report();
}

interface Place {
  domain: ParcelDomain;
  report: DomainReport;
  isMember(key: string): boolean;
  /** In a dry run: how far each author's log would reach. */
  heads: Map<string, ParcelHead>;
}

class Taking {
  readonly #ports: Ports;
  readonly #dryRun: boolean;
  readonly #checked: CheckedParcel;
  readonly #places = new Map<string, Place>();
  readonly #modules = { taken: 0, known: 0 };
  readonly #refused: ImportReport['refused'] = { count: 0, first: [] };
  /** The module being assembled. Its pieces, which may be small and many, are copied into one buffer. */
  #module: { frame: FrameOf<'module'>; bytes: Uint8Array; come: number } | undefined;

  constructor(checked: CheckedParcel, dryRun: boolean, ports: Ports) {
    this.#checked = checked;
    this.#dryRun = dryRun;
    this.#ports = ports;
    for (const { domain, frame, preview, isMember } of checked.domains) {
      const { maker, makerName, name } = frame;
      const none = () => ({ taken: 0, known: 0 });
      const report = {
        name,
        maker,
        makerName,
        facts: { new: 0 },
        entries: { new: 0, known: 0 },
        gaps: [],
        orders: none(),
        answers: none(),
      };
      this.#places.set(domain.id, { domain, report, isMember, heads: new Map() });
      if (!dryRun) continue;
      report.facts.new = preview.added;
      this.#leaveOut(`facts of "${name}"`, preview.rejected);
    }
  }

  report(): ImportReport {
    const { id, made, skipped } = this.#checked;
    const domains = [...this.#places.values()].map(({ report }) => report);
    return { id, made, dryRun: this.#dryRun, domains, skipped, modules: this.#modules, refused: this.#refused };
  }

  async take(frame: ParcelFrame, of: DomainId | undefined): Promise<void> {
    if (frame.type === 'module' || frame.type === 'piece') return this.#takeModule(frame);
    const place = of === undefined ? undefined : this.#places.get(of);
    if (place === undefined) return;
    switch (frame.type) {
      case 'items':
        return this.#takeItems(place, frame.items);
      case 'entries':
        return this.#takeEntries(place, frame.entries);
      case 'order':
      case 'cancel':
        return this.#takeOrder(place, frame);
      case 'answer':
        return this.#takeAnswer(place, frame);
    }
  }

  async #takeItems({ domain, report }: Place, items: readonly Uint8Array[]): Promise<void> {
    if (this.#dryRun) return;
    const { added, rejected } = await domain.takeItems(items);
    report.facts.new += added;
    this.#leaveOut(`facts of "${report.name}"`, rejected);
  }

  /** Imports entries: those of one author in order, authors in parallel, so that their entries share an fsync. */
  async #takeEntries(place: Place, entries: readonly Uint8Array[]): Promise<void> {
    const byAuthor = Map.groupBy(entries, authorOf);
    if (this.#dryRun && place.heads.size === 0) {
      for (const head of await place.domain.heads()) place.heads.set(head.author, higher(place.heads.get(head.author), head));
    }
    await Promise.all(
      [...byAuthor].map(async ([author, own]) => {
        for (const entry of own) await this.#takeEntry(place, author, entry);
      }),
    );
    if (place.report.entries.new > 0 && !this.#dryRun) place.domain.gained();
  }

  async #takeEntry(place: Place, author: string, bytes: Uint8Array): Promise<void> {
    const { report } = place;
    try {
      const came = this.#dryRun ? preview(place, bytes) : await place.domain.takeEntry(bytes);
      if (came === 'applied') report.entries.new += 1;
      else if (came === 'known') report.entries.known += 1;
      else if (came === 'gap') this.#gap(report, author);
      else this.#leaveOut(`entries of "${report.name}"`, [REASONS[came]]);
    } catch (error) {
      this.#leaveOut(`entries of "${report.name}"`, [told(error)]);
    }
  }

  async #takeOrder({ domain, report }: Place, order: CarriedOrder): Promise<void> {
    // the rights under which the order would be accepted may have been revoked since the backup
    if (order.type === 'order' && order.target === domain.self && domain.isAwaiting())
      this.#leaveOut(`order ${order.id.slice(0, 12)}`, [AWAITING]);
    else if (this.#dryRun) report.orders.taken += 1;
    else
      this.#count(
        report.orders,
        `order ${order.id.slice(0, 12)}`,
        await this.#ports.orders.takeOrder({ domain: domain.id, self: domain.self }, order),
      );
  }

  async #takeAnswer({ domain, report }: Place, answer: AnswerFrame): Promise<void> {
    if (this.#dryRun) report.answers.taken += 1;
    else
      this.#count(
        report.answers,
        `answer to order ${answer.id.slice(0, 12)}`,
        await this.#ports.orders.takeAnswer({ domain: domain.id, self: domain.self }, answer),
      );
  }

  async #takeModule(frame: FrameOf<'module'> | FrameOf<'piece'>): Promise<void> {
    const { modules } = this.#ports;
    if (frame.type === 'module') {
      this.#module = undefined;
      const { statement, signature } = frame;
      const isKnown = await modules.has({ statement, signature }).catch((error: unknown) => {
        this.#leaveOut(`module ${frame.digest.slice(0, 12)}`, [told(error)]);
        return undefined;
      });
      if (isKnown === undefined) return;
      if (isKnown) this.#modules.known += 1;
      else if (frame.size > MAX_MODULE_BYTES) this.#leaveOut('modules', [{ code: 'TOO_LARGE', message: 'a module is too large' }]);
      else if (this.#dryRun) this.#modules.taken += 1;
      else this.#module = { frame, bytes: new Uint8Array(frame.size), come: 0 };
      return;
    }
    const open = this.#module;
    if (open === undefined) return;
    open.bytes.set(frame.bytes, open.come);
    open.come += frame.bytes.length;
    if (open.come < open.bytes.length) return;
    this.#module = undefined;
    try {
      await modules.keep({ statement: open.frame.statement, signature: open.frame.signature }, open.bytes);
      this.#modules.taken += 1;
    } catch (error) {
      // modules have a quota on the disk; using it up must not stop the rest of the import
      const refused = error instanceof DtkdError && error.code === 'DISK_FULL' ? error : told(error);
      this.#leaveOut(`module ${open.frame.digest.slice(0, 12)}`, [refused]);
    }
  }

  #count(counts: { taken: number; known: number }, what: string, taken: Taken): void {
    if (taken === 'taken') counts.taken += 1;
    else if (taken === 'known') counts.known += 1;
    else this.#leaveOut(what, [taken.refused]);
  }

  #gap({ gaps }: DomainReport, author: string): void {
    if (!gaps.includes(author) && gaps.length < MAX_GAPS) gaps.push(author);
  }

  #leaveOut(what: string, refused: readonly Refused[]): void {
    this.#refused.count += refused.length;
    for (const { code, message } of refused) {
      if (this.#refused.first.length >= MAX_TOLD) return;
      this.#refused.first.push({ what, code, message });
    }
  }
}

const AWAITING: Refused = {
  code: 'UNAVAILABLE',
  message:
    'this node was restored from a backup, and waits to hear from members what it did after the backup: import the file again then; if it never connects to a member, restore it with --alone',
};

const REASONS: Readonly<Record<'unknown-author' | 'forked', Refused>> = {
  'unknown-author': { code: 'NOT_A_MEMBER', message: 'its author is not a member known here' },
  forked: { code: 'ENTRY_FORKED', message: 'its author signed two different histories: it is suspended' },
};

/** Turns a refusal into a report. Rethrows failures of this node itself (a full disk), which end the import. */
function told(error: unknown): Refused {
  if (error instanceof DtkdError && error.httpStatus < 500) return { code: error.code, message: error.message };
  throw error;
}

function authorOf(bytes: Uint8Array): string {
  try {
    return parseEntry(bytes).author;
  } catch {
    return '';
  }
}

function higher(a: ParcelHead | undefined, b: ParcelHead): ParcelHead {
  return a !== undefined && compareEpochs(a.epoch, b.epoch) > 0 ? a : b;
}

/** The expected result of importing an entry, judged only by its place in its author's log. */
function preview({ heads, isMember }: Place, bytes: Uint8Array): 'applied' | 'known' | 'gap' | 'unknown-author' {
  const { author, epoch, seq, hash } = parseEntry(bytes);
  if (!isMember(author)) return 'unknown-author';
  const head = heads.get(author);
  const order = head === undefined ? 1 : compareEpochs(epoch, head.epoch);
  if (order < 0 || (order === 0 && head !== undefined && seq <= head.seq)) return 'known';
  const follows = order > 0 ? seq === 0 : head !== undefined && seq === head.seq + 1;
  if (!follows) return 'gap';
  heads.set(author, { author, epoch, seq, hash });
  return 'applied';
}
