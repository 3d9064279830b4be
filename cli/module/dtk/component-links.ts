/** Links of an assembly's components: those in the file, and those that DTK makes implicitly. */
import type { Component, Link } from '../../../protocol/definitions/assembly.ts';
import type { ModuleType } from '../../../protocol/definitions/module.ts';
import { isRecord } from '../../json.ts';
import { linkNameOf } from './links.ts';
import { parseRef } from './names.ts';
import { type Part, shown } from './part.ts';
import { matching, type Placed } from './placed.ts';

/** A component of an assembly that is being read. */
export interface Draft extends Placed {
  source: Part;
  component: Component;
}

interface Owner {
  title: string;
  types: ReadonlyMap<string, ModuleType>;
}

export function readComponentLinks(draft: Draft, all: readonly Draft[], owner: Owner): void {
  const what = `component ${draft.part} of assembly ${owner.title}`;
  for (const [name, said] of draft.source.get('component_links').named(`the links of ${what}`)) {
    const ends = said.isThere ? said.items() : [said];
    for (const end of ends) {
      const text = isRecord(end.value) ? end.get('to').text('the end of a link') : typeof end.value === 'string' ? end.value : name;
      const ref = text === undefined ? undefined : parseRef(text);
      const meant = ref === undefined ? [] : matching(ref, all);
      const [other = meant[0], ...more] = nearest(draft, meant);
      const link = linkNameOf(name);
      if (link !== undefined && owner.types.has(draft.type) && !Object.hasOwn(owner.types.get(draft.type)?.links ?? {}, link)) {
        end.note(`the link ${name} of ${what} was left out: its component has no link with this name`);
      } else if (other === draft) {
        end.note(`the link ${name} of ${what} was left out: it leads to the component itself`);
      } else if (other === undefined || link === undefined) {
        end.note(`the link ${shown(name)} of ${what} was left out: there is no ${shown(text)} in this assembly`);
      } else if (hasLink(draft, link)) {
        end.note(`a further end of the link ${name} of ${what} was left out: a link has one`);
      } else {
        addLink(draft, link, other.part);
        if (more.length > 0)
          end.note(
            `the link ${name} of ${what} leads to ${other.part}, and ${more.map(({ part }) => part).join(', ')} could be meant as well: dtkd service add-link`,
          );
      }
    }
  }
}

/**
 * Makes the links that DTK makes implicitly: a component is linked to what it depends on if there is only one candidate, on the same node
 * or else on any.
 */
export function linkByItself(draft: Draft, all: readonly Draft[], owner: Owner): void {
  for (const [name, rule] of Object.entries(owner.types.get(draft.type)?.links ?? {})) {
    if (rule.required !== true || hasLink(draft, name)) continue;
    const fitting = all.filter((one) => one.type === rule.type);
    const [only, ...more] = nearest(draft, fitting);
    if (only !== undefined && more.length === 0) addLink(draft, name, only.part);
    else
      draft.source.note(
        `component ${draft.part} of assembly ${owner.title} needs the link ${name}, and ${only === undefined ? 'there is nothing here to link it to' : 'several could be meant'}: dtkd service add-link`,
      );
  }
}

/** The other candidates on the same node or, if there are none, all others. */
function nearest(draft: Draft, among: readonly Draft[]): Draft[] {
  const others = among.filter((one) => one !== draft);
  const beside = others.filter(({ node }) => node === draft.node);
  return beside.length > 0 ? beside : others;
}

function hasLink({ component }: Draft, name: string): boolean {
  return component.links !== undefined && Object.hasOwn(component.links, name);
}

function addLink({ component }: Draft, name: string, to: Link): void {
  component.links = { ...component.links, [name]: to };
}
