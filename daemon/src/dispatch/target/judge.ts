/**
 * Decides whether an order may be carried out here, from this node's own store, whatever the starter was told. Only reads and decides;
 * writes nothing except who asked for what to the audit log.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { maintenanceOf } from '../../../../protocol/kinds/node.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { CommandWork, Work } from '../../../../protocol/orders/order.ts';
import type { Outcome } from '../../../../protocol/orders/outcome.ts';
import type { CheckedBundle } from '../../../../protocol/orders/signed-bundle.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { AuditPort, Decide, Member, Members } from '../dispatch.types.ts';
import { isTrusted, judgeCode, type Objection } from '../policy/policy-spec.ts';
import { aboutCommand, aboutNode, aboutResource, asked, whatOf } from './about.ts';
import type { Installations } from './install/installed.ts';
import { VerifiedBundles } from './install/verified-bundles.ts';
import type { About, Forgotten } from './journal-row.ts';
import { KEEP_IDS_MS } from './limits.ts';
import type { CheckedOrder } from './order-check.ts';
import type { FetchBundle, NodePolicy, PolicyReader } from './target.types.ts';
import { isDeployedHere } from './work/command-context.ts';

export interface JudgeOptions {
  node: { name: string; signingKey: string };
  decide: Decide;
  audit: AuditPort;
  members: Pick<Members, 'byKey'>;
  policy: PolicyReader;
  installations: Installations;
  restoredAt(): number | undefined;
  /** Which ids the journal may have known and forgotten. */
  forgotten(): Forgotten | undefined;
  nodeObject(): Promise<ApiObject | undefined>;
  now(): number;
}

/** The asker as this node knows it. `nobody`: the operator of another node. */
export type Asker = Principal | { type: 'nobody' };

export interface Case {
  order: CheckedOrder;
  asker: Asker;
  /** Undefined: this node's own starter. Otherwise the member that brought the order, which may since have been removed. */
  from: Member | undefined;
  bundle: Uint8Array | undefined;
  /** Fetches the bundle if it did not come with the order. */
  fetchBundle?: FetchBundle | undefined;
  /** The order was accepted before, and has waited since. */
  known: boolean;
  /** The order does not start yet, and is decided again before it does: only a refusal is audited. */
  ahead?: boolean;
}

export type Verdict = { about: About; policy: NodePolicy } & (
  | { go: true; bundle: CheckedBundle | undefined }
  | { go: false; outcome: Outcome; code: string; reason: string }
);

export class Judge {
  readonly #options: JudgeOptions;
  readonly #verified = new VerifiedBundles();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** Errors: what fetching the bundle threw, if nothing can be decided without it. */
  async decide(one: Case): Promise<Verdict> {
    const policy = await this.#options.policy.read();
    const { work } = one.order.entry;
    let about = work.type === 'command' ? aboutCommand(work) : aboutNode(work, this.#options.node.name);
    let away: unknown;
    try {
      this.#present(one);
      if (one.asker.type === 'nobody') throw this.#foreignOperator(one);
      const early = this.#timely(one) ?? (await this.#maintained(one));
      if (early !== undefined) return { go: false, about, policy, ...early };
      const brought = async () =>
        one.bundle ??
        one.fetchBundle?.().catch((error: unknown) => {
          away = error;
          return undefined;
        });
      const bundle = work.type === 'command' ? await this.#bundle(work, one, await brought()) : undefined;
      const resource = bundle?.bundle.resources[0];
      if (bundle !== undefined && resource !== undefined) about = aboutResource(resource, bundle.bundle.types);
      this.#right(one, one.asker, about);
      if (work.type === 'command' && bundle !== undefined) this.#trusted(work, bundle, policy);
      return { go: true, about, policy, bundle };
    } catch (error) {
      if (!(error instanceof DtkdError)) throw error;
      if (error.code === 'CONTENT_MISSING' && away !== undefined) throw away;
      return { go: false, about, policy, outcome: 'refused', code: error.code, reason: sentence(error) };
    }
  }

  /** What the clock, or a loss of this node's data, says against the order. */
  #timely({ order: { header }, known }: Case): { outcome: Outcome; code: string; reason: string } | undefined {
    const now = this.#options.now();
    const { name } = this.#options.node;
    if (now > header.notAfter) {
      const until = new Date(header.notAfter).toISOString();
      return {
        outcome: 'refused',
        code: 'ORDER_EXPIRED',
        reason: `it had to start before ${until}; on ${name} it is ${new Date(now).toISOString()}`,
      };
    }
    const restored = this.#options.restoredAt();
    if (!known && restored !== undefined && restored > header.createdAt) {
      return {
        outcome: 'unknown',
        code: 'CONFLICT',
        reason: `${name} was restored from an older state after this was ordered: it may have been started before. Check there, then start it again`,
      };
    }
    // the clock was ahead and was set back: ids were forgotten that are valid again
    const forgotten = this.#options.forgotten();
    if (!known && forgotten !== undefined && header.notAfter + KEEP_IDS_MS < forgotten.at && header.createdAt <= forgotten.createdAt) {
      return {
        outcome: 'unknown',
        code: 'CONFLICT',
        reason: `the clock of ${name} was set back: this may have been started before, and forgotten since. Check there, then start it again`,
      };
    }
    return undefined;
  }

  /** Commands of other nodes skip a node in maintenance; its own operator works on it then. */
  async #maintained({ from }: Case): Promise<{ outcome: Outcome; code: string; reason: string } | undefined> {
    if (from === undefined) return undefined;
    const maintenance = maintenanceOf(await this.#options.nodeObject());
    if (maintenance === undefined) return undefined;
    const why = maintenance.reason === undefined ? '' : `: ${maintenance.reason}`;
    return { outcome: 'skipped', code: 'MAINTENANCE', reason: `${this.#options.node.name} is in maintenance${why}` };
  }

  /** Errors: NOT_A_MEMBER if the starter was removed or is suspended: then not even what it had ordered before is started. */
  #present({ from, asker, order }: Case): void {
    const { members, node } = this.#options;
    if (from === undefined || members.byKey(from.domain, from.key) !== undefined) return;
    const why = `${from.node}, which ordered it, is no longer a member of a domain of ${node.name}, or is suspended`;
    this.#denied(asker.type === 'user' ? asker.display : `operator@${from.node}`, from, order, why);
    throw new DtkdError('NOT_A_MEMBER', why);
  }

  #foreignOperator({ from, order }: Case): DtkdError {
    const { node } = this.#options;
    const home = from?.node ?? '';
    const why = `the operator of ${home} has no rights on ${node.name}`;
    this.#denied(`operator@${home}`, from, order, why);
    return new DtkdError('FORBIDDEN', why, {
      next: `Make a user on ${home}, start it as that user, and grant it EXECUTE on ${node.name}`,
    });
  }

  #denied(who: string, from: Member | undefined, { entry }: CheckedOrder, because: string): void {
    this.#options.audit.record({
      who,
      ...(from === undefined ? {} : { home: from.key }),
      verb: 'EXECUTE',
      what: this.#whatText(entry.work),
      outcome: 'denied',
      because,
    });
  }

  #right({ order, from, ahead }: Case, principal: Principal, about: About): void {
    const { decide, audit, node } = this.#options;
    const decision = decide(principal, asked(about, node.name, 'EXECUTE'));
    const who = principal.type === 'operator' ? principal.name : principal.display;
    if (decision.allowed && ahead === true) return;
    audit.record({
      who,
      ...(from === undefined ? {} : { home: from.key }),
      verb: 'EXECUTE',
      what: this.#whatText(order.entry.work),
      outcome: decision.allowed ? 'allowed' : 'denied',
      because: `${decision.allowed ? decision.because : decision.reason} (${whatOf(order.entry.work)}, execution ${order.id.slice(0, 12)})`,
    });
    if (decision.allowed) return;
    throw new DtkdError('FORBIDDEN', decision.reason, {
      next: `On ${node.name}: dtkd grant ${who} EXECUTE --on ${about.resource === undefined ? about.plural : `resource/${about.name}`}, if it should have that right`,
    });
  }

  async #bundle(work: CommandWork, { order }: Case, brought: Uint8Array | undefined): Promise<CheckedBundle> {
    const { installations, node } = this.#options;
    const { owner, resource } = work;
    const given = brought === undefined ? undefined : this.#verified.verify(brought, owner);
    if (given !== undefined && given.bundle.resources[0]?.object !== resource.object) {
      throw new DtkdError('ORDER_INVALID', 'the resource bundle is for another resource than the order');
    }
    const latest = await installations.latest(owner, resource.object, given);
    const about = latest?.bundle.resources[0];
    if (latest === undefined || about === undefined || about.object !== resource.object) {
      throw new DtkdError(
        'CONTENT_MISSING',
        `the data of ${resource.type}/${resource.name} that ${node.name} needs did not arrive with the order`,
        {
          next: `Start it again when ${order.header.starter} can be reached from ${node.name}`,
        },
      );
    }
    if (about.uid !== resource.uid) {
      throw new DtkdError('CONFLICT', `${resource.type}/${resource.name} was deleted and created again since the command was planned`, {
        next: 'Start it again',
      });
    }
    if (about.model !== resource.model || about.type !== resource.type || about.name !== resource.name) {
      throw new DtkdError('ORDER_INVALID', 'the order names the resource differently than its owner does');
    }
    return latest;
  }

  #trusted(work: CommandWork, { bundle }: CheckedBundle, policy: NodePolicy): void {
    const { name, signingKey } = this.#options.node;
    const [resource] = bundle.resources;
    if (!isTrusted(policy, signingKey, bundle.owner)) {
      throw new DtkdError(
        'UNTRUSTED',
        `${name} does not trust ${bundle.ownerName} (key ${bundle.owner.slice(0, 16)}…), whose model this is`,
        {
          next: `On ${name}: dtkd policy trust ${bundle.ownerName}, if its models and code may run there`,
        },
      );
    }
    if (resource === undefined || !isDeployedHere(resource, signingKey)) {
      throw new DtkdError(
        'NOT_DEPLOYED',
        `${work.resource.type}/${work.resource.name} is not deployed to ${name}, says ${bundle.ownerName}`,
        {
          next: `Make it a child of node/${name} at ${bundle.ownerName}`,
        },
      );
    }
    for (const [code, digest] of Object.entries(work.code)) {
      const type = Object.values(bundle.types).find((one) => one.code?.name === code && one.code.digest === digest);
      if (type?.code === undefined) {
        throw new DtkdError('CODE_CHANGED', `${code} has changed since the command was planned`, { next: 'Start it again' });
      }
      const verdict = judgeCode(policy, { self: signingKey, here: name }, type.code);
      if ('objection' in verdict) throw objected(verdict.objection);
    }
  }

  #whatText(work: Work): string {
    const { name } = this.#options.node;
    return work.type === 'command'
      ? `${DTKD_GROUP}/resources/${name}/${work.resource.object}`
      : `${DTKD_GROUP}/${work.type === 'exec' ? 'exec' : 'cp'}/${name}/${name}`;
  }
}

function objected({ code, reason, next }: Objection): DtkdError {
  return new DtkdError(code, reason, { next });
}

/** A refusal as one text for people: the reason, and what to do. */
export function sentence({ message, next }: DtkdError): string {
  return next === undefined ? message : `${message}. ${next.replace(/\.$/, '')}`;
}
