/** The documents of kept traces. The rules of `contract.ts` hold for them too. */

import type { Range, Ratio, Seconds, Time, TraceRow } from './contract';

/** Microseconds from the start of the trace, which may be negative for log lines. */
export type Micros = number;

export interface ListedTrace extends TraceRow {
  request_id: string | null;
}

/** `GET data/v1/traces?range=..&route=..&min_ms=..&max_ms=..&status=..&kept=..&id=..&cursor=..&limit=..`: kept traces of
 * memory and disk, those that ended last first. An ID is searched at all times. */
export interface TraceList {
  at: Time;
  range: Range;
  /** Whether there is a data directory, from which traces are found after a restart. */
  is_stored: boolean;
  /** Since when there are traces in it. */
  stored_since: Time | null;
  traces: ListedTrace[];
  /** The cursor of the next page. */
  next: string | null;
  /** Why the traces on disk could not be read; those in memory are in the list. */
  failed: string | null;
}

export interface Difference {
  key: string;
  value: string;
  /** How many of the selected traces have it, and of all. */
  selected: number;
  all: number;
  share_selected: Ratio;
  share_all: Ratio;
}

/** `GET data/v1/trace-differences?..`, with the filter of the list. */
export interface Differences {
  at: Time;
  range: Range;
  selected: number;
  all: number;
  /** Whether the filter selects; else those that failed or were slow are selected. */
  by_filter: boolean;
  rows: Difference[];
}

export interface Pair {
  key: string;
  value: string;
}

export interface SpanDetails {
  name: string;
  status_message: string;
  scope: string;
  /** Attributes, events and links that exceeded a limit. */
  left_out: number;
  /** The SQL text, redacted. */
  statement: string | null;
  attributes: Pair[];
  /** Times from the start of the span. */
  event_list: { at_us: Micros; name: string; attributes: Pair[] }[];
  links: { trace_id: string; span_id: string; attributes: Pair[] }[];
}

export type SpanWork = 'server' | 'database' | 'call' | 'task' | 'code';

/** A span. Those below it follow it. */
export interface TraceSpan {
  id: string;
  depth: number;
  /** The number of spans below it, at all depths. */
  below: number;
  work: SpanWork;
  label: string;
  title: string;
  start_us: Micros;
  end_us: Micros;
  failed: boolean;
  /** Its parent was dropped, or has not ended. */
  is_orphan: boolean;
  /** When the trace waited for this span itself: from, to. */
  on_path: [Micros, Micros][];
  events: number;
  /** Where the same span of the typical trace is. */
  typical: { start_us: Micros; end_us: Micros } | null;
  /** `null` if the document would become too large: ask again with `&span=` and its ID. */
  details: SpanDetails | null;
}

export interface Typical {
  trace_id: string;
  took: Seconds;
  /** Among how many traces it has the median duration. */
  of: number;
  /** Whether these were sampled at random; else they were kept for any reason. */
  is_sample: boolean;
  span_count: number;
  /** Time of spans themselves on the critical path. `typical: null`: the typical trace has no such span. */
  times: { title: string; here: Seconds; typical: Seconds | null }[];
  attributes: { key: string; here: string | null; typical: string | null }[];
}

export interface TraceLine {
  at: Time;
  at_us: Micros;
  level: string;
  target: string;
  message: string;
  span_id: string | null;
  fields: Pair[];
}

export interface TraceError {
  id: string;
  at: Time;
  at_us: Micros;
  span_id: string;
  location: string;
  causes: { type: string; message: string }[];
  frames: { function: string; file: string; line: number; in_app: boolean }[];
}

export interface Trace {
  name: string;
  method: string | null;
  route: string;
  start: Time;
  duration_us: Micros;
  /** The duration of the request or topmost span; `null` if it has not ended. */
  took: Seconds | null;
  status: number | null;
  failed: boolean;
  kept: string;
  outcome: string | null;
  error_type: string | null;
  user: string | null;
  has_root: boolean;
  lost_spans: number;
  /** All spans. At most 10,000 are in the list. */
  span_count: number;
  spans: TraceSpan[];
  typical: Typical | null;
}

/** `GET data/v1/trace?id=..&span=..`: `id` is a trace ID, its lower half as 16 hexadecimal digits or as a decimal number, or a
 * request ID. */
export interface TracePage {
  at: Time;
  /** `null` if no trace has the ID. */
  trace_id: string | null;
  is_stored: boolean;
  stored_since: Time | null;
  failed: string | null;
  /** Its request is still running. */
  running_for: Seconds | null;
  /** Whether the log lines are all there, or older ones were removed from memory. */
  lines: 'complete' | 'partly' | 'removed' | 'unknown';
  logs: TraceLine[];
  errors: TraceError[];
  trace: Trace | null;
}
