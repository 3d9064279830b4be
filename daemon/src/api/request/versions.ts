/**
 * Interprets the version parameters of lists and watches as Kubernetes does. Pure. A list shows the present state, or that of
 * exactly one version; "not older than" a version is satisfied by the present state of the store that gave it out. Combinations
 * that make no sense are refused, rather than taken for something else.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { parseVersion } from '../../../../protocol/objects/resource-version.ts';

/** The parameters as given in the request; undefined if absent. */
export interface VersionParameters {
  resourceVersion?: string | undefined;
  resourceVersionMatch?: string | undefined;
  continue?: string | undefined;
  sendInitialEvents?: boolean | undefined;
}

export interface ListVersion {
  /** The list has to show exactly this version. */
  exact?: number;
  /** The list has to show this version or a later one. */
  atLeast?: number;
}

const EXACT = 'Exact';
const NOT_OLDER = 'NotOlderThan';

/** Throws INVALID or BAD_REQUEST, naming what does not go together. */
export function listVersion(parameters: VersionParameters): ListVersion {
  const { resourceVersion = '', resourceVersionMatch: match = '', sendInitialEvents } = parameters;
  if (sendInitialEvents !== undefined)
    throw invalid('sendInitialEvents', 'sendInitialEvents is for watches', 'Leave it out, or add watch=true.');
  const version = parseVersion(resourceVersion);
  if ((parameters.continue ?? '') !== '') {
    if (match !== '') throw invalid('resourceVersionMatch', 'resourceVersionMatch cannot be combined with continue', GO_ON);
    if (version !== undefined) throw invalid('resourceVersion', 'resourceVersion cannot be combined with continue', GO_ON);
    return {};
  }
  if (match === '') return version === undefined ? {} : { atLeast: version };
  if (match !== EXACT && match !== NOT_OLDER) throw unknownMatch(match, `${EXACT} or ${NOT_OLDER}`);
  if (resourceVersion === '') throw invalid('resourceVersionMatch', 'resourceVersionMatch needs resourceVersion', 'Give both or none.');
  if (match === NOT_OLDER) return version === undefined ? {} : { atLeast: version };
  if (version === undefined) throw invalid('resourceVersionMatch', 'there is no list at exactly version 0', `Use ${NOT_OLDER}.`);
  return { exact: version };
}

const GO_ON = 'Continue with the token alone: it contains the version.';

export interface WatchVersion {
  /** Changes after this version are reported; if absent, the present state comes first. */
  resourceVersion?: string;
  /** The watch begins with the present state, and marks the end of it. */
  initialEvents: boolean;
  /** The present state has to include this version or a later one. */
  atLeast?: number;
}

/** Like `listVersion`, for a watch. */
export function watchVersion({ resourceVersion, resourceVersionMatch: match = '', sendInitialEvents }: VersionParameters): WatchVersion {
  if (sendInitialEvents === undefined) {
    if (match !== '')
      throw invalid('resourceVersionMatch', 'resourceVersionMatch is for watches with sendInitialEvents only', 'Leave it out.');
    return { initialEvents: false, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  }
  if (match !== NOT_OLDER) throw unknownMatch(match, `${NOT_OLDER}, which sendInitialEvents needs`);
  const version = parseVersion(resourceVersion);
  if (sendInitialEvents) return { initialEvents: true, ...(version === undefined ? {} : { atLeast: version }) };
  if (version === undefined || resourceVersion === undefined) {
    throw invalid(
      'resourceVersion',
      'a watch that does not begin with the current state needs a version to start from',
      'Give the resourceVersion of a list.',
    );
  }
  return { initialEvents: false, resourceVersion };
}

/**
 * Throws GONE if the version is beyond the last one given out here: it comes from another store, or from a time that this store has
 * lost.
 */
export function assertReached(atLeast: number | undefined, last: number): void {
  if (atLeast === undefined || atLeast <= last) return;
  throw new DtkdError('GONE', `version ${atLeast} was never given out here, or not by this state of it`, {
    next: 'List again without a version.',
  });
}

/** How long a watch goes on, in milliseconds; undefined: without end. Longer times are cut to what a timer can hold. */
export function watchTime(seconds: number | undefined): number | undefined {
  return seconds === undefined || seconds === 0 ? undefined : Math.min(seconds * 1000, MAX_TIMER_MS);
}

const MAX_TIMER_MS = 2 ** 31 - 1;

function unknownMatch(match: string, known: string): DtkdError {
  return invalid('resourceVersionMatch', `resourceVersionMatch "${match.slice(0, 80)}" is not known here`, `Use ${known}.`);
}

function invalid(field: string, message: string, next: string): DtkdError {
  return new DtkdError('INVALID', message, { next, details: { causes: [{ reason: 'FieldValueInvalid', message, field }] } });
}
