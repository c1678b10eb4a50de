/** What a chart of a signal shows, apart from how it is drawn. */

import type { Anomaly, Card, Marker, Series, SignalName } from '../contract';
import type { AlertSpan, CardLine } from '../contract-alerts';
import { clockSeconds, signalText } from '../format';
import { T } from '../strings';

export interface ChartModel {
  name: SignalName;
  title: string;
  /** The ends of the steps, in milliseconds. */
  times: number[];
  values: (number | null)[];
  normal: { low: (number | null)[]; high: (number | null)[] } | null;
  /** Values beyond the line of a rule take its colour. */
  lines: CardLine[];
  /** The times for which the conditions of its rules held. */
  spans: { from: number; to: number; isFiring: boolean; state: 'warning' | 'critical' }[];
  markers: Marker[];
  /** Spans outside the normal range, as first and last index. */
  odd: [number, number][];
  from: number;
  to: number;
}

export function chartModel(
  name: SignalName,
  title: string,
  card: Card,
  series: Series,
  markers: Marker[],
  anomalies: Anomaly[],
  spans: AlertSpan[] = [],
): ChartModel {
  const values = series.values[name];
  const times = values.map((_, i) => series.start + (i + 1) * series.step_ms);
  const to = times.at(-1) ?? series.start;
  const last = times.length - 1;
  const odd = anomalies
    .filter((anomaly) => anomaly.signal === name && anomaly.from <= to && (anomaly.to ?? to) >= series.start)
    .map((anomaly): [number, number] => {
      const at = (time: number): number => Math.max(0, Math.min(last, Math.round((time - series.start) / series.step_ms) - 1));
      return [at(anomaly.from), at(anomaly.to ?? to)];
    });
  return {
    name,
    title,
    times,
    values,
    normal: series.normal[name] ?? null,
    lines: card.lines,
    spans: spans.flatMap((span) => {
      if (span.card !== name || span.severity === null || span.from > to || (span.to ?? to) < series.start) return [];
      return [{ from: Math.max(span.from, series.start), to: Math.min(span.to ?? to, to), isFiring: span.state === 'firing', state: span.severity }];
    }),
    markers: markers.filter((marker) => marker.at >= series.start && marker.at <= to),
    odd,
    from: begin(series, to),
    to,
  };
}

const SHARES: ReadonlySet<SignalName> = new Set<SignalName>(['error_rate', 'cpu', 'memory']);

/** The least part of a range that a chart shows. */
const LEAST = 300_000;

/** Where a chart begins: data that is younger than the range is not squeezed at its end. */
function begin({ start, data_from }: Series, to: number): number {
  return data_from === null ? start : Math.max(start, Math.min(data_from, to - LEAST));
}

/** The range of the y axis. A sparkline fits the values and the band; a large chart begins at 0 and shows close lines. */
export function scale(model: ChartModel, large: boolean): [number, number] {
  const known = (values: (number | null)[]): number[] => values.filter((value) => value !== null);
  const [values, lows, highs] = [known(model.values), known(model.normal?.low ?? []), known(model.normal?.high ?? [])];
  if (values.length === 0) return [0, 1];
  const least = (of: number[], first: number): number => of.reduce((a, b) => Math.min(a, b), first);
  const most = (of: number[], first: number): number => of.reduce((a, b) => Math.max(a, b), first);
  let [low, high] = [least(values, Infinity), most(values, -Infinity)];
  // A normal range that is wide, as in the first day, is cut: it must not flatten the line.
  const around = Math.max(high - low, Math.abs(high) * 0.5);
  if (lows.length > 0) low = Math.min(low, Math.max(least(lows, Infinity), low - around));
  if (highs.length > 0) high = Math.max(high, Math.min(most(highs, -Infinity), high + around));
  if (large) {
    const near = model.lines.filter((line) => line.value <= high * 3).map((line) => line.value);
    const top = Math.max(high, ...near) * 1.08;
    // A share ends at 100 %, whatever the normal range or the room above the line would need.
    const end = SHARES.has(model.name) && top > 1 ? Math.max(1, most(values, 0)) : top;
    return [0, end > 0 ? end : 1];
  }
  const room = (high - low) * 0.1;
  // A value that does not move is a line in the middle.
  if (room === 0) return low === 0 ? [-1, 1] : [low * 0.9, low * 1.1];
  return [Math.max(0, low - room), high + room];
}

/** The index of the last value. */
export function lastIndex(values: (number | null)[]): number {
  return values.findLastIndex((value) => value !== null);
}

/** What is said of the value at an index: rows of the box beside the cursor, and cells of the table. */
export function rowsAt(model: ChartModel, i: number): [string, string][] {
  const value = model.values[i] ?? null;
  const rows: [string, string][] = [[T.value, value === null ? T.noValue : signalText(model.name, value)]];
  const low = model.normal?.low[i] ?? null;
  const high = model.normal?.high[i] ?? null;
  if (low !== null && high !== null) {
    rows.push([T.normalColumn, `${signalText(model.name, low)} – ${signalText(model.name, high)}`]);
  }
  if (value === null) return rows;
  const over = model.lines.filter((line) => value > line.value).at(-1);
  if (over !== undefined) rows.push(['', T.overLine[over.state](signalText(model.name, over.value))]);
  else if (low !== null && high !== null) rows.push(['', value < low || value > high ? T.outsideNormal : T.withinNormal]);
  return rows;
}

/** A point as a sentence for screen readers. */
export function spokenAt(model: ChartModel, i: number): string {
  const time = model.times[i];
  if (time === undefined) return T.noValue;
  return [clockSeconds(time), ...rowsAt(model, i).map((row) => row.join(' ').trim())].join(', ');
}
