/** What the server sends of the groups of captured errors, and what an operator sends to change one. */

import type { Range, Time } from './contract';

export type GroupStateName = 'open' | 'resolved' | 'regressed' | 'muted';
export const INBOX_STATES = ['open', 'new', 'spiking', 'regressed', 'muted', 'resolved', 'all'] as const;
export type InboxState = (typeof INBOX_STATES)[number];
/** The number of groups in each state. A group may be in several. */
export type GroupCounts = Record<InboxState, number>;

/** To which events a resolution applies: all, those of a release and later ones, or those after a release. */
export interface Resolution {
  in: 'now' | 'this_release' | 'next_release';
  release: string | null;
}

export interface GroupState {
  name: GroupStateName;
  /** When it came into this state. Not of an open one. */
  at?: Time;
  resolution?: Resolution;
  resolved_at?: Time;
  /** Until a time, or until more than so many events within a period in seconds. */
  mute?: { until?: Time; events?: number; period?: number };
}

export interface GroupRow {
  id: string;
  kind: 'error' | 'message' | 'panic';
  /** Empty for a message. */
  type: string;
  message: string;
  /** Where the first event was captured: `file:line:column`. */
  location: string;
  /** The function of the service in which it occurs, if there is a stack. */
  culprit: string | null;
  /** The one with the most events; empty outside a request. */
  route: string;
  /** Events since the group is known. */
  count: number;
  /** Events in the steps of the range. */
  in_range: number;
  users: number;
  first_at: Time;
  last_at: Time;
  is_new: boolean;
  is_spiking: boolean;
  state: GroupState;
  last_resolution: Resolution | null;
  releases: string[];
  /** The trace of its latest sample. */
  trace_id: string | null;
  curve: number[];
}

/** Where the groups are kept: `failing`: the data directory refuses them. */
export type GroupStorage = 'memory' | 'loading' | 'stored' | 'failing';

interface Steps {
  at: Time;
  range: Range;
  /** The begin of the first step of the curves. */
  start: Time;
  step_ms: number;
  /** Whether the range begins before all counts: they go back a week. */
  is_cut: boolean;
  storage: GroupStorage;
}

/** `GET data/v1/errors?state=..&range=..` */
export interface ErrorInbox extends Steps {
  /** Of the groups that match the filter, by state. */
  counts: GroupCounts;
  /** All groups. */
  known: number;
  /** Those of the state that match the filter. At most `limit` of them are listed. */
  count: number;
  /** Events in the range of all groups that match the filter. */
  events: number;
  groups: GroupRow[];
  /** What a filter may choose. The empty route stands for events outside a request. */
  routes: string[];
  releases: string[];
}

export interface NameCounts {
  names: { name: string; count: number }[];
  other: number;
}

export interface SampleEvent {
  id: string;
  at: Time;
  method: string;
  route: string;
  path: string;
  user: string;
  trace_id: string | null;
  message: string;
}

export interface StackFrame {
  function: string;
  file: string;
  line: number;
  in_app: boolean;
}

export interface Crumb {
  at: Time;
  /** Microseconds from the error, below 0 before it. */
  at_us: number;
  level: string;
  target: string;
  message: string;
  fields: { key: string; value: string }[];
}

export interface FullSample extends SampleEvent {
  level: string;
  location: string;
  thread: string;
  query: string;
  truncated: boolean;
  causes: { type: string; message: string }[];
  frame_count: number;
  /** The innermost first. */
  frames: StackFrame[];
  breadcrumbs: Crumb[];
  tags: { key: string; value: string }[];
}

export interface StateChange {
  at: Time;
  state: GroupState;
  /** Empty for a change by the service, by an event or by time. */
  by: string;
  comment: string;
}

export interface ErrorGroup extends GroupRow {
  grouped_by: 'fingerprint' | 'frames' | 'message' | 'place';
  grouping_version: number;
  in_five_minutes: number;
  routes: NameCounts;
  in_releases: NameCounts;
  environments: NameCounts;
  /** The newest first. */
  changes: StateChange[];
  sample: FullSample | null;
  /** The newest first. */
  samples: SampleEvent[];
}

/** `GET data/v1/error?id=..&range=..`, or `?event=..` with the ID of a captured error. */
export interface ErrorPage extends Steps {
  /** The release that runs. */
  release: string | null;
  /** `null`: there is no such group. */
  group: ErrorGroup | null;
}

/** The bodies of `POST data/v1/errors/..`. */
export interface ResolveError {
  error: string;
  in: Resolution['in'];
  by: string;
  comment: string;
}

export type MuteError = { error: string; by: string; comment: string } & ({ until: Time } | { events: number; period: number });

export interface ReopenError {
  error: string;
  by: string;
}

export interface MergeErrors {
  /** The group that stays. */
  error: string;
  others: string[];
  by: string;
  comment: string;
}
