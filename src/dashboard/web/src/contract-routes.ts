/** The documents of the routes. The rules of `contract.ts` hold for them too. */

import type { HeatMap } from './heat-model';
import type { ErrorRow, LogRow, Marker, Range, Ratio, Seconds, Time, TraceRow } from './contract';

/** What the requests of a route were like in a period. */
export interface RouteFigures {
  count: number;
  /** Requests per second. */
  rate: number | null;
  errors: number;
  error_rate: Ratio | null;
  client_errors: Ratio | null;
  cancelled: Ratio | null;
  p50: Seconds | null;
  p95: Seconds | null;
  p99: Seconds | null;
}

export interface RouteRow extends RouteFigures {
  route: string;
  method: string;
  /** Its share of the time of all requests, and of all errors. */
  time_share: Ratio | null;
  error_share: Ratio | null;
  /** The period of the same length before. `null` if the history does not have it, or if there was no request. */
  before: RouteFigures | null;
  /** A value for each step of the list. */
  p95_curve: (number | null)[];
}

/** `GET data/v1/routes?range=..`: the routes with requests in a range, those with most of them first; at most 500. */
export interface RouteList {
  at: Time;
  range: Range;
  /** All routes with requests. */
  count: number;
  start: Time;
  step_ms: number;
  routes: RouteRow[];
  /** Why the history could not be read. */
  failed: string | null;
}

export const ANSWERS = ['errors', 'cancelled', 'client_errors', 'others'] as const;
export type AnswerName = (typeof ANSWERS)[number];

/** `GET data/v1/route?route=..&method=..&range=..` */
export interface RoutePage {
  at: Time;
  range: Range;
  route: string;
  method: string;
  figures: RouteFigures;
  time_share: Ratio | null;
  before: RouteFigures | null;
  start: Time;
  step_ms: number;
  p50: (number | null)[];
  p95: (number | null)[];
  p99: (number | null)[];
  /** Requests per second, by how they ended. */
  answers: Record<AnswerName, (number | null)[]>;
  statuses: { status: string; outcome: string; count: number }[];
  /** The last deploy, with equal times before and after it. */
  deploy: { at: Time; text: string; length_ms: number; before: RouteFigures; after: RouteFigures } | null;
  /** Statements since the start: the calls of this route, and figures of all calls. */
  queries: { system: string; namespace: string; summary: string; text: string; calls: number; all_calls: number; errors: number; p95: Seconds; total: Seconds }[];
  /** Services since the start: the calls of this route; p95 and errors of all calls in the last five minutes. */
  calls: { service: string; calls: number; all_calls: number | null; state: string | null; p95: Seconds | null; error_rate: Ratio | null }[];
  /** How many requests took how long. */
  heat: HeatMap;
  errors: ErrorRow[];
  /** The slowest kept ones of the range. */
  traces: TraceRow[];
  logs: LogRow[];
  markers: Marker[];
  failed: string | null;
}
