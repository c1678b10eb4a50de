/** What the server sends of alerts. */

import type { Ratio, Seconds, SignalName, Time } from './contract';

export type AlertState = 'pending' | 'firing' | 'recovering' | 'resolved';
export type Severity = 'info' | 'warning' | 'critical';

/** The alerts of the rules. */
export interface Alerts {
  /** The number of rules. 0 also in a build without alerts. */
  rules: number;
  /** Alerts that fire, and that nobody has acknowledged or silenced: all of them, also those that are not in `alerts`. */
  open: number;
  /** Those of them that are critical. */
  open_critical: number;
  /** Alerts that fire and are acknowledged. */
  acknowledged: number;
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

// ---------------------------------------------------------------- the page of alerts

/** `GET data/v1/alerts`. At most 200 rows of each list. */
export interface AlertsPage {
  at: Time;
  alerts: Alert[];
  silences: Silence[];
  /** The changes of states, the newest first. */
  transitions: Transition[];
  rules: RuleRow[];
  slos: Slo[];
  /** Rules whose last evaluation failed, and the file of rules if it is not used. */
  failures: { rule: string; text: string }[];
}

export interface Silence {
  id: string;
  matchers: string[];
  starts: Time;
  ends: Time;
  by: string;
  comment: string;
  /** How many alerts it hides now, and the names of some. */
  hides: number;
  alerts: string[];
}

export interface Transition {
  at: Time;
  rule: string;
  from: AlertState | 'inactive';
  to: AlertState | 'inactive';
  reason: string;
  value: number | null;
  severity: Severity;
  labels: string;
}

export interface RuleRow {
  name: string;
  severity: Severity;
  card: SignalName | null;
  /** The unit of its values: `ratio`, `ratio_per_hour`, `seconds`, `bytes`, `number`. */
  unit: string;
  bound: string;
  limit: number;
  clear: number;
  for: Seconds;
  keep_firing_for: Seconds;
  min_samples: number;
  runbook: string | null;
  /** Whether a dry run is possible. */
  can_run: boolean;
  /** The worst of its values now, and whether one is past the limit. */
  value: number | null;
  past: boolean;
  series: number;
}

export interface Slo {
  name: string;
  objective: Ratio;
  failed: Ratio | null;
  /** The share of the error budget of 30 days that is left. Below 0 if it is missed. */
  budget_left: number | null;
  burn_rates: { window: Seconds; rate: number | null }[];
}

/** `GET data/v1/alerts/preview?matcher=..&matcher=..` */
export interface SilencePreview {
  hides: number;
  alerts: string[];
}

/** `GET data/v1/alerts/backtest?rule=..&hours=24` */
export interface Backtest {
  rule: string;
  from: Time;
  to: Time;
  fired: number;
  spans: { from: Time; to: Time | null }[];
}

/** The body of `POST data/v1/alerts/acknowledge`. Without `seconds`, it holds until the alert ends. */
export interface Acknowledge {
  alert: string;
  seconds: number | null;
  by: string;
  comment: string;
}

/** The body of `POST data/v1/alerts/silence`. */
export interface NewSilence {
  matchers: string[];
  seconds: number;
  by: string;
  comment: string;
}

/** The body of `POST data/v1/alerts/end-silence`. */
export interface EndSilence {
  silence: string;
  by: string;
}
