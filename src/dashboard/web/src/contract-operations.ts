/** The documents of statements, pools and outgoing calls. The rules of `contract.ts` hold for them too. */

import type { Marker, Range, Ratio, Seconds, Time, TraceRow } from './contract';

/** What the queries or calls of a group were like in a period. */
export interface OperationFigures {
  count: number;
  /** Per second. */
  rate: number | null;
  errors: number;
  error_rate: Ratio | null;
  cancelled: number;
  /** The time of all together. */
  total: Seconds;
  mean: Seconds | null;
  p50: Seconds | null;
  p95: Seconds | null;
  p99: Seconds | null;
}

export interface Caller {
  /** Empty for work outside a request. */
  route: string;
  /** That with most requests of the route in the range, if there were any. */
  method: string | null;
  calls: number;
}

/** What tells statements apart: texts with one summary in one database are one statement. */
export interface StatementName {
  system: string;
  namespace: string;
  summary: string;
}

/** What is known of a statement since the start of the process. */
export interface StatementKnown {
  /** Texts with this summary. */
  texts_known: number;
  calls_since_start: number | null;
  rows_since_start: number | null;
  callers: Caller[];
  other_callers: number;
  /** Whether a request is known to run it in a loop. */
  in_loop: boolean;
}

export interface StatementRow extends StatementName, OperationFigures, StatementKnown {
  /** It stands for statements without series of their own. */
  is_other: boolean;
  time_share: Ratio | null;
}

/** Requests of a route that ran a statement in a loop. */
export interface LoopRow {
  route: string;
  method: string | null;
  count: number;
  requests: number;
  queries_per_request: number | null;
  /** The statement, from the latest kept trace with such a loop. */
  summary: string | null;
  trace_id: string | null;
}

/** `GET data/v1/statements?range=..`: those with most time first; at most 300. */
export interface StatementList {
  at: Time;
  range: Range;
  count: number;
  total: Seconds;
  statements: StatementRow[];
  loops: LoopRow[];
  failed: string | null;
}

/** `GET data/v1/statement?system=..&namespace=..&summary=..&range=..` */
export interface StatementPage extends StatementName, StatementKnown {
  at: Time;
  range: Range;
  is_other: boolean;
  figures: OperationFigures;
  time_share: Ratio | null;
  before: OperationFigures | null;
  start: Time;
  step_ms: number;
  p50: (number | null)[];
  p95: (number | null)[];
  p99: (number | null)[];
  /** Queries per second, by how they ended. */
  ends: { errors: (number | null)[]; cancelled: (number | null)[]; others: (number | null)[] };
  texts: { text: string; calls: number; errors: number; rows: number; total: Seconds; p50: Seconds; p95: Seconds; max: Seconds; slowest_trace_id: string | null }[];
  /** Kept traces of the range in which it took longest. */
  traces: TraceRow[];
  markers: Marker[];
  failed: string | null;
}

export interface PoolRow {
  name: string;
  is_other: boolean;
  used: number | null;
  idle: number | null;
  most_used: number | null;
  max: number | null;
  waiting: number | null;
  most_waiting: number | null;
  /** Connections that were acquired. */
  acquired: number | null;
  wait_p50: Seconds | null;
  wait_p95: Seconds | null;
  timeouts: number | null;
  used_curve: (number | null)[];
  waiting_curve: (number | null)[];
  wait_p95_curve: (number | null)[];
}

/** `GET data/v1/pools?range=..` */
export interface PoolList {
  at: Time;
  range: Range;
  start: Time;
  step_ms: number;
  count: number;
  pools: PoolRow[];
  markers: Marker[];
}

export interface LimitRow {
  window: string;
  limit: number | null;
  remaining: number | null;
  used: Ratio | null;
  reset_in: Seconds | null;
  /** If it is used on at the same rate; null if it resets earlier. */
  exhausted_in: Seconds | null;
}

export interface ServiceCalls extends OperationFigures {
  service: string;
  is_other: boolean;
  /** `up`, `degraded` or `down`; null if this process has not called it. */
  state: string | null;
  reason: string;
  calls_since_start: number | null;
  recent_rate: number | null;
  recent_error_rate: Ratio | null;
  last_error: string | null;
  last_error_at: Time | null;
  limits: LimitRow[];
  callers: Caller[];
  other_callers: number;
  p95_curve: (number | null)[];
}

export interface ModelUsage {
  /** Calls that reported their tokens. */
  calls_with_tokens: number;
  input_tokens: number;
  output_tokens: number;
  /** In the currency that the host uses; null if no call has reported one. */
  cost: number | null;
}

export interface ModelRow extends OperationFigures, ModelUsage {
  service: string;
  model: string;
  is_other: boolean;
  routes: (ModelUsage & Caller)[];
}

/** `GET data/v1/calls?range=..` */
export interface CallList {
  at: Time;
  range: Range;
  start: Time;
  step_ms: number;
  count: number;
  services: ServiceCalls[];
  models: ModelRow[];
  failed: string | null;
}
