/** What the server sends of alerts. */

import type { Seconds, SignalName, Time } from './contract';

export type AlertState = 'pending' | 'firing' | 'recovering' | 'resolved';
export type Severity = 'info' | 'warning' | 'critical';

/** The alerts of the rules. */
export interface Alerts {
  /** The number of rules. 0 also in a build without alerts. */
  rules: number;
  /** Alerts that fire, and that nobody has acknowledged or silenced. */
  open: number;
  /** Firing ones first, and among these the critical ones; at most 20. */
  alerts: Alert[];
  /** The times of the last 24 hours for which conditions held, the oldest first; at most 200. */
  spans: AlertSpan[];
}

export interface Alert {
  id: string;
  rule: string;
  /** The card that shows the figure of the rule. */
  card: SignalName | null;
  state: AlertState;
  severity: Severity;
  /** When its condition began to hold. */
  began: Time;
  since: Time;
  fired_at: Time | null;
  fires_at: Time | null;
  resolved_at: Time | null;
  value: number | null;
  /** Such as `> 0.05`. */
  bound: string;
  summary: string;
  labels: { name: string; value: string }[];
  /** Its labels as matchers of a silence: `alertname=high-error-rate`. */
  matchers: string[];
  acknowledged: { by: string; comment: string; at: Time; until: Time | null } | null;
  /** The numbers of the silences that hide it. */
  silenced_by: string[];
  /** The rule of an alert that hides it. */
  inhibited_by: string | null;
  no_data: boolean;
  /** Whether its rule could not be evaluated. */
  failed: boolean;
  runbook: string | null;
}

export interface AlertSpan {
  rule: string;
  card: SignalName | null;
  severity: 'warning' | 'critical' | null;
  /** `pending`: the condition held, and the alert waited. */
  state: 'pending' | 'firing';
  from: Time;
  /** `null` while it lasts. */
  to: Time | null;
}

export interface CardLine {
  value: number;
  state: 'warning' | 'critical';
  /** The rule whose limit it is. `null`: it is a setting, and colours nothing. */
  rule: string | null;
  /** For how long the figure has to be past it. `null`: for no time. */
  for: Seconds | null;
}

export interface CardAlert {
  id: string;
  rule: string;
  state: AlertState;
  severity: Severity;
  since: Time;
  /** When a pending alert fires if its condition goes on. */
  fires_at: Time | null;
}
