// Made-up log lines. Some texts are hostile: they must appear as text.

const KINDS = [
  ['ERROR', 'content::generate', 'generate failed: upstream 500', { 'http.route': '/api/content/generate' }],
  ['ERROR', 'sqlx::query', 'canceling statement due to statement timeout', { 'http.route': '/api/content/generate', code: 57014, 'db.query.summary': 'SELECT content_versions', 'user.id': 'u_2207' }],
  ['WARN', 'sqlx::query', 'slow query: 1,998 ms', { 'http.route': '/api/content/{id}', rows: 12 }],
  ['INFO', null, 'GET /api/products 200 41 ms', { 'http.request.method': 'GET', 'http.route': '/api/products', 'http.response.status_code': 200, duration_ms: 41.2 }],
  ['WARN', 'db::pool', 'pool: 84 of 100 in use, 3 waiting', { trace_id: null }],
  ['INFO', 'content::publish', 'content 81c2 published', { by: 'u_5120' }],
  ['INFO', 'import::csv', '<img src=x onerror=alert(1)> imported 5,120 rows in 2.2 s', { note: '</script><script>alert(1)</script>', 'odd key': true }],
  ['ERROR', null, 'pool timed out', { event_id: 'ab'.repeat(16), 'exception.type': 'sqlx::Error', 'exception.message': 'pool timed out', 'code.file.path': 'src/db.rs', 'code.line.number': 12 }],
  ['DEBUG', 'auth::session', 'session refreshed', { 'user.id': 'u_0911', fresh: true }],
];

const TOTAL = 260;

/** The line with a number, the newest one first. */
function line(now, i) {
  const [level, target, message, more] = KINDS[(i * 5 + (i >> 2)) % KINDS.length];
  const common = { 'service.name': 'contentmax', 'service.version': 'v1.4.3', ...(target === null ? {} : { target }), trace_id: `4f1c${i.toString(16).padStart(24, '0')}9e02`, ...more };
  const fields = Object.fromEntries(Object.entries(common).filter(([, value]) => value !== null));
  return { cursor: `f.${i}`, at: now - i * 137, level, message, fields };
}

const indexOf = (cursor) => Number((cursor ?? 'f.-1').slice(2));
const steps = (query, now) => {
  const lengths = { '15m': 15, '1h': 60, '6h': 360, '24h': 1440, '7d': 10080, '30d': 43200 };
  const from = Number(query.get('from') ?? now - lengths[query.get('range') ?? '1h'] * 60_000);
  const to = Number(query.get('to') ?? now);
  return { start: from, step_ms: (to - from) / 60 };
};

export function answer(path, now, query, isEmpty) {
  const text = query.get('text') ?? '';
  const end = { end: text.includes('slow') ? 'time' : 'complete', reached: text.includes('slow') ? now - 1_200_000 : null };
  if (text.endsWith('(')) return { status: 400, body: { code: 'bad_query', message: `at byte ${text.length}, expected a word`, position: text.length, expected: 'a word, a "phrase", a field or `(`' } };
  if (path === '') {
    const from = indexOf(query.get('cursor')) + 1;
    const lines = isEmpty || text.includes('nothing') ? [] : Array.from({ length: Math.min(100, TOTAL - from) }, (_, i) => line(now, from + i));
    const next = from + 100 < TOTAL && lines.length > 0 ? lines.at(-1).cursor : null;
    return { body: { lines, next, end: next === null ? end.end : 'rows', reached: lines.at(-1)?.at ?? null, source: 'files', looked_at: isEmpty ? 0 : 1432, unreadable: text.includes('damaged') ? 2 : 0 } };
  }
  if (path === '/histogram') {
    const counts = Array.from({ length: 60 }, (_, i) => (isEmpty ? { trace: 0, debug: 0, info: 0, warn: 0, error: 0 } : { trace: 0, debug: i % 7 === 0 ? 3 : 0, info: 24_000 + ((i * 37) % 900), warn: i < 47 ? 40 + (i % 5) * 9 : 2400 + ((i * 131) % 386), error: i < 49 ? (i % 9) * 2 : 1500 + ((i * 71) % 728) }));
    return { body: { ...steps(query, now), counts, ...end } };
  }
  if (path === '/facets') {
    const of = { target: [['http', 1_372_118], ['sqlx::query', 24_321], ['content::generate', 17_110], ['db::pool', 11_402]], 'http.route': [['/api/content/{id}', 472_000], ['/api/products', 367_114], ['/api/content/generate', 173_009]] }[query.get('field')] ?? [];
    return { body: { field: query.get('field'), values: isEmpty ? [] : of.map(([value, count]) => ({ value, count })), others: of.length > 0 && !isEmpty ? 7_713 : 0, missing: 4_201, ...end } };
  }
  if (path === '/patterns') {
    const patterns = KINDS.map(([level, , example], i) => ({ template: example.replace(/\S*\d\S*/g, '<*>'), count: Math.round(40_000 / (i * i + 1)), level, first: now - 3_400_000 + i * 1000, last: now - i * 900, example }));
    return { body: { patterns: isEmpty ? [] : patterns, others: 3, ...end } };
  }
  if (path === '/context') {
    const at = indexOf(query.get('cursor'));
    return { body: { lines: Array.from({ length: 41 }, (_, i) => at + 20 - i).filter((i) => i >= 0).map((i) => line(now, i)) } };
  }
  if (path === '/tail') {
    const isFirst = query.get('cursor') === null;
    const lines = isEmpty ? [] : Array.from({ length: isFirst ? 30 : 3 }, (_, i) => ({ ...line(now, isFirst ? 29 - i : i), cursor: `t.${now}.${i}` }));
    return { body: { lines, next: `t.${now}`, has_more: false } };
  }
  if (path === '/export') return { body: `${JSON.stringify({ message: 'one' })}\n`, headers: { 'watchpost-end': 'rows', 'watchpost-next': 'f.99' } };
  return { status: 404, body: { code: 'not_found', message: 'There is nothing here.' } };
}
