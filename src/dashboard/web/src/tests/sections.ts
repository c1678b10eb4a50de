/** Documents for tests: of a service that is well, with changes. */

import { SIGNALS, type Card, type Points, type Sections, type Series, type SignalName } from '../contract';

export const NOW = new Date(2026, 10, 29, 14, 32, 10).getTime();
export const MINUTE = 60_000;

export function card(value: number | null, change: Partial<Card> = {}): Card {
  const lines: Card['lines'] = [];
  const { warning = null, critical = null } = change;
  if (warning !== null) lines.push({ value: warning, state: 'warning', rule: null, for: null });
  if (critical !== null) lines.push({ value: critical, state: 'critical', rule: null, for: null });
  return { value, missing: null, state: null, warning, critical, lines, alert: null, before: null, normal: null, error: null, last_at: null, ...change };
}

function each(of: (name: SignalName, i: number) => (number | null)[]): Record<SignalName, (number | null)[]> {
  return Object.fromEntries(SIGNALS.map((name, i) => [name, of(name, i)])) as Record<SignalName, (number | null)[]>;
}

/** Values that tell their time: the end of the step in seconds. */
export function steps(start: number, n: number, step = 10_000): Points {
  return { start, step_ms: step, values: each(() => Array.from({ length: n }, (_, i) => (start + (i + 1) * step) / 1000)) };
}

export function series(start: number, n: number, step = 10_000): Series {
  return { ...steps(start, n, step), normal: {}, gaps: [], data_from: null, failed: null };
}

export function sections(change: Partial<Sections> = {}): Sections {
  return {
    verdict: { state: 'healthy', since: NOW - 160 * MINUTE, uptime: 9600, reasons: [], reason_count: 0, where: null, slow: null },
    alerts: { rules: 0, open: 0, open_critical: 0, acknowledged: 0, alerts: [], spans: [] },
    cards: {
      health: { state: 'ok', checks: [], passing: 7, total: 7 },
      requests: card(412),
      response_time: { ...card(0.21, { warning: 0.5, critical: 1 }), p50: 0.084, p99: 0.45 },
      error_rate: { ...card(0.002, { warning: 0.01, critical: 0.05 }), client_errors: 0.031, cancelled: 0.004 },
      users: { ...card(1284), day: 9410 },
      cpu: { ...card(0.34, { warning: 0.7, critical: 0.9 }), cores_used: 2.72, cores: 8 },
      memory: { ...card(0.61), used: 654_311_424, limit: 1_073_741_824 },
      connections: { ...card(23, { critical: 90 }), max: 100, waiting: 0, acquire_p95: 0.0002 },
    },
    points: steps(NOW - 120_000, 12),
    day: { start: NOW - 86_400_000, step_ms: 300_000, load: [], states: [] },
    changes: [],
    services: [],
    running: { count: 0, requests: [] },
    traces: [],
    errors: [],
    groups: { open: 0, new: 0, spiking: 0, regressed: 0, muted: 0, resolved: 0, all: 0 },
    logs: [],
    anomalies: [],
    markers: [],
    cost: { cpu: 0.004, memory: 11_534_336, dropped: 0, drops: [], clients: 1 },
    setup: { has_requests: true, mount: '/monitoring', steps: [], parts: [], findings: [] },
    ...change,
  };
}
