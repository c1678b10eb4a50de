// Made-up documents of the routes.

import { heat } from './operations.mjs';

const NAMES = [
  ['POST', '/api/content/generate', 48, 0.64],
  ['GET', '/api/content/{id}', 131, 0.096],
  ['POST', '/api/content/{id}/publish', 9, 0.18],
  ['GET', '/api/products', 102, 0.044],
  ['GET', '/api/taxonomy/tree', 57, 0.12],
  ['GET', '_unmatched', 0.4, 0.002],
];
const STEPS = 120;

const figures = (rate, p95, error_rate) => {
  const count = Math.round(rate * 3600);
  return { count, rate, errors: Math.round(count * error_rate), error_rate, client_errors: 0.01, cancelled: 0.002, p50: p95 * 0.45, p95, p99: p95 * 1.2 };
};

export function routes(now, isBad) {
  const rows = NAMES.map(([method, route, rate, p95], i) => {
    const moved = isBad && i < 3 ? 3.2 - i : 1;
    const error_rate = isBad && i === 0 ? 0.49 : 0.001 * i;
    const p95_curve = Array.from({ length: 30 }, (_, n) => p95 * (1 + Math.sin(n * 1.7) * 0.1) * (n > 22 ? moved : 1));
    return { method, route, ...figures(rate, p95 * moved, error_rate), time_share: 1 / (i + 2), error_share: i === 0 && isBad ? 0.91 : 0.02, before: figures(rate, p95, 0.001), p95_curve };
  });
  return { at: now, range: { from: now - 3_600_000, to: now, live: true }, count: rows.length, start: now - 3_600_000, step_ms: 120_000, routes: rows, failed: null };
}

export function route(now, isBad, name, sections) {
  const row = routes(now, isBad).routes.find((it) => it.method === name.method && it.route === name.route) ?? { ...figures(0, 0, 0), before: null, time_share: null };
  const at = (of) => Array.from({ length: STEPS }, (_, n) => of * (1 + Math.sin(n * 2.3) * 0.08) * (isBad && n > 96 ? 3 : 1) / (isBad ? 3 : 1));
  const flat = (of, from = 0) => Array.from({ length: STEPS }, (_, n) => (n < from ? null : of * (1 + Math.sin(n) * 0.05)));
  return {
    at: now, range: { from: now - 3_600_000, to: now, live: true }, ...name, figures: row, time_share: row.time_share, before: row.before,
    start: now - 3_600_000, step_ms: 30_000, p50: at(row.p50), p95: at(row.p95), p99: at(row.p99),
    answers: { errors: isBad ? flat(20, 97) : flat(0.1), cancelled: flat(0.6), client_errors: flat(1.5), others: flat(row.rate * 0.6) },
    statuses: [{ status: '200', outcome: 'completed', count: 90_214 }, { status: '500', outcome: 'completed', count: 14_906 }, { status: '', outcome: 'cancelled', count: 402 }],
    deploy: { at: now - 14 * 60_000, text: 'v1.4.3', length_ms: 14 * 60_000, before: row.before ?? row, after: row },
    queries: [
      { system: 'postgresql', namespace: 'content', summary: 'SELECT content_versions', text: 'SELECT * FROM content_versions WHERE content_id = $1', calls: 90_000, all_calls: 120_000, errors: 11_640, p95: isBad ? 1.99 : 0.014, total: 9_000 },
      { system: 'postgresql', namespace: 'content', summary: 'INSERT content', text: 'INSERT INTO content (..) VALUES (..)', calls: 45_000, all_calls: 45_000, errors: 0, p95: 0.006, total: 200 },
    ],
    calls: [{ service: 'openai', calls: 80_000, all_calls: 90_000, state: isBad ? 'down' : 'up', p95: 0.98, error_rate: 0.01 }], heat: heat(now, isBad),
    errors: sections.errors.slice(0, 3), traces: sections.traces.slice(0, 5), logs: sections.logs.slice(0, 5), markers: sections.markers, failed: null,
  };
}
