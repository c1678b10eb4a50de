/**
 * The documents and messages that the server sends.
 *
 * Rules for all of them:
 * - Times are milliseconds since the epoch, durations are seconds, shares are ratios from 0 to 1, sizes are bytes.
 * - `null` means unknown. A figure that is 0 was measured as 0.
 * - IDs are strings. Names and texts come from the monitored service and are never trusted.
 * - A reader ignores fields and words that it does not know.
 */

import type { Alerts, CardAlert, CardLine } from './contract-alerts';
import type { GroupCounts } from './contract-errors';

/** Milliseconds since the epoch. */
export type Time = number;
/** Seconds. */
export type Seconds = number;
/** A share from 0 to 1. */
export type Ratio = number;

/** What a rule or a check says of a thing. `null` where no rule exists: such a thing has no colour. */
export type State = 'ok' | 'warning' | 'critical' | 'odd';

// ---------------------------------------------------------------- session

/** The response of `POST login`, and of `GET data/v1/session`, which responds with `null` to a client without access. */
export interface Session {
  role: 'viewer' | 'operator';
  service: string;
  version: string | null;
  environment: string | null;
  /** Whether `POST logout` ends this access: it came from the cookie of a login. */
  can_log_out: boolean;
  /** The time of the server, from which the page derives how far its own clock is off. */
  now: Time;
}

/** The body of `POST login`. */
export interface Login {
  token: string;
}

/** The body of every response with a status of 400 or more. */
export interface Failure {
  /** `unauthorized`, `wrong_token`, `too_many_attempts`, `insecure`, `forbidden`, `closed`, `not_found`, `bad_request`, `bad_query` */
  code: string;
  /** A sentence for people. */
  message: string;
  /** Of the text of a search, `bad_query`: the byte that is not valid, and what was expected there. */
  position?: number;
  expected?: string;
}

// ---------------------------------------------------------------- live

/** The first message on a connection, and the one that follows a gap. */
export interface Hello {
  type: 'hello';
  /** Changes when the process restarts. Sequence numbers of different epochs cannot be compared. */
  epoch: string;
  seq: number;
  at: Time;
  /** The longest time between two messages, in milliseconds. */
  heartbeat_ms: number;
  sections: Sections;
}

/** Sections that changed since `from`. Each replaces the section of its name as a whole. */
export interface Delta {
  type: 'delta';
  from: number;
  seq: number;
  at: Time;
  sections: Partial<Sections>;
}

/** Nothing changed for a while. `seq` is that of the last message. */
export interface Heartbeat {
  type: 'heartbeat';
  seq: number;
  at: Time;
}

/** The client was too slow, and this many deltas were left out. A `hello` follows. */
export interface Gap {
  type: 'gap';
  missed: number;
  at: Time;
}

/** The server ends the connection. */
export interface Bye {
  type: 'bye';
  /** `shutdown`, `session_ended`, `renew`: connect again at once, `too_many_messages` */
  reason: string;
}

export type Message = Hello | Delta | Heartbeat | Gap | Bye;

/** `GET data/v1/live?epoch=E&after=SEQ`: what a connection would have received, for clients without WebSocket. */
export interface Poll {
  messages: Message[];
}

// ---------------------------------------------------------------- overview

/** `GET data/v1/overview?range=1h` or `?from=..&to=..`. */
export interface Overview {
  epoch: string;
  seq: number;
  at: Time;
  range: Range;
  /** Figures of now if the range is live, else of the range. */
  sections: Sections;
  series: Series;
}

export interface Range {
  from: Time;
  to: Time;
  /** Whether the range ends now. */
  live: boolean;
}

/** The sections of a live page. All clients receive the same ones. */
export interface Sections {
  verdict: Verdict;
  alerts: Alerts;
  cards: Cards;
  points: Points;
  day: Day;
  changes: Change[];
  services: Service[];
  running: Running;
  traces: TraceRow[];
  errors: ErrorRow[];
  /** The groups of errors in each state. */
  groups: GroupCounts;
  logs: LogRow[];
  anomalies: Anomaly[];
  markers: Marker[];
  cost: Cost;
  setup: Setup;
}

/** The sentence at the top, in parts. */
export interface Verdict {
  /** `waiting`: no request was seen yet. */
  state: 'healthy' | 'warning' | 'critical' | 'waiting';
  /** When this state began. */
  since: Time | null;
  uptime: Seconds | null;
  /** Why the state is not `healthy`, the worst first; of equal ones, alerts first; at most 20. Empty if it is. */
  reasons: Reason[];
  /** The number of all reasons. */
  reason_count: number;
  /** The route whose response times are odd the most. */
  slow: { method: string; route: string; p95: Seconds } | null;
  /** The route with most of the failures of the last five minutes, if there are failures. */
  where: Where | null;
}

export interface Reason {
  /** `alert`, `readiness`, `check`, `sink`, `worker`, `store`, `disk` */
  kind: string;
  /** The name of the check, sink or rule. */
  name: string;
  state: State;
  /** A sentence. */
  text: string;
  /** The ID of an alert, and the card that shows its figure. */
  alert: string | null;
  card: SignalName | null;
}

export interface Where {
  method: string | null;
  route: string;
  /** Its share of all failures. */
  share: Ratio;
}

export const CARD_NAMES = [
  'health',
  'requests',
  'response_time',
  'error_rate',
  'users',
  'cpu',
  'memory',
  'connections',
] as const;
export type CardName = (typeof CARD_NAMES)[number];
/** Cards with a number, in their order. */
export type SignalName = Exclude<CardName, 'health'>;
export const SIGNALS: readonly SignalName[] = [
  'requests',
  'response_time',
  'error_rate',
  'users',
  'cpu',
  'memory',
  'connections',
];

export interface Cards {
  health: HealthCard;
  /** Requests per second. */
  requests: Card;
  /** Seconds, the 95th percentile. */
  response_time: Card & { p50: Seconds | null; p99: Seconds | null };
  /** A ratio. */
  error_rate: Card & { client_errors: Ratio | null; cancelled: Ratio | null };
  /** Distinct users within five minutes. */
  users: Card & { day: number | null };
  /** The used share of the available CPUs. */
  cpu: Card & { cores_used: number | null; cores: number | null };
  /** The used share of the memory limit, or of the machine's memory without a limit. */
  memory: Card & { used: number | null; limit: number | null };
  /** Connections in use, of all pools. */
  connections: Card & { max: number | null; waiting: number | null; acquire_p95: Seconds | null };
}

export interface Card {
  value: number | null;
  /** Why `value` is null: `no_requests`, `no_hook`, `no_pool`, `no_data`, `unsupported`. */
  missing: string | null;
  /** What the rules say; `odd` if the figure is outside its normal range and no rule fires. `null` while no rule uses it. */
  state: State | null;
  /** The lowest line of each kind. */
  warning: number | null;
  critical: number | null;
  /** The lines drawn, the lowest first. */
  lines: CardLine[];
  /** The alert on this figure that fires, or else one that waits. */
  alert: CardAlert | null;
  /** The same figure at an earlier time, to compare with. */
  before: Before | null;
  /** The normal range now. `null` while it is not known. */
  normal: Band | null;
  /** How far the value may be off, as a ratio of it; `null` if it is exact. */
  error: Ratio | null;
  /** The time of the last value in the range that is not 0, where `value` is 0. */
  last_at: Time | null;
}

export interface Before {
  value: number;
  from: Time;
  to: Time;
}

export interface Band {
  low: number;
  high: number;
}

export interface HealthCard {
  state: State;
  checks: HealthCheck[];
  /** Checks that pass, and all. */
  passing: number;
  total: number;
}

/** A check of the host, or a part of the monitor. */
export interface HealthCheck {
  name: string;
  /** `ready`, `check`, `worker`, `sink`, `store`, `disk` */
  kind: string;
  /** `null`: it has not run yet. */
  state: State | null;
  /** Why it does not pass; empty otherwise. */
  text: string;
  /** The used share, of a disk. */
  used: Ratio | null;
}

/**
 * The values of a range: for each signal as many as there are steps. The value at index `i` is that of the step that
 * ends at `start + (i + 1) * step_ms`.
 */
export interface Series {
  start: Time;
  step_ms: number;
  values: Record<SignalName, (number | null)[]>;
  /** The normal range at each step, of signals where it is known. */
  normal: Partial<Record<SignalName, { low: (number | null)[]; high: (number | null)[] }>>;
  /** Spans of the range without data, and why. */
  gaps: DataGap[];
  /** Where the kept data begins, if that is after `start`. */
  data_from: Time | null;
  /** Why the history could not be read, in words. The values are then all `null`. */
  failed: string | null;
}

export interface DataGap {
  from: Time;
  to: Time;
  /** `stopped`: the process did not run. `suspended`: it was stopped or its clock was set. `damaged`: unreadable. */
  reason: string;
}

/**
 * The newest steps of the history, in the form of {@link Series}, at its finest step: at least the last minute. A page
 * whose series has the same `step_ms` adds them; another one reads its series again once a step of it has passed.
 */
export interface Points {
  start: Time;
  step_ms: number;
  values: Record<SignalName, (number | null)[]>;
}

/** The last 24 hours, in steps of five minutes. */
export interface Day {
  start: Time;
  step_ms: number;
  /** Requests per second. */
  load: (number | null)[];
  states: { from: Time; to: Time | null; state: State }[];
}

/** Something that changed, the newest first, of the last 24 hours; at most 20. */
export interface Change {
  at: Time;
  /**
   * `alert`: it fires. `alert_end`. `deploy`, `start`, `stop`, `mark`, `new_error`, `error_back`, `new_route`, `check`, `sink`, `anomaly`, `gap`,
   * `notice`
   */
  kind: string;
  /** What it is about: a version, a mark, a type of error, a route, a check. */
  subject: string;
  /** A sentence or a text, or empty. */
  text: string;
  state: State | null;
  /** How often since, where it is counted. */
  count: number | null;
  /** The earlier version, of a deploy. */
  before: string | null;
  /** The group of errors that a new error is. */
  error: string | null;
}

export interface Service {
  name: string;
  /** `self`, `pool`, `database`, `external`, `sink` */
  kind: string;
  /** `null`: unknown, or not used lately. */
  state: State | null;
  /** One word for the state: `up`, `slow`, `failing`, `unusual` (the number of requests is), `limited`, `backing_off`, `stalled`, `unknown` */
  word: string;
  /** Why, as a sentence; empty if it is up. */
  text: string;
  /** Calls, queries, requests or lines per second. */
  rate: number | null;
  p95: Seconds | null;
  error_rate: Ratio | null;
  /** Of a pool: connections in use and the maximum. */
  used: number | null;
  max: number | null;
  /** Of a service with limits: the highest used share, and the name of its window. */
  limit_used: Ratio | null;
  limit: string | null;
  /** Of a sink. */
  delivered_at: Time | null;
  queued: number | null;
  dropped: number | null;
  /**
   * The last hour, one character a minute, the oldest first: `-` ok, `w` warning, `c` critical, `.` unknown. `null` if it
   * is not recorded.
   */
  strip: string | null;
}

/** Requests in flight, the longest first; at most 5 of them. */
export interface Running {
  count: number;
  requests: {
    method: string | null;
    route: string;
    trace_id: string | null;
    running_for: Seconds;
    /** How long the current poll lasts: the handler blocks its thread. */
    polled_for: Seconds | null;
  }[];
}

/** Kept traces that are slow or failed, the newest first; at most 8. */
export interface TraceRow {
  trace_id: string;
  at: Time;
  method: string | null;
  /** The route of the request, or the name of the topmost span. */
  route: string;
  duration: Seconds;
  status: number | null;
  failed: boolean;
  /** `panic`, `timeout`, `error`, `captured`, `slow`, `parent`, `head` */
  kept: string;
}

/** Groups of captured errors, the latest first; at most 8. */
export interface ErrorRow {
  id: string;
  type: string;
  message: string;
  location: string;
  route: string;
  count: number;
  first_at: Time;
  last_at: Time;
  trace_id: string | null;
  /** `new`: first seen within the last hour. `back`: resolved before. `rising`: it has a spike. */
  mark: 'new' | 'back' | 'rising' | null;
}

/** Log records, the newest first; at most 8. Without those of requests, which would leave no room for others. */
export interface LogRow {
  at: Time;
  /** `error`, `warn`, `info`, `debug`, `trace` */
  level: string;
  target: string;
  message: string;
  trace_id: string | null;
  /** The ID of the captured error that the line is about. */
  event_id: string | null;
}

/** A figure that left its normal range, of the last 24 hours: the newest episode first, and in it the oddest first. */
export interface Anomaly {
  id: string;
  /** Anomalies that began together have the same. */
  episode: string;
  /** The card that shows the figure, in whose unit the values are; or else the figure in words. */
  signal: string;
  /** A sentence: `p95 of GET /search is 1.9 s, usually 0.2 to 0.4 s`. */
  text: string;
  route: { method: string; route: string } | null;
  from: Time;
  /** `null` while it lasts. */
  to: Time | null;
  value: number;
  normal: Band;
  /** Other figures that were unusual then. */
  also: string[];
}

/** A deploy, a start or a mark of the service, the oldest first, of the last 30 days; at most 100. */
export interface Marker {
  at: Time;
  /** `deploy`: a start with another version. `start`. `mark`: what the service marked itself. */
  kind: string;
  /** The version of a deploy or a start, or the text of a mark. Empty if there is none. */
  text: string;
}

/** What the monitor costs and loses. */
export interface Cost {
  /** The share of one CPU. */
  cpu: Ratio | null;
  memory: number | null;
  /** Records and spans that were dropped since the start. */
  dropped: number;
  drops: { signal: string; reason: string; count: number }[];
  /** Open pages. */
  clients: number;
}

/** What a new user has to do. */
export interface Setup {
  /** Whether a request has passed through the layer. */
  has_requests: boolean;
  /** Where the page is mounted, as the server sees it: `/monitoring`. */
  mount: string;
  steps: { name: 'install' | 'mount' | 'layer'; done: boolean }[];
  parts: {
    /** `metrics`, `history`, `data_dir`, `otlp`, `sentry`, `elasticsearch`, `users`, `pools` */
    name: string;
    state: 'on' | 'off' | 'problem';
    /** A sentence, or empty. */
    text: string;
  }[];
  /** What the doctor found, as sentences. */
  findings: string[];
}

// ---------------------------------------------------------------- tests of the chain

/** The response of `POST data/v1/test-error` and `POST data/v1/test-trace`, both with the body `{}`. */
export interface TestSent {
  trace_id: string | null;
  event_id: string | null;
}
