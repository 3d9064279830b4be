/** Parses the argument of `--on`, and verbs, into the terms of a capability. Pure. */
import { DtkdError } from '../../protocol/errors.ts';
import { kindByAnyName } from '../../protocol/kinds/index.ts';
import { DTKD_GROUP } from '../../protocol/kinds/model.ts';
import { actNamed, CAPABILITY_VERBS, type CapabilityVerb, type GrantScope } from '../../protocol/rights/capability.ts';
import { requireKind } from '../kinds.ts';
import { nearest } from '../suggest.ts';

export interface ScopeFlags {
  on: string;
  model?: string;
  type?: string;
  selector?: string;
}

/** `resource`, `resource/NAME`, `exec`, `'*'`. */
export function scopeOf({ on, model, type, selector }: ScopeFlags): GrantScope {
  const [kindName = '', name, ...more] = on.split('/');
  if (more.length > 0 || name === '') {
    throw new DtkdError('BAD_REQUEST', `"${on.slice(0, 120)}" is not KIND or KIND/NAME`, {
      next: "Write it like resource, dtapp/wiki, or '*' for every kind.",
    });
  }
  return {
    kind: kindName === '*' ? '*' : kindText(kindName),
    ...(name === undefined ? {} : { name }),
    ...(model === undefined ? {} : { model }),
    ...(type === undefined ? {} : { type }),
    ...(selector === undefined ? {} : { labelSelector: selector }),
  };
}

/** True if the text looks like an argument of `--on`, whether or not it is valid. */
export function namesObjects(text: string): boolean {
  return text === '*' || text.includes('/') || actNamed(text) !== undefined || kindByAnyName(text) !== undefined;
}

function kindText(text: string): string {
  const act = actNamed(text);
  if (act !== undefined) return `${act}.${DTKD_GROUP}`;
  const { plural, group } = requireKind(text);
  return group === '' ? plural : `${plural}.${group}`;
}

/** Parses `READ,EXECUTE`, in any case; ALL means every verb. */
export function parseVerbs(text: string): CapabilityVerb[] {
  const words = text
    .toUpperCase()
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  if (words.length === 1 && words[0] === 'ALL') return [...CAPABILITY_VERBS];
  const verbs = words.map((word) => {
    const verb = CAPABILITY_VERBS.find((known) => known === word);
    if (verb !== undefined) return verb;
    const guess = nearest(word, [...CAPABILITY_VERBS]);
    throw new DtkdError('BAD_REQUEST', `there is no verb "${word.slice(0, 40)}"${guess === undefined ? '' : `; did you mean ${guess}?`}`, {
      next: `Verbs: ${CAPABILITY_VERBS.join(', ')}, or ALL.`,
    });
  });
  if (verbs.length === 0)
    throw new DtkdError('BAD_REQUEST', 'no verb is named', { next: `Verbs: ${CAPABILITY_VERBS.join(', ')}, or ALL.` });
  return [...new Set(verbs)];
}

/** The time at which something expires that is valid for `ms` milliseconds from now. */
export function expiryAfter(ms: number): string {
  return `${new Date(Date.now() + ms).toISOString().slice(0, 19)}Z`;
}
