/** What the waterfall of a trace shows: rows, lines of time, and where most of the time went. */

import type { Micros, Trace, TraceSpan } from './contract-traces';

/** So many equal spans after another become one row. */
const GROUP_FROM = 3;
/** A trace with more spans begins with small parts closed. */
const MANY = 100;
/** A part with fewer spans stays open. */
const SMALL = 20;
/** A part with less of the time on the critical path begins closed. */
const MINOR = 0.05;

export type Row =
  | { kind: 'span'; key: string; span: TraceSpan; isOpen: boolean }
  /** Equal spans that follow each other. */
  | { kind: 'group'; key: string; spans: TraceSpan[]; isSerial: boolean; isOpen: boolean };

export function ownTime(span: TraceSpan): Micros {
  return span.on_path.reduce((sum, [from, to]) => sum + (to - from), 0);
}

/** The parts that begin closed: in a large trace, those with many spans and little of the time. */
export function closedAtFirst(trace: Trace): Set<string> {
  const closed = new Set<string>();
  if (trace.spans.length <= MANY) return closed;
  // Sums up to each position, so that the sum of a part is one difference.
  const sums = [0];
  for (const span of trace.spans) sums.push((sums.at(-1) ?? 0) + ownTime(span));
  trace.spans.forEach((span, i) => {
    const part = (sums[i + 1 + span.below] ?? sums.at(-1) ?? 0) - (sums[i] ?? 0);
    if (span.depth > 0 && span.below > SMALL && part < trace.duration_us * MINOR) closed.add(span.id);
  });
  return closed;
}

function sameWork(a: TraceSpan, b: TraceSpan): boolean {
  return b.depth === a.depth && b.below === 0 && b.label === a.label && b.title === a.title && b.failed === a.failed;
}

/**
 * The rows to show. `closed` has the IDs of spans whose parts are hidden; `opened` the keys of groups that are not folded.
 */
export function rowsOf(spans: TraceSpan[], closed: ReadonlySet<string>, opened: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  for (let i = 0; i < spans.length; ) {
    const span = spans[i];
    if (span === undefined) break;
    let end = i + 1;
    if (span.below === 0) {
      for (let next = spans[end]; next !== undefined && sameWork(span, next); next = spans[end]) end += 1;
    }
    if (end - i >= GROUP_FROM) {
      const group = spans.slice(i, end);
      const key = `group-${span.id}`;
      const isOpen = opened.has(key);
      rows.push({ kind: 'group', key, spans: group, isSerial: isSerial(group), isOpen });
      if (isOpen) for (const one of group) rows.push({ kind: 'span', key: one.id, span: one, isOpen: true });
      i = end;
    } else {
      const isOpen = !closed.has(span.id);
      rows.push({ kind: 'span', key: span.id, span, isOpen });
      i += isOpen ? 1 : 1 + span.below;
    }
  }
  return rows;
}

/** Whether each one started when the one before had ended. */
function isSerial(spans: TraceSpan[]): boolean {
  return spans.every((span, i) => i === 0 || span.start_us >= (spans[i - 1]?.end_us ?? 0));
}

/** The times at which the waterfall has lines: about four round ones. */
export function axisOf(total: Micros): Micros[] {
  if (total <= 0) return [];
  const rough = total / 4.6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((size) => size >= rough * 0.999) ?? rough;
  const times: Micros[] = [];
  // The last label would touch the end.
  for (let at = step; at < total * 0.97; at += step) times.push(at);
  return times;
}

export interface MostOfIt {
  span: TraceSpan;
  share: number;
}

/** The span that the trace waited longest for itself. */
export function mostOf(trace: Trace): MostOfIt | null {
  let most: TraceSpan | null = null;
  for (const span of trace.spans) {
    if (most === null || ownTime(span) > ownTime(most)) most = span;
  }
  const whole = trace.took === null ? trace.duration_us : trace.took * 1e6;
  return most === null || whole <= 0 ? null : { span: most, share: Math.min(1, ownTime(most) / whole) };
}

/** A place on the line of a trace, in percent of its length. */
export function placeOn(at: Micros, total: Micros): number {
  return total <= 0 ? 0 : Math.round(Math.max(0, Math.min(1, at / total)) * 10_000) / 100;
}
