/**
 * The order of the frames of a parcel. Pure. The writer checks it as well as the reader, so that it writes nothing that it would not
 * read.
 */
import { DtkdError } from '../errors.ts';
import {
  type FrameOf,
  MAX_PARCEL_ANSWERS,
  MAX_PARCEL_DOMAINS,
  MAX_PARCEL_MODULES,
  MAX_PARCEL_ORDERS,
  PARCEL_SECTIONS,
  type ParcelFrame,
  SECTION_FRAMES,
} from './parcel.ts';

/** Maximum number of frames per type in one parcel. */
const LIMITS: Partial<Record<ParcelFrame['type'], number>> = {
  domain: MAX_PARCEL_DOMAINS,
  module: MAX_PARCEL_MODULES,
  order: MAX_PARCEL_ORDERS,
  cancel: MAX_PARCEL_ORDERS,
  answer: MAX_PARCEL_ANSWERS,
};

export class ParcelGrammar {
  /** The section that the last frame belongs to. */
  section: Pick<FrameOf<'section'>, 'name' | 'domain'> | undefined;
  /** The domains begun so far, in order. */
  readonly domains: FrameOf<'domain'>[] = [];
  readonly #counts = new Map<ParcelFrame['type'], number>();
  #last: ParcelFrame['type'] | undefined;
  /** Bytes of the current module that are still to come. */
  #wanted = 0;

  /** Throws PARCEL_INVALID if this frame is not allowed here. */
  next(frame: ParcelFrame): void {
    const { type } = frame;
    if ((this.#last === undefined) !== (type === 'head')) throw wrong('a bundle must begin with its head, and have only one');
    if (this.#last === 'end') throw wrong('there is something after its end');
    if ((this.#last === 'sum') !== (type === 'end')) throw wrong('its end must follow the sum of its sections');
    if (this.#wanted > 0 && type !== 'piece') throw wrong('a module is incomplete');
    const count = (this.#counts.get(type) ?? 0) + 1;
    this.#counts.set(type, count);
    const limit = LIMITS[type];
    if (limit !== undefined && count > limit) throw wrong(`it has more than ${limit} frames of the type ${type}`);
    if (type === 'section') this.#begin(frame);
    else if (type === 'sum') this.section = undefined;
    else if (type !== 'head' && type !== 'end') this.#inSection(frame);
    this.#last = type;
  }

  /** True after the end frame. */
  get isOver(): boolean {
    return this.#last === 'end';
  }

  #begin(frame: FrameOf<'section'>): void {
    const { name, domain } = frame;
    if ((name === 'modules') !== (domain === undefined)) throw wrong('modules belong to no domain, and everything else to one');
    const before = this.section;
    const begins = before === undefined || before.domain !== domain;
    if (name === 'modules' && before !== undefined) throw wrong('modules come first');
    if (begins && name !== 'facts' && name !== 'modules') throw wrong('each domain begins with its facts');
    if (begins && this.domains.some((one) => one.domain === domain)) throw wrong('a domain is in it twice');
    if (!begins && PARCEL_SECTIONS.indexOf(name) <= PARCEL_SECTIONS.indexOf(before.name)) throw wrong('its sections are out of order');
    if (this.#last === 'section' && before?.name === 'facts') throw wrong('a domain is not named');
    this.section = { name, domain };
  }

  #inSection(frame: Exclude<ParcelFrame, FrameOf<'head'> | FrameOf<'section'> | FrameOf<'sum'> | FrameOf<'end'>>): void {
    const { section } = this;
    if (section === undefined || !SECTION_FRAMES[section.name].has(frame.type)) {
      throw wrong(`a frame of the type ${frame.type} cannot be here`);
    }
    const isFirst = this.#last === 'section';
    if (section.name === 'facts' && isFirst !== (frame.type === 'domain'))
      throw wrong('facts must begin with their domain, and have only one');
    if (frame.type === 'domain') {
      if (frame.domain !== section.domain) throw wrong('the facts belong to another domain than their section');
      this.domains.push(frame);
    }
    if (frame.type === 'module') this.#wanted = frame.size;
    if (frame.type === 'piece') {
      if (frame.bytes.length === 0 || frame.bytes.length > this.#wanted) throw wrong('a module is larger than announced');
      this.#wanted -= frame.bytes.length;
    }
  }
}

function wrong(why: string): DtkdError {
  return new DtkdError('PARCEL_INVALID', `this is not a valid bundle: ${why}`);
}
