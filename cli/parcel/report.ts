/** The contents of a bundle and the result of its import, as lines for people. */
import { humanDuration } from '../../protocol/text/age.ts';
import type { ImportReport } from '../client/parcels.ts';
import { escapeControls } from '../output/escape.ts';
import { formatSize } from '../output/size.ts';
import type { ParcelContents } from './contents.ts';

const some = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

export function contentLines({ domains, modules }: Pick<ParcelContents, 'domains' | 'modules'>): string[] {
  const lines = domains.flatMap((domain) => [
    `domain ${domain.name}, by ${domain.maker.name} (${domain.maker.id})${domain.partial ? ', what the other side lacked' : ''}`,
    `  ${some(domain.facts, 'fact')}, ${some(domain.entries, 'log entry', 'log entries')} of ${some(domain.authors, 'member')}`,
    `  ${some(domain.orders, 'order')}, ${some(domain.cancellations, 'cancellation')}, ${some(domain.answers, 'answer')}`,
  ]);
  return [...lines, ...modules.map(({ name, version, size }) => `module ${name} ${version}, ${formatSize(size)}`)].map(escapeControls);
}

export function titleLine({ made, bytes, program }: ParcelContents, now: number): string {
  const age = now - Date.parse(made);
  const when = age < 0 ? 'in the future, by the clock of its maker' : `${humanDuration(age)} ago`;
  return escapeControls(`A bundle of ${formatSize(bytes)}, made ${made} (${when}) by dtkd ${program}`);
}

export function importLines({ dryRun, domains, modules, skipped, refused }: ImportReport): string[] {
  const lines = domains.flatMap((domain) => {
    const { facts, entries, orders, answers, gaps } = domain;
    return [
      `domain ${domain.name}, from ${domain.makerName}${dryRun ? ' (dry run)' : ''}`,
      `  ${some(facts.new, 'new fact')}, ${some(entries.new, 'new log entry', 'new log entries')} (${entries.known} known)`,
      ...(orders.taken + orders.known === 0
        ? []
        : [`  ${some(orders.taken, 'order or cancellation', 'orders and cancellations')} (${orders.known} known)`]),
      ...(answers.taken + answers.known === 0 ? [] : [`  ${some(answers.taken, 'answer')} (${answers.known} known)`]),
      ...(gaps.length === 0
        ? []
        : [`  earlier entries of ${some(gaps.length, 'member')} are missing here: export without --since on the other side`]),
    ];
  });
  const { taken, known } = modules;
  return [
    ...lines,
    ...(taken + known === 0 ? [] : [`${some(taken, 'module')} (${known} known)`]),
    ...skipped.map((name) => `domain ${name} was left out: this node is not in it`),
    ...refused.first.map(({ what, code, message }) => `refused: ${what}: ${message} (${code})`),
    ...(refused.count > refused.first.length ? [`and ${refused.count - refused.first.length} more were refused`] : []),
  ].map(escapeControls);
}
