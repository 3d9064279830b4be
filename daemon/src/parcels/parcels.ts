/**
 * Parcels: files that carry between nodes that never connect what members would tell one another. Combines what the mesh, holding,
 * executions and modules export and import. Guarantees that nothing is imported from a file that is incomplete, altered, or not made by a
 * member; that memory does not grow with the file; and that one file is read at a time. Leaves judging the contents to the parts that
 * accept the same from members.
 */
import { DtkdError } from '../../../protocol/errors.ts';
import { MAX_PARCEL_DOMAINS } from '../../../protocol/parcel/parcel.ts';
import { type ParcelRequest, parcelRequest } from '../../../protocol/parcel/request.ts';
import { type Principal, principalText } from '../../../protocol/rights/principal.ts';
import { Turns } from '../counting/turns.ts';
import { checkParcel } from './checking.ts';
import { chooseModules, type ExportPlan, newParcelId, writeParcel } from './exporting.ts';
import { takeIn } from './importing.ts';
import { Marks } from './marks.ts';
import type { CarriedModule, ExportAnswer, ImportReport, ParcelDomain, Parcels, ParcelsOptions } from './parcels.types.ts';
import { emptySpool, spooled } from './spooling.ts';

/** Concurrent exports, shared among users. Each reads as fast as its client takes the bytes. */
const MAX_EXPORTS = 4;
/** Concurrent uploads, one per user. A slow upload does not block others, since a parcel is read only after it has arrived. */
const MAX_COMING = 4;

export function createParcels(options: ParcelsOptions): Parcels {
  return new NodeParcels(options);
}

class NodeParcels implements Parcels {
  readonly #options: ParcelsOptions;
  readonly #marks: Marks;
  readonly #closing = new AbortController();
  readonly #exports = new Turns({ each: MAX_EXPORTS, all: MAX_EXPORTS, sharing: true, waitingEach: 0 });
  readonly #coming = new Turns({ each: 1, all: MAX_COMING, waitingEach: 0 });
  readonly #reading = new Turns({ each: 1 });

  constructor(options: ParcelsOptions) {
    this.#options = options;
    this.#marks = new Marks(options.rows);
  }

  async start(): Promise<void> {
    await emptySpool(this.#options.directory);
  }

  async stop(): Promise<void> {
    this.#closing.abort(new DtkdError('UNAVAILABLE', 'the daemon is stopping'));
  }

  async export(principal: Principal, asked: unknown, signal: AbortSignal): Promise<ExportAnswer> {
    const parsed = parcelRequest.safeParse(asked ?? {});
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new DtkdError(
        'BAD_REQUEST',
        `the request is not as expected: ${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'invalid'}`,
      );
    }
    const domains = this.#named(parsed.data.domains);
    for (const { name } of domains) await this.#options.assertMayManage(principal, name);
    const who = principalText(principal);
    // An export counts once its bytes are read: until then nothing says that it is given up.
    this.#turnOf(who)();
    const plan = await this.#plan(principal, parsed.data, domains);
    return { bytes: this.#write(who, plan, AbortSignal.any([signal, this.#closing.signal])) };
  }

  async import(
    principal: Principal,
    source: AsyncIterable<Uint8Array>,
    { dryRun, signal }: { dryRun: boolean; signal: AbortSignal },
  ): Promise<ImportReport> {
    const { directory, assertMayManage, logger, now } = this.#options;
    // Only the file itself says which domains it is for. So check first that the user may manage at least one, before the upload takes disk
    // space and a place.
    await this.#assertMayAny(principal);
    const came = this.#coming.take(principalText(principal), () => {});
    if (came === undefined)
      throw new DtkdError('TOO_MANY_REQUESTS', 'another bundle is being imported', { next: 'Wait until that is done.' });
    const either = AbortSignal.any([signal, this.#closing.signal]);
    try {
      return await spooled({ directory, name: newParcelId(), source, signal: either }, async (path) => {
        const read = await this.#reading.wait('', either);
        try {
          const checked = await checkParcel(path, this.#options, either);
          for (const { domain } of checked.domains) await assertMayManage(principal, domain.name);
          const report = await takeIn(path, checked, { dryRun, signal: either }, this.#options);
          // The heads of the maker, not of this node: whatever the maker lacks must still be carried there.
          if (!dryRun) for (const { domain, frame } of checked.domains) await this.#marks.add(domain.id, now(), frame.heads);
          logger.info(
            { parcel: report.id, dryRun, domains: report.domains.map(({ name }) => name), refused: report.refused.count },
            'A bundle was read',
          );
          return report;
        } finally {
          read?.();
        }
      });
    } finally {
      came();
    }
  }

  async #assertMayAny(principal: Principal): Promise<void> {
    const refusals: unknown[] = [];
    for (const { name } of this.#named(this.#options.domains())) {
      const refused = await this.#options.assertMayManage(principal, name).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (refused === undefined) return;
      refusals.push(refused);
    }
    throw refusals[0];
  }

  /** Begins an export, and returns the function that ends it. Errors: TOO_MANY_REQUESTS. */
  #turnOf(who: string): () => void {
    const end = this.#exports.take(who, () => {});
    if (end === undefined)
      throw new DtkdError('TOO_MANY_REQUESTS', 'other bundles are being exported here already', { next: 'Wait until one is done.' });
    return end;
  }

  async *#write(who: string, plan: ExportPlan, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    // other exports may have begun while this one was planned
    const end = this.#turnOf(who);
    try {
      yield* writeParcel(plan, this.#options, signal);
      for (const { domain, heads } of plan.domains) await this.#marks.add(domain.id, this.#options.now(), heads);
    } finally {
      end();
    }
  }

  async #plan(principal: Principal, { since, modules, orders }: ParcelRequest, domains: readonly ParcelDomain[]): Promise<ExportPlan> {
    const have = new Set(since !== undefined && 'modules' in since ? since.modules : []);
    const mayRead = (module: CarriedModule) => this.#options.mayRead(principal, module);
    const chosen = await chooseModules(this.#options.modules, modules, { domains, have, mayRead });
    const planned = await Promise.all(
      domains.map(async (domain) => {
        const theirs = await this.#theirs(since, domain);
        return { domain, heads: await domain.heads(), theirs, partial: theirs.length > 0 };
      }),
    );
    return { id: newParcelId(), domains: planned, modules: chosen, orders: orders === 'all' };
  }

  async #theirs(since: ParcelRequest['since'], { id, name }: ParcelDomain) {
    if (since === undefined) return [];
    if ('heads' in since) return since.heads[id] ?? [];
    const mark = await this.#marks.at(id, since.time);
    if (mark !== undefined) return mark.heads;
    throw new DtkdError(
      'NOT_FOUND',
      `no bundle of the domain "${name}" was exported or imported here by ${new Date(since.time).toISOString()}`,
      {
        next: 'Give the last bundle file instead of a time, or leave --since out.',
      },
    );
  }

  #named(names: readonly string[] | undefined): ParcelDomain[] {
    const all = this.#options.domains();
    if (names === undefined && all.length > 1) {
      throw new DtkdError('BAD_REQUEST', `this node is in ${all.length} domains: ${all.slice(0, MAX_PARCEL_DOMAINS).join(', ')}`, {
        next: 'Name one with --domain. A bundle of several domains shows its readers that they have this node in common.',
      });
    }
    const removedFrom = this.#options.removedFrom();
    const wanted = names ?? (all.length > 0 ? all : removedFrom.slice(0, 1));
    const found = [...new Set(wanted)].map((name) => {
      const domain = this.#options.domain(name);
      if (domain === undefined && removedFrom.includes(name)) {
        throw new DtkdError('REMOVED', `this node is no longer a member of "${name}", and has nothing of it to export`, {
          next: 'To return, join again with a new invite.',
        });
      }
      if (domain === undefined)
        throw new DtkdError('NOT_FOUND', `this node is in no domain "${name.slice(0, 80)}"`, { next: 'See "dtkd domain ls".' });
      return domain;
    });
    if (found.length === 0)
      throw new DtkdError('NOT_FOUND', 'this node is in no domain', { next: 'Join one, or found one: "dtkd domain --help".' });
    return found;
  }
}
