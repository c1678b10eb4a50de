/** What the pages of a route and of a statement share: figures beside those before, and the lines of percentiles. */

import type { JSX } from 'preact';
import { duration, maybe, percent } from '../format';
import { T } from '../strings';
import type { PlotLine } from './plot';

export interface FigureOf<F> {
  title: string;
  form: (figures: F) => string;
}

interface StatsProps<F> {
  list: FigureOf<F>[];
  figures: F;
  before: F | null;
  /** The last one: its title, value and note. */
  last: [string, string, string];
}

export function Stats<F>({ list, figures, before, last: [title, value, note] }: StatsProps<F>): JSX.Element {
  return (
    <dl class="stats">
      {list.map(({ title, form }) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{form(figures)}</dd>
          <dd class="mute small">{before === null ? '' : T.was(form(before))}</dd>
        </div>
      ))}
      <div>
        <dt>{title}</dt>
        <dd>{value}</dd>
        <dd class="mute small">{note}</dd>
      </div>
    </dl>
  );
}

interface Percentiles {
  p50: (number | null)[];
  p95: (number | null)[];
  p99: (number | null)[];
}

export function percentileLines({ p50, p95, p99 }: Percentiles): PlotLine[] {
  return [
    { name: 'p99', tone: 'l-p99', values: p99 },
    { name: 'p95', tone: 'l-p95', values: p95 },
    { name: 'p50', tone: 'l-p50', values: p50 },
  ];
}

interface Timed {
  p95: number | null;
  errors: number;
  error_rate: number | null;
}

/** "p95 2.09 s, was 640 ms; 49 % errors." */
export function p95Sentence(figures: Timed, before: Timed | null): string {
  const was = before?.p95 ?? null;
  const time = `p95 ${maybe(figures.p95, duration)}${was === null ? '' : `, ${T.was(maybe(was, duration))}`}`;
  const errors = figures.errors === 0 ? T.noErrorsShort : T.errorsPart(maybe(figures.error_rate, percent));
  return `${time}; ${errors}.`;
}
