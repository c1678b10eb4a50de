/** The geometry of a plot with several lines or stacked bars. */

const MINUTE = 60_000;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200].map((minutes) => minutes * MINUTE);

/** Up to five round values from 0 to `most`. */
export function ticks(most: number): number[] {
  if (!(most > 0)) return [0];
  const rough = most / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? rough;
  const all: number[] = [];
  for (let i = 0; i * step <= most * 1.0001; i += 1) all.push(i * step);
  return all;
}

/** Round times between two, at most one each 110 pixels. */
export function timeTicks(from: number, to: number, width: number): number[] {
  const most = Math.max(1, Math.floor(width / 110));
  const step = STEPS.find((length) => (to - from) / length <= most) ?? (to - from) / most;
  const zone = new Date(from).getTimezoneOffset() * MINUTE;
  const all: number[] = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at < to; at += step) all.push(at);
  return all;
}

/** The highest value of lines, or of their sums. */
export function highest(lines: (number | null)[][], isStacked: boolean): number {
  const first = lines[0] ?? [];
  const at = (i: number): number[] => lines.map((values) => values[i] ?? 0);
  const each = first.map((_, i) => (isStacked ? at(i).reduce((a, b) => a + b, 0) : Math.max(...at(i))));
  return Math.max(0, ...each);
}

/** The path of a line, broken where a value is missing. A value alone is a dot. */
export function path(values: (number | null)[], x: (i: number) => number, y: (value: number) => number): string {
  return values
    .map((value, i) => {
      if (value === null) return '';
      const point = `${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
      const begins = (values[i - 1] ?? null) === null;
      const isAlone = begins && (values[i + 1] ?? null) === null;
      return begins ? `M${point}${isAlone ? 'h.1' : ''}` : `L${point}`;
    })
    .join('');
}
