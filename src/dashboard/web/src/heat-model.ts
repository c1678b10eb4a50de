/** The rows, levels and links of a heat map. */

import { SHORTEST } from './range';

/** Row 0 is below the first bound; each other one begins with a bound, and the last one has no upper bound. */
export interface HeatMap {
  start: number;
  step_ms: number;
  /** Seconds. */
  bounds: number[];
  columns: (number[] | null)[];
}

export interface HeatRow {
  /** Its place in the columns. */
  place: number;
  /** Seconds; null without a bound. */
  from: number | null;
  to: number | null;
}

/** How many shades there are. */
export const LEVELS = 7;

/** The time of a column: the end of its step, as in all charts and files. */
export function columnTime({ start, step_ms }: HeatMap, column: number): number {
  return start + (column + 1) * step_ms;
}

/** The rows that are drawn, the fastest first: row 0 only if it has a value. */
export function heatRows({ bounds, columns }: HeatMap): HeatRow[] {
  const hasLow = columns.some((counts) => (counts?.[0] ?? 0) > 0);
  const all = [...bounds, null].map((to, place): HeatRow => ({ place, from: bounds[place - 1] ?? null, to }));
  const hasHigh = columns.some((counts) => (counts?.[bounds.length] ?? 0) > 0);
  return all.filter(({ place }) => (place > 0 || hasLow) && (place < bounds.length || hasHigh || bounds.length === 0));
}

export function highestCount({ columns }: HeatMap): number {
  return Math.max(0, ...columns.map((counts) => Math.max(0, ...(counts ?? []))));
}

/** The shade of a count, from 1; 0 for none. Each shade stands for the same factor. */
export function level(count: number, most: number): number {
  if (count <= 0) return 0;
  if (most <= 1) return 1;
  return 1 + Math.min(LEVELS - 1, Math.floor((Math.log(count) / Math.log(most)) * (LEVELS - 1)));
}

/** The place of a duration on the axis: 0 is the bottom of the first row, 1 the top of the last one. */
export function heightOf(seconds: number, rows: HeatRow[]): number {
  const known = rows.map(({ from, to }, i) => ({ from, to, i }));
  const row = known.find(({ to }) => to === null || seconds < to) ?? known.at(-1);
  if (row === undefined) return 0;
  const { from, to, i } = row;
  const part = from === null || to === null || seconds <= from ? (seconds <= (from ?? 0) ? 0 : 0.5) : Math.log(seconds / from) / Math.log(to / from);
  return Math.min(1, (i + part) / rows.length);
}

const millis = (seconds: number): string => Number((seconds * 1000).toPrecision(4)).toString();

/** The search for the traces of a cell. The page of traces has no range below a minute. */
export function cellAddress(route: string, map: HeatMap, column: number, row: HeatRow): string {
  const begin = map.start + column * map.step_ms;
  const more = Math.max(0, SHORTEST - map.step_ms) / 2;
  const query = new URLSearchParams({ route, from: Math.floor(begin - more).toString(), to: Math.ceil(begin + map.step_ms + more).toString() });
  if (row.from !== null) query.set('min_ms', millis(row.from));
  if (row.to !== null) query.set('max_ms', millis(row.to));
  return 'traces?' + query.toString();
}
