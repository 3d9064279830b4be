/**
 * Whether a principal may make the changes to many objects that the model makes on its behalf: each is judged like a request of its own.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import { nodeParents, nodeRef, PLURALS, type Plural, type Reads, refIn, resourceParents, resourceSpecOf } from './objects.ts';
import type { Decide, DecideMove } from './ports.ts';
import { invalid, noParent, objectText } from './refusal.ts';

export interface WrittenObject {
  plural: Plural;
  name: string;
  before?: ApiObject;
  /** Absent for a deletion. */
  after?: ApiObject;
}

export class Rights {
  readonly #decide: Decide;
  readonly #decideMove: DecideMove;
  readonly #node: string;

  constructor({ decide, decideMove, node }: { decide: Decide; decideMove: DecideMove; node: string }) {
    this.#decide = decide;
    this.#decideMove = decideMove;
    this.#node = node;
  }

  may(principal: Principal, verb: CapabilityVerb, plural: Plural, object: ApiObject): boolean {
    return this.#ask(principal, verb, plural, object).allowed;
  }

  /** Returns a function that says whether a principal may know that an object, given as `PLURAL/NAME`, exists. */
  sees(principal: Principal, reads: Pick<Reads, 'get'>): (object: string) => Promise<boolean> {
    return async (text) => {
      const plural = PLURALS.find((known) => text.startsWith(`${known}/`));
      if (plural === undefined) return false;
      const object = await reads.get(refIn(this.#node, plural, text.slice(plural.length + 1)));
      return object !== undefined && this.may(principal, 'DISCOVER', plural, object);
    };
  }

  /** Throws FORBIDDEN if the principal may not make this write. */
  async assertMay(principal: Principal, { plural, name, before, after }: WrittenObject, reads: Pick<Reads, 'get'>): Promise<void> {
    if (principal.type === 'operator') return;
    if (before === undefined) {
      if (after !== undefined) this.#assert(principal, 'CREATE', plural, after);
    } else if (after === undefined) {
      this.#assert(principal, 'DELETE', plural, before);
    } else {
      this.#assert(principal, 'UPDATE', plural, before);
      const move = this.#decideMove(principal, { group: DTKD_GROUP, plural, name }, before, after);
      if (!move.allowed) throw forbidden(move.reason);
    }
    if (plural === 'resources' && after !== undefined) await this.#assertDeployment(principal, before, after, reads);
  }

  /**
   * Refuses new parents that the principal may not know of exactly like parents that do not exist, and before the rules judge them, whose
   * messages would reveal what a parent is. `reads`: the durable state; `coming`: names of resources in the same request.
   */
  async assertParents(
    principal: Principal,
    { before, after, coming }: { before?: ApiObject | undefined; after: ApiObject; coming?: ReadonlySet<string> },
    reads: Pick<Reads, 'get'>,
  ): Promise<void> {
    if (principal.type === 'operator') return;
    const had = new Set(before === undefined ? [] : parentsOf(before));
    for (const parent of parentsOf(after)) {
      if (had.has(parent) || coming?.has(parent) === true) continue;
      const object = await reads.get(refIn(this.#node, 'resources', parent));
      if (object !== undefined && this.may(principal, 'DISCOVER', 'resources', object)) continue;
      const field = `spec.parents[${resourceSpecOf(after)?.parents?.indexOf(parent) ?? 0}]`;
      const of = objectText({ plural: 'resources', name: after.metadata.name });
      throw invalid([{ reason: 'FieldValueNotFound', message: noParent(parent), field, object: of }]);
    }
  }

  /** Deploying a resource on this node requires EXECUTE here. Other nodes decide for themselves, when they are to run its commands. */
  async #assertDeployment(principal: Principal, before: ApiObject | undefined, after: ApiObject, reads: Pick<Reads, 'get'>): Promise<void> {
    const had = new Set(before === undefined ? [] : deployments(before));
    for (const name of deployments(after)) {
      if (had.has(name) || name !== this.#node) continue;
      const { group, plural } = nodeRef(name);
      const node = await reads.get(nodeRef(name));
      const decision = this.#decide(principal, { verb: 'EXECUTE', group, plural, name, ...(node === undefined ? {} : { object: node }) });
      if (!decision.allowed) throw forbidden(decision.reason);
    }
  }

  #assert(principal: Principal, verb: CapabilityVerb, plural: Plural, object: ApiObject): void {
    const decision = this.#ask(principal, verb, plural, object);
    if (!decision.allowed) throw forbidden(decision.reason);
  }

  #ask(principal: Principal, verb: CapabilityVerb, plural: Plural, object: ApiObject): ReturnType<Decide> {
    const { group, name } = refIn(this.#node, plural, object.metadata.name);
    return this.#decide(principal, { verb, group, plural, name, object });
  }
}

function parentsOf(object: ApiObject): string[] {
  const spec = resourceSpecOf(object);
  return spec === undefined ? [] : resourceParents(spec);
}

function deployments(object: ApiObject): string[] {
  const spec = resourceSpecOf(object);
  return spec === undefined ? [] : nodeParents(spec);
}

function forbidden(reason: string): DtkdError {
  return new DtkdError('FORBIDDEN', reason, { next: 'Ask for the right, or leave that object out.' });
}
