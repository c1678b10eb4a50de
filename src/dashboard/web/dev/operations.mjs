// Made-up documents of statements, pools and calls. Some texts are hostile: they must appear as text.

const STEPS = 90;
const STEP = 40_000;
const flat = (of, from = 0) => Array.from({ length: STEPS }, (_, n) => (n < from ? null : of * (1 + Math.sin(n * 1.3) * 0.1)));
const period = (now) => ({ at: now, range: { from: now - STEPS * STEP, to: now, live: true }, start: now - STEPS * STEP, step_ms: STEP });
const figures = (rate, mean, error_rate = 0) => {
  const count = Math.round(rate * 3600);
  return { count, rate, errors: Math.round(count * error_rate), error_rate, cancelled: 0, total: count * mean, mean, p50: mean * 0.8, p95: mean * 2.4, p99: mean * 4 };
};
const caller = (route, calls, method = 'GET') => ({ route, method, calls });

const STATEMENTS = [
  ['SELECT content_versions', 40, 0.031, 0.004, [caller('/api/content/{id}', 90_000), caller('/api/content/generate', 41_000, 'POST'), caller('/api/taxonomy/tree', 12_000)]],
  ['SELECT comments', 130, 0.0021, 0, [caller('/api/content/{id}', 410_000)]],
  ['INSERT content', 20, 0.006, 0, [caller('/api/content/generate', 45_000, 'POST')]],
  ['SELECT "<img src=x onerror=alert(1)>"', 2, 0.0008, 0, [caller('<script>alert(1)</script>', 900)]],
  ['_other', 0.2, 0.0005, 0, []],
];

const statement = ([summary, rate, mean, error_rate, callers], isBad) => ({
  system: 'postgresql', namespace: 'content', summary, is_other: summary === '_other', ...figures(rate, mean * (isBad && summary.endsWith('versions') ? 60 : 1), error_rate),
  time_share: rate * mean / 1.7, texts_known: callers.length === 0 ? 0 : 1, calls_since_start: callers.length === 0 ? null : 100_000, rows_since_start: callers.length === 0 ? null : 240_000,
  callers, other_callers: summary === 'SELECT content_versions' ? 340 : 0, in_loop: summary === 'SELECT comments',
});

export function statements(now, isBad) {
  const rows = STATEMENTS.map((it) => statement(it, isBad)).sort((a, b) => b.total - a.total);
  const loops = [{ route: '/api/content/{id}', method: 'GET', count: 3_204, requests: 471_000, queries_per_request: 6.9, summary: 'SELECT comments', trace_id: '4f1c00000000000000000000000e9e02' }];
  return { ...period(now), count: rows.length, total: 6120, statements: rows, loops, failed: null };
}

export function oneStatement(now, isBad, name, sections) {
  const row = statements(now, isBad).statements.find((it) => it.summary === name.summary) ?? { ...figures(0, 0), time_share: null, callers: [], other_callers: 0, texts_known: 0, calls_since_start: null, rows_since_start: null, in_loop: false, is_other: false };
  return {
    ...period(now), ...name, ...row, figures: row, before: null, p50: flat(row.p50 ?? 0), p95: flat(row.p95 ?? 0), p99: flat(row.p99 ?? 0), ends: { errors: flat(0.2), cancelled: flat(0), others: flat(row.rate ?? 0) },
    texts: row.texts_known === 0 ? [] : [{ text: `SELECT * FROM content_versions WHERE content_id = ? ORDER BY version DESC LIMIT ? -- ${name.summary}`, calls: 143_000, errors: 11, rows: 240_000, total: 9000, p50: 0.02, p95: 0.07, max: 2.4, slowest_trace_id: '4f1c00000000000000000000000e9e02' }],
    traces: sections.traces.slice(0, 4), markers: sections.markers, failed: null,
  };
}

export function pools(now, isBad, sections) {
  const used = isBad ? 20 : 7;
  const pool = { name: 'main', is_other: false, used, idle: 20 - used, most_used: isBad ? 20 : 11, max: 20, waiting: isBad ? 14 : 0, most_waiting: isBad ? 31 : 0, acquired: 812_000, wait_p50: 0.0001, wait_p95: isBad ? 0.84 : 0.0004, timeouts: isBad ? 312 : 0 };
  return { ...period(now), count: 1, pools: [{ ...pool, used_curve: flat(used), waiting_curve: flat(pool.waiting), wait_p95_curve: flat(pool.wait_p95) }], markers: sections.markers };
}

export function calls(now, isBad) {
  const service = (name, rate, mean, error_rate, more = {}) => ({ service: name, is_other: false, ...figures(rate, mean, error_rate), state: 'up', reason: '', calls_since_start: 90_000, recent_rate: rate, recent_error_rate: error_rate, last_error: null, last_error_at: null, limits: [], callers: [caller('/api/content/generate', 80_000, 'POST'), caller('', 10_000, null)], other_callers: 0, p95_curve: flat(mean * 2.4), ...more });
  const limit = (window, used, max, exhausted_in) => ({ window, limit: max, remaining: Math.round(max * (1 - used)), used, reset_in: 42, exhausted_in });
  const usage = (calls_with_tokens, input_tokens, output_tokens, cost) => ({ calls_with_tokens, input_tokens, output_tokens, cost });
  const bad = { state: 'down', reason: '61 % of the last 256 calls failed.', last_error: '503', last_error_at: now - 20_000 };
  return {
    ...period(now), count: 3,
    services: [
      service('mailer', 2, 0.04, 0),
      service('openai', 12, 0.41, isBad ? 0.6 : 0.01, { ...(isBad ? bad : {}), limits: [limit('requests', 0.31, 10_000, null), limit('tokens', 0.92, 2_000_000, 180)] }),
      service('<b>hostile</b>', 0, 0, 0, { state: null, p95_curve: [] }),
    ],
    models: [{ service: 'openai', model: 'small-1', is_other: false, ...figures(12, 0.41, 0.01), ...usage(42_000, 31_000_000, 8_100_000, 214.3), routes: [{ ...caller('/api/content/generate', 40_000, 'POST'), ...usage(40_000, 30_000_000, 8_000_000, 210.1) }, { ...caller('', 2_000, null), ...usage(2_000, 1_000_000, 100_000, 4.2) }] }],
    failed: null,
  };
}

/** The cells of a heat map with two groups of requests. */
export function heat(now, isBad) {
  const bounds = [0.01, 0.016, 0.025, 0.04, 0.063, 0.1, 0.16, 0.25, 0.4, 0.63, 1, 1.6, 2.5];
  const near = (place, middle, most) => Math.round(most * Math.exp(-((place - middle) ** 2) / 2));
  const columns = Array.from({ length: STEPS }, (_, n) => [0, ...bounds].map((_, place) => (place === 0 ? 0 : near(place, 4 + Math.sin(n / 9), 220) + (isBad && n > 66 ? near(place, 11, 90) : 0))));
  return { start: now - STEPS * STEP, step_ms: STEP, bounds, columns };
}
