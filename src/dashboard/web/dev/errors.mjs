// Made-up documents of the groups of errors. Some texts are hostile: they must appear as text.

const MINUTE = 60_000;
const frame = (name, file, line, in_app = true) => ({ function: name, file, line, in_app });

const bars = {
  late: (n) => Array.from({ length: n }, (_, i) => (i < n * 0.8 ? 0 : Math.round(180 + 60 * Math.sin(i * 2.1)))),
  rising: (n) => Array.from({ length: n }, (_, i) => (i < n * 0.8 ? 8 + (i % 3) : Math.round(60 + 20 * Math.sin(i)))),
  even: (n) => Array.from({ length: n }, (_, i) => Math.round(9 + 4 * Math.sin(i * 1.7))),
  rare: (n) => Array.from({ length: n }, (_, i) => (i % 17 === 3 ? 2 : 0)),
  none: (n) => Array.from({ length: n }, () => 0),
};

const GROUPS = [
  ['11', 'sqlx::Error::StatementTimeout', 'canceling statement due to statement timeout', 'src/content/versions.rs:88:10', 'content::versions::latest', '/api/content/generate', 611, 'late', { is_new: true }],
  ['12', 'sqlx::Error::AcquireTimeout', 'pool timed out after 5 s', 'src/db/pool.rs:31:5', 'db::pool::acquire', '/api/content/generate', 288, 'late', { is_new: true }],
  ['13', 'GenerateError', 'Upstream(500)', 'src/content/generate.rs:41:9', 'content::generate::run', '/api/content/generate', 340, 'rising', { is_spiking: true }],
  ['14', 'JwtError', 'ExpiredSignature', 'src/auth/session.rs:12:1', 'auth::session::verify', '/api/content/{id}', 22, 'rare', { state: 'regressed' }],
  ['15', 'csv::Error', 'record 8,112 has 6 fields, expected 7', 'src/import/csv.rs:17:1', 'import::csv::parse', '/api/import/csv', 4, 'even', {}],
  ['16', 'S3Error', '<img src=x onerror=alert(1)> SlowDown', 'src/media.rs:7:1', null, '', 19, 'rare', {}],
  ['17', '', 'the quota of tokens is used up', 'src/quota.rs:3:1', null, '', 0, 'rare', { state: 'muted', kind: 'message' }],
  ['18', 'panic', 'index out of bounds: the len is 3 but the index is 3', 'src/seo.rs:44:9', 'seo::score', '/api/search', 7, 'none', { state: 'resolved', kind: 'panic' }],
];

const states = (now) => ({
  open: { name: 'open' },
  regressed: { name: 'regressed', at: now - 40 * MINUTE, resolved_at: now - 2000 * MINUTE },
  muted: { name: 'muted', at: now - 90 * MINUTE, mute: { events: 100, period: 3600 } },
  resolved: { name: 'resolved', at: now - 300 * MINUTE, resolution: { in: 'this_release', release: 'v1.4.2' } },
});

function steps(now, query) {
  const isHour = ['15m', '1h'].includes(query.get('range') ?? '1h');
  const step = isHour ? MINUTE : 60 * MINUTE;
  const n = isHour ? 60 : 24;
  const start = (Math.floor(now / step) + 1 - n) * step;
  return { n, at: now, range: { from: now - n * step, to: now, live: true }, start, step_ms: step, is_cut: query.get('range') === '30d', storage: 'stored' };
}

function row(now, n, [id, type, message, location, culprit, route, users, shape, { is_new = false, is_spiking = false, state = 'open', kind = 'error' }]) {
  const curve = bars[shape](n);
  const in_range = curve.reduce((a, b) => a + b, 0);
  return {
    id, kind, type, message, location, culprit, route, count: in_range * (is_new ? 1 : 7) + 3, in_range, users, first_at: is_new ? now - 11 * MINUTE : now - 9_000 * MINUTE, last_at: now - 1000 * (Number(id) % 7) * 9,
    is_new, is_spiking, state: states(now)[state], last_resolution: state === 'regressed' ? { in: 'this_release', release: 'v1.4.0' } : null, releases: is_new ? ['v1.4.3'] : ['v1.4.2', 'v1.4.3'], trace_id: id === '16' ? null : '4f1c00000000000000000000000e9e02', curve,
  };
}

const selects = {
  open: (it) => ['open', 'regressed'].includes(it.state.name), new: (it) => it.is_new, spiking: (it) => it.is_spiking, regressed: (it) => it.state.name === 'regressed',
  muted: (it) => it.state.name === 'muted', resolved: (it) => it.state.name === 'resolved', all: () => true,
};

export function counts(now, isBad) {
  const rows = (isBad ? GROUPS : []).map((it) => row(now, 60, it));
  return Object.fromEntries(Object.entries(selects).map(([name, is]) => [name, rows.filter(is).length]));
}

export function list(now, query, isEmpty) {
  const { n, ...head } = steps(now, query);
  const rows = (isEmpty ? [] : GROUPS).map((it) => row(now, n, it)).filter((it) => `${it.type} ${it.message} ${it.location}`.toLowerCase().includes((query.get('text') ?? '').toLowerCase()));
  const groups = rows.filter(selects[query.get('state') ?? 'open']);
  const all = Object.fromEntries(Object.entries(selects).map(([name, is]) => [name, rows.filter(is).length]));
  return { ...head, counts: all, known: isEmpty ? 0 : GROUPS.length, count: groups.length, events: rows.reduce((sum, it) => sum + it.in_range, 0), groups, routes: ['/api/content/generate', '/api/content/{id}', '/api/import/csv', ''], releases: ['v1.4.3', 'v1.4.2'] };
}

export function one(now, query) {
  const { n, ...head } = steps(now, query);
  const known = GROUPS.find(([id]) => id === (query.get('id') ?? '11'));
  if (known === undefined) return { ...head, release: 'v1.4.3', group: null };
  const of = row(now, n, known);
  const frames = of.culprit === null ? [] : [
    frame('sqlx_core::executor::fetch_all', '', 0, false), frame(of.culprit, of.location.split(':')[0], 88), frame('content::generate::run', 'src/content/generate.rs', 142),
    frame('api::content::generate', 'src/api/content.rs', 61), frame('<axum::handler::Layered as tower::Service>::call', '', 0, false), ...Array.from({ length: 12 }, () => frame('tokio::runtime::task::harness::poll', '/rustc/library/task.rs', 400, false)),
  ];
  const crumb = (at, level, message, fields = []) => ({ at: now + at * 1000, at_us: at * 1e6, level, target: 'content::generate', message, fields });
  const breadcrumbs = [crumb(-2.302, 'info', 'request started'), crumb(-2.046, 'info', 'brief 7712 loaded, 4 brand rules', [{ key: 'brief', value: '7712' }]), crumb(-1, 'warn', 'slow query: 1,000 ms and running'), crumb(0, 'error', '<script>alert(1)</script> canceling statement (57014)')];
  const event = (i) => ({ id: `${i}`.padStart(32, 'a'), at: now - i * 100_000, method: 'POST', route: of.route, path: of.route.replace('{id}', '17'), user: `u-${i}`, trace_id: of.trace_id, message: of.message });
  const sample = { ...event(1), level: 'error', location: of.location, thread: 'tokio-rt-worker', query: '', truncated: false, causes: [{ type: of.type, message: of.message }, { type: 'PgDatabaseError', message: 'canceling statement due to statement timeout' }], frame_count: frames.length, frames, breadcrumbs, tags: [{ key: 'tenant', value: 'acme' }] };
  const of_names = (names) => ({ names: names.map(([name, share]) => ({ name, count: Math.round(of.count * share) })), other: 0 });
  const all = states(now);
  const changes = [{ at: now - 40 * MINUTE, state: all.regressed, by: '', comment: '' }, { at: now - 2000 * MINUTE, state: { ...all.resolved, at: now - 2000 * MINUTE }, by: 'dana', comment: 'the refresh no longer races' }, { at: now - 3000 * MINUTE, state: all.muted, by: 'lee', comment: '' }];
  return {
    ...head, release: 'v1.4.3',
    group: { ...of, grouped_by: of.culprit === null ? 'message' : 'frames', grouping_version: 1, in_five_minutes: of.curve.slice(-5).reduce((a, b) => a + b, 0), routes: of_names([[of.route, 0.98], ['/api/content/{id}', 0.02]]), in_releases: of_names(of.is_new ? [['v1.4.3', 1]] : [['v1.4.2', 0.7], ['v1.4.3', 0.3]]), environments: of_names([['production', 1]]), changes: of.state.name === 'regressed' ? changes : [], sample: of.id === '17' ? null : sample, samples: of.id === '17' ? [] : Array.from({ length: 5 }, (_, i) => event(i + 1)) },
  };
}
