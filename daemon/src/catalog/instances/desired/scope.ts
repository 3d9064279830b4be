/** What references in values can refer to: parameters and what the target offers; in offers and apps also values of components. */
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import type { FilePath, Findings } from './findings.ts';
import { listed } from './findings.ts';
import type { Surroundings } from './interpolation.ts';
import type { Outcome } from './outcome.ts';
import type { Target } from './target.ts';

const SCOPES = ['parameters', 'target', 'components'] as const;
type ScopeName = (typeof SCOPES)[number];

export class Scope {
  readonly #findings: Findings;
  readonly #target: Target;
  /** Set once they are known. */
  parameters: ReadonlyMap<string, Outcome> = new Map();
  /** Resolves `NAME.PROPERTY` of a component. Set once components are known. */
  components: ((reference: string, path: FilePath) => Outcome) | undefined;

  constructor(target: Target, findings: Findings) {
    this.#target = target;
    this.#findings = findings;
  }

  /** The surroundings of a value at a place of the file, where these scopes are available. */
  at(path: FilePath, scopes: readonly ScopeName[] = ['parameters', 'target']): Surroundings {
    return {
      resolve: (reference) => this.#resolve(reference, path, scopes),
      fault: (message, next) => this.#findings.add('ILLEGAL_VALUE', path, message, next),
    };
  }

  #resolve(reference: string, path: FilePath, scopes: readonly ScopeName[]): Outcome {
    const dot = reference.indexOf('.');
    const scope = SCOPES.find((one) => one === reference.slice(0, dot));
    const name = reference.slice(dot + 1);
    if (dot === -1 || scope === undefined || name === '' || !scopes.includes(scope)) return this.#unknown(reference, path, scopes);
    if (scope === 'target') return this.#target.offer(name, path);
    if (scope === 'components') return this.components?.(name, path) ?? 'broken';
    const outcome = this.parameters.get(name);
    if (outcome !== undefined) return outcome;
    const names = [...this.parameters.keys()];
    const near = nearMiss(name, names);
    const next = near === undefined ? `There are: ${listed(names)}.` : `Did you mean ${near}?`;
    this.#findings.add('ILLEGAL_VALUE', path, `refers to \${${shown(reference)}}, and there is no parameter ${shown(name)}`, next);
    return 'broken';
  }

  #unknown(reference: string, path: FilePath, scopes: readonly ScopeName[]): Outcome {
    const there = scopes.map((scope) => `\${${scope}.${scope === 'components' ? 'NAME.PROPERTY' : 'NAME'}}`).join(', ');
    const link =
      scopes.includes('components') || !reference.startsWith('components.') ? '' : ' Values of other components come through a link.';
    const next = `You can refer to: ${there}.${link} Write $\${ for a literal \${.`;
    this.#findings.add('ILLEGAL_VALUE', path, `refers to \${${shown(reference)}}, which does not exist`, next);
    return 'broken';
  }
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
