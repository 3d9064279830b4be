/**
 * Notes in the answer to an edit of `dtk.service.yaml`. Files may be ahead of the node, so an edit that names something that is
 * not there yet is accepted, with a note.
 */
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import { Findings } from '../desired/findings.ts';
import { targetOf } from '../desired/target.ts';
import type { Difference } from '../instances.types.ts';
import type { ConvergePorts } from './converge.types.ts';
import { worldOf } from './world.ts';

/** The answer, with a note for each thing that a converge would say of a target that the edit changed. */
export async function withNotes<T extends { differences: readonly Difference[] }>(
  ports: ConvergePorts,
  principal: Principal,
  name: string,
  edited: T,
): Promise<T & { notes?: string[] }> {
  if (!edited.differences.some(({ kind, what }) => kind === 'service' && what.startsWith('target'))) return edited;
  try {
    const notes = await targetNotes(ports, principal, name);
    return notes.length === 0 ? edited : { ...edited, notes };
  } catch (error) {
    // the edit is made and must be answered as such; the converge reports the rest
    ports.logger.warn({ err: error, service: name }, 'It could not be found out whether a service has a usable target');
    return edited;
  }
}

async function targetNotes(ports: ConvergePorts, principal: Principal, name: string): Promise<string[]> {
  const { files } = await ports.files.working(name);
  if (files === undefined) return [];
  const findings = new Findings(files.place);
  await targetOf(files.service, worldOf(ports, new Map(), principal), findings);
  return findings.list.map(({ message, next }) => `${message}; before ${name} can be converged: ${next ?? 'correct that'}`);
}
