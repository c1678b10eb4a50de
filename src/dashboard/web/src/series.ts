/** The values over the range in view, and the newest ones that live messages add. */

import { SIGNALS, type Points, type Series, type SignalName } from './contract';

type Values = Record<SignalName, (number | null)[]>;

function values(of: (name: SignalName) => (number | null)[]): Values {
  return Object.fromEntries(SIGNALS.map((name) => [name, of(name)])) as Values;
}

const end = (of: Points): number => of.start + of.values.requests.length * of.step_ms;

/**
 * Adds the points that are newer than the series, and removes as many at its beginning, so that the series keeps its
 * length. Returns the same series if nothing is new, and null if the points do not continue it: their step is another,
 * or some between are missing. The series is then read anew.
 */
export function extended(series: Series, points: Points): Series | null {
  if (points.step_ms !== series.step_ms) return null;
  const missing = Math.round((end(points) - end(series)) / series.step_ms);
  if (missing <= 0) return series;
  const available = points.values.requests.length;
  if (missing > available) return null;
  const added = values((name) => {
    const newest = points.values[name].slice(available - missing);
    return [...series.values[name], ...newest].slice(missing);
  });
  const normal: Series['normal'] = {};
  for (const name of SIGNALS) {
    const band = series.normal[name];
    if (band === undefined) continue;
    // The band of the newest steps is that of the last one, until the series is read again.
    const on = (side: (number | null)[]): (number | null)[] => [...side, ...Array<number | null>(missing).fill(side.at(-1) ?? null)].slice(missing);
    normal[name] = { low: on(band.low), high: on(band.high) };
  }
  return { ...series, start: series.start + missing * series.step_ms, values: added, normal };
}

/** Whether a step of the series has passed, so that reading it again brings something new. */
export function isBehind(series: Series, now: number): boolean {
  return now - end(series) >= 2 * series.step_ms;
}

/** The times at which the values of a series end, in milliseconds. */
export function times(series: Series): number[] {
  return series.values.requests.map((_, i) => series.start + (i + 1) * series.step_ms);
}

/** The index of the step that is closest to a time. */
export function indexAt(series: Series, at: number): number {
  const last = series.values.requests.length - 1;
  return Math.max(0, Math.min(last, Math.round((at - series.start) / series.step_ms) - 1));
}
