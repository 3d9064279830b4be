/** Finds settings that no type declares: allowed if the type is open, but otherwise a typing error that nobody would notice. Pure. */
import { nearest } from '../suggest.ts';

/** Keys of a component that are not properties. */
const OTHERS: ReadonlySet<string> = new Set(['on', 'nodes', 'except', 'count', 'together', 'type', 'description', 'after', 'parents']);

/** A line for each of `paths` that is no declared property of its component. `known`: all paths that can be set. */
export function undeclaredNotes(paths: readonly string[], known: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const dot = path.indexOf('.');
    const component = path.slice(0, dot);
    const property = path.slice(dot + 1).replace(/^properties\./, '');
    if (dot < 0 || component === 'parameters' || OTHERS.has(property)) return [];
    const declared = known.flatMap((one) => (one.startsWith(`${component}.`) ? [one.slice(component.length + 1)] : []));
    if (declared.length === 0 || declared.includes(property)) return [];
    const near = nearest(property, declared);
    return [
      `warning: the type of ${component} declares no property ${property}; it was set all the same.${near === undefined ? '' : ` Did you mean ${component}.${near}?`}`,
    ];
  });
}
