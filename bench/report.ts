/** Benchmarks for people: one block a figure. */
import { cpus, totalmem } from 'node:os';
import type { Figure, Spread } from './benchmark.types.ts';

function number(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

function line(name: string, value: Spread, unit: string): string {
  const range = value.samples.length > 1 ? `   (${number(value.least)} to ${number(value.most)}, ${value.samples.length} runs)` : '';
  return `    ${name.padEnd(24)} ${number(value.median).padStart(10)} ${unit}${range}`;
}

/** The figure as text. */
export function describeFigure(figure: Figure): string {
  const lines = [`  ${figure.metric}`, line('dtkd', figure.dtkd, figure.unit)];
  if (figure.peer !== undefined) lines.push(line(figure.peer.name, figure.peer.value, figure.unit));
  for (const other of figure.beside ?? []) lines.push(line(other.name, other.value, figure.unit));
  if (figure.ratio !== undefined) lines.push(`    ratio ${figure.ratio.toFixed(2)}`);
  if (figure.limit !== undefined) lines.push(`    limit ${figure.limit.text}: ${figure.limit.met ? 'kept' : 'NOT KEPT'}`);
  for (const note of figure.notes ?? []) lines.push(`    ${note}`);
  return lines.join('\n');
}

/** Figures mean nothing without the machine. */
export function machine(): { node: string; cpus: number; model: string; memoryGib: number; platform: string } {
  const all = cpus();
  return {
    node: process.version,
    cpus: all.length,
    model: all[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
  };
}
