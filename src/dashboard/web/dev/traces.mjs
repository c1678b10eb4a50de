// Made-up documents of traces. The IDs `1`, `50` and `10000` have so many spans, `lost` has no root, `none` is not kept.

const ID = '4f1c8a0b7d2e4e5f93a1c6d0b8f79e02';
const ROUTES = [['POST', '/api/content/generate'], ['GET', '/api/content/{id}'], ['GET', '/api/products'], [null, 'nightly report']];
const KEPT = ['error', 'slow', 'head', 'captured', 'head', 'timeout'];
const hex = (n, length) => Math.abs(Math.sin(n + 1) * 1e16).toString(16).replace('.', '').padEnd(length, '7').slice(0, length);

function rows(now) {
  return Array.from({ length: 50 }, (_, i) => {
    const [method, route] = ROUTES[i % ROUTES.length];
    const kept = KEPT[i % KEPT.length];
    const failed = kept === 'error' || kept === 'timeout';
    const duration = failed ? 2.31 - i / 100 : 0.02 + (i % 7) / 9;
    return { trace_id: i === 0 ? ID : hex(i, 32), at: now - i * 11_000, method, route, duration, status: method === null ? null : failed ? 500 : 200, failed, kept, request_id: i % 3 === 0 ? `01J0QF8V3E6T${i}` : null };
  });
}

export function list(now, query) {
  const range = { from: now - 3_600_000, to: now, live: true };
  const has = (name, test) => !query.get(name) || test(query.get(name));
  const traces = rows(now).filter((row) =>
    has('route', (route) => row.route === route) && has('kept', (kept) => row.kept === kept) &&
    has('status', (status) => row.status !== null && (status.endsWith('xx') ? Math.floor(row.status / 100) === Number(status[0]) : row.status === Number(status))) &&
    has('min_ms', (ms) => row.duration * 1000 >= Number(ms)) && has('max_ms', (ms) => row.duration * 1000 <= Number(ms)) &&
    has('id', (id) => [row.trace_id, row.trace_id.slice(16), row.request_id].includes(id)));
  return { at: now, range, is_stored: true, stored_since: now - 86_400_000, traces, next: query.has('cursor') || traces.length < 50 ? null : 'a-1', failed: null };
}

export function differences(now) {
  const row = (key, value, selected, all) => ({ key, value, selected, all, share_selected: selected / 132, share_all: all / 2000 });
  return {
    at: now, range: { from: now - 3_600_000, to: now, live: true }, selected: 132, all: 2000, by_filter: false,
    rows: [row('content.versions', 'over 1,000', 128, 130), row('http.route', '/api/content/generate', 120, 260), row('plan', 'free', 82, 900)],
  };
}

const span = (depth, label, work, title, start, end, on_path, more = {}) => ({
  id: hex(start + depth * 7 + title.length * 31 + end, 16), depth, below: 0, work, label, title, start_us: start, end_us: end, failed: false, is_orphan: false, on_path, events: 0,
  typical: { start_us: start, end_us: Math.min(end, start + 20_000) },
  details: { name: title, status_message: '', scope: '', left_out: 0, statement: null, attributes: [{ key: 'code.function', value: title }], event_list: [], links: [] }, ...more,
});

function incident() {
  const sql = { name: 'SELECT content_versions', status_message: 'canceling statement due to statement timeout (57014)', scope: '', left_out: 0,
    statement: 'SELECT id, body, status FROM content_versions\n WHERE content_id = $1 AND status <> $2\n ORDER BY created_at DESC LIMIT $3',
    attributes: [{ key: 'db.system.name', value: 'postgresql' }, { key: 'db.response.status_code', value: '57014' }, { key: 'server.address', value: 'pg-primary' }], event_list: [], links: [] };
  return [
    span(0, 'HTTP', 'server', 'POST /api/content/generate', 0, 2_310_000, [[0, 4000], [2_292_000, 2_310_000]], { failed: true, below: 11, typical: { start_us: 0, end_us: 312_000 } }),
    span(1, 'fn', 'code', 'auth::session::verify', 4000, 22_000, [[4000, 6000], [12_000, 22_000]], { below: 1 }),
    span(2, 'KV', 'database', 'GET session:{id}', 6000, 12_000, [[6000, 12_000]]),
    span(1, 'fn', 'code', 'content::generate::run', 22_000, 2_292_000, [[22_000, 26_000], [251_000, 262_000], [2_266_000, 2_292_000]], { failed: true, below: 8 }),
    ...[0, 1, 2, 3].map((n) => span(2, 'SQL', 'database', 'SELECT brand_rules', 26_000 + n * 3000, 29_000 + n * 3000, [[26_000 + n * 3000, 29_000 + n * 3000]])),
    span(2, 'POST', 'call', 'api.openai.com /v1/embeddings', 38_000, 251_000, [[38_000, 251_000]], { typical: { start_us: 38_000, end_us: 243_000 } }),
    span(2, 'fn', 'code', 'content::versions::latest', 262_000, 2_266_000, [[262_000, 264_000], [2_264_000, 2_266_000]], { failed: true, below: 1 }),
    span(3, 'SQL', 'database', 'SELECT content_versions', 264_000, 2_264_000, [[264_000, 2_264_000]], { id: '00000000000000ab', failed: true, details: sql, typical: { start_us: 264_000, end_us: 278_000 } }),
    span(2, 'task', 'task', 'usage::record', 262_000, 301_000, [], {}),
  ];
}

function many(count) {
  const steps = Array.from({ length: count - 1 }, (_, n) => span(1 + (n % 3), 'fn', 'code', `step ${n % 50}`, n * 200, n * 200 + 190, [[n * 200, n * 200 + 190]], { id: hex(n, 8) + n.toString().padStart(8, '0'), details: n < 500 ? undefined : null }));
  for (const step of steps) if (step.details === undefined) step.details = { name: step.title, status_message: '', scope: '', left_out: 0, statement: null, attributes: [{ key: 'step', value: step.title }], event_list: [], links: [] };
  steps.forEach((step, n) => { let below = 0; while (steps[n + 1 + below] !== undefined && steps[n + 1 + below].depth > step.depth) below += 1; step.below = below; });
  return [span(0, 'HTTP', 'server', 'POST /api/content/generate', 0, count * 200, [[(count - 1) * 200, count * 200]], { below: count - 1 }), ...steps];
}

export function trace(now, query) {
  const id = query.get('id') ?? '';
  const count = Number(id);
  const base = { at: now, is_stored: true, stored_since: now - 86_400_000, failed: null, running_for: null };
  if (id === 'none') return { ...base, trace_id: null, lines: 'unknown', logs: [], errors: [], trace: null };
  const spans = id === 'lost' ? incident().slice(3, 6).map((one) => ({ ...one, below: 0, depth: 0, is_orphan: true })) : count > 0 ? many(count) : incident();
  const wanted = query.get('span');
  for (const one of spans) if (one.id === wanted && one.details === null) one.details = { name: one.title, status_message: '', scope: '', left_out: 0, statement: null, attributes: [{ key: 'read', value: 'when it was asked for' }], event_list: [], links: [] };
  const duration_us = Math.max(...spans.map((one) => one.end_us));
  const isIncident = count === 0 || Number.isNaN(count);
  const line = (at_us, level, message) => ({ at: now - 2000 + at_us / 1000, at_us, level, target: 'contentmax::store', message, span_id: '00000000000000ab', fields: [{ key: 'attempt', value: '1' }] });
  return {
    ...base, trace_id: ID, lines: 'complete',
    logs: isIncident ? [line(1_264_000, 'warn', 'slow query: 1,000 ms and running'), line(2_262_000, 'error', 'canceling statement due to statement timeout')] : [],
    errors: isIncident ? [{ id: '1', at: now, at_us: 2_264_000, span_id: '00000000000000ab', location: 'src/content/versions.rs:88:14', causes: [{ type: 'StatementTimeout', message: 'canceling statement due to statement timeout' }], frames: [{ function: 'content::versions::latest', file: 'src/content/versions.rs', line: 88, in_app: true }, { function: 'tokio::runtime::task::poll', file: '', line: 0, in_app: false }] }] : [],
    trace: {
      name: 'POST /api/content/generate', method: 'POST', route: '/api/content/generate', start: now - 60_000, duration_us, took: id === 'lost' ? null : duration_us / 1e6, status: id === 'lost' ? null : 500,
      failed: isIncident, kept: isIncident ? 'error' : 'head', outcome: null, error_type: null, user: 'u_2207', has_root: id !== 'lost', lost_spans: 0, span_count: spans.length, spans,
      typical: { trace_id: hex(3, 32), took: 0.312, of: 500, is_sample: true, span_count: 12, times: [{ title: 'SELECT content_versions', here: 2, typical: 0.014 }], attributes: [{ key: 'service.version', here: 'v1.4.3', typical: 'v1.4.2' }, { key: 'plan', here: 'free', typical: null }] },
    },
  };
}
