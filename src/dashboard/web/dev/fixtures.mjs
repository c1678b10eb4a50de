// Documents to look at the page with. Seeded, so that two runs look alike.

import { counts } from './errors.mjs';

export const SIGNALS = ['requests', 'response_time', 'error_rate', 'users', 'cpu', 'memory', 'connections'];
const STEP = 10_000;
const STEPS = { '15m': [10_000, 90], '1h': [10_000, 360], '6h': [60_000, 360], '24h': [240_000, 360], '7d': [1_800_000, 336], '30d': [7_200_000, 360] };

function random(seed) {
  let s = seed;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A value at a time, the same whenever it is asked for. */
function at(time, seed, base, spread) {
  const noise = (n) => random((n * 2654435761 + seed) | 0)();
  const k = time / STEP;
  const near = (noise(Math.floor(k)) + noise(Math.floor(k / 3)) + noise(Math.floor(k / 12))) / 3 - 0.5;
  return base * (1 + 0.06 * Math.sin(time / 3_000_000 + seed)) + near * 2 * spread;
}

const ramp = (time, from, to) => (time <= from ? 0 : time >= to ? 1 : (1 - Math.cos(((time - from) / (to - from)) * Math.PI)) / 2);
const digits = (value) => Number(value.toPrecision(4));

export class Scene {
  constructor(name, begun = Date.now()) {
    this.name = name;
    this.begun = begun;
    // When the incident began: 14 minutes before the start of this server.
    this.bad = name === 'incident' ? begun - 14 * 60_000 : Infinity;
    this.deployed = this.bad === Infinity ? begun - 38 * 60_000 : this.bad - 2 * 60_000;
    this.sent = { traces: [], errors: [], logs: [] };
    this.requested = name !== 'empty';
  }

  value(signal, time) {
    if (!this.requested && ['requests', 'response_time', 'error_rate', 'users', 'connections'].includes(signal)) return null;
    if (this.name === 'empty') {
      if (time < this.begun - 41_000) return null;
      return signal === 'cpu' ? 0.02 : signal === 'memory' ? 0.18 : null;
    }
    if (this.name === 'gap' && time > this.begun - 24 * 60_000 && time < this.begun - 16 * 60_000) return null;
    const b = this.bad;
    const min = 60_000;
    const odd = this.name === 'healthy' && signal === 'memory' ? Math.max(0, time - (this.begun - 35 * min)) / (35 * min) : 0;
    const raw = {
      requests: () => at(time, 3, 406, 26) * (1 - 0.07 * ramp(time, b, b + 5 * min)),
      response_time: () => at(time, 7, 0.206, 0.02) + 0.4 * ramp(time, b, b + 3 * min) + 0.77 * ramp(time, b + 5 * min, b + 11 * min),
      error_rate: () => at(time, 11, 0.002, 0.001) + at(time, 12, 0.066, 0.006) * ramp(time, b, b + 2 * min),
      users: () => at(time, 13, 1260, 40),
      cpu: () => at(time, 17, 0.34, 0.04) * (1 - 0.07 * ramp(time, b, b + 5 * min)),
      memory: () => at(time, 19, 0.52, 0.008) + 0.09 * odd,
      connections: () => Math.round(at(time, 23, 23, 5) + 60 * ramp(time, b, b + 6 * min)),
    }[signal];
    return digits(Math.max(0, raw()));
  }

  values(start, step, n) {
    return Object.fromEntries(SIGNALS.map((s) => [s, Array.from({ length: n }, (_, i) => this.value(s, start + (i + 1) * step))]));
  }

  series(query, now) {
    const relative = STEPS[query.get('range') ?? '1h'];
    let [step, n, end] = [...(relative ?? STEPS['1h']), now];
    if (query.has('from')) {
      const [from, to] = [Number(query.get('from')), Number(query.get('to'))];
      step = Math.max(STEP, Math.ceil((to - from) / 360 / STEP) * STEP);
      n = Math.max(1, Math.floor((to - from) / step));
      end = to;
    }
    const start = Math.floor(end / step) * step - n * step;
    const failed = this.name === 'failed' ? 'a checksum does not match' : null;
    const values = this.values(start, step, n);
    if (failed !== null) for (const signal of SIGNALS) values[signal].fill(null);
    const normal = {};
    if (this.name === 'incident' || this.name === 'healthy') {
      const bands = { requests: [340, 470], response_time: [0.173, 0.24], error_rate: [0, 0.004], users: [1150, 1370], cpu: [0.26, 0.42], memory: [0.49, 0.55], connections: [14, 32] };
      for (const [signal, [low, high]] of Object.entries(bands)) {
        const wave = (edge) => Array.from({ length: n }, (_, i) => digits(edge * (1 + 0.04 * Math.sin((start + i * step) / 3_000_000))));
        normal[signal] = { low: wave(low), high: wave(high) };
      }
    }
    const gaps = this.name === 'gap' ? [{ from: this.begun - 24 * 60_000, to: this.begun - 16 * 60_000, reason: 'stopped' }] : [];
    return { start, step_ms: step, values, normal, gaps, data_from: null, failed };
  }

  points(now) {
    const end = Math.floor(now / STEP) * STEP;
    return { start: end - 12 * STEP, step_ms: STEP, values: this.values(end - 12 * STEP, STEP, 12) };
  }

  card(signal, now, lines = [null, null], more = {}) {
    const value = this.value(signal, now);
    const missing = value !== null ? null : signal === 'users' ? 'no_hook' : signal === 'connections' ? 'no_pool' : 'no_requests';
    const week = now - 7 * 86_400_000;
    const before = value === null || this.name === 'empty' ? null : { value: digits(value * (this.bad < now ? 0.97 : 1.03)), from: week, to: week + 3_600_000 };
    const rule = { error_rate: 'high-error-rate', response_time: 'slow-response', memory: 'memory-leak', connections: 'database-connection-pool' }[signal] ?? null;
    const drawn = lines.flatMap((line, i) => (line === null ? [] : [{ value: line, state: i === 0 ? 'warning' : 'critical', rule: i === 1 ? rule : null, for: i === 1 && rule !== null ? 60 : null }]));
    const alert = this.bad < now && signal === 'error_rate' ? this.alerts(now).alerts[0] : null;
    const state = alert !== null ? 'critical' : rule === null ? null : 'ok';
    return { value, missing, state, warning: lines[0], critical: lines[1], lines: drawn, alert, before, normal: null, error: null, last_at: null, ...more };
  }

  cards(now) {
    const some = this.requested;
    const isBad = this.bad < now;
    const checks = [
      { name: 'ready', kind: 'ready', state: isBad ? 'critical' : 'ok', text: '', used: null },
      { name: 'database', kind: 'check', state: isBad ? 'critical' : 'ok', text: isBad ? 'timed out after 2 s: waiting for a connection' : '', used: null },
      { name: 'worker', kind: 'worker', state: 'ok', text: '', used: null },
      { name: 'disk', kind: 'disk', state: 'ok', text: '', used: 0.38 },
    ].filter((check) => some || check.kind !== 'check');
    return {
      health: { state: isBad ? 'critical' : 'ok', checks, passing: isBad ? 5 : 7, total: 7 },
      requests: this.card('requests', now, [1000, 2000]),
      response_time: { ...this.card('response_time', now, [0.5, 1]), p50: some ? 0.084 : null, p99: some ? 0.45 : null },
      error_rate: { ...this.card('error_rate', now, [0.01, 0.05]), client_errors: some ? 0.031 : null, cancelled: some ? 0.004 : null },
      users: { ...this.card('users', now, [null, null], { error: some ? 0.02 : null }), day: some ? 9410 : null },
      cpu: { ...this.card('cpu', now, [0.7, 0.9]), cores_used: some ? 2.7 : 0.2, cores: 8 },
      memory: {
        ...this.card('memory', now, [0.8, 0.95], this.name === 'healthy' ? { state: 'odd', normal: { low: 0.51, high: 0.54 } } : {}),
        used: some ? 654_000_000 : 98_566_144,
        limit: 1_073_741_824,
      },
      connections: { ...this.card('connections', now, [null, 90]), max: some ? 100 : null, waiting: some ? (isBad ? 17 : 0) : null, acquire_p95: some ? (isBad ? 0.21 : 0.0002) : null },
    };
  }

  alerts(now) {
    const blank = { card: null, fires_at: null, resolved_at: null, labels: [], acknowledged: null, silenced_by: [], inhibited_by: null, no_data: false, failed: false, runbook: 'https://docs.rs/watchpost' };
    const quota = { ...blank, id: '02', rule: 'api-rate-limit', state: 'firing', severity: 'warning', began: this.begun - 4_800_000, since: this.begun - 4_800_000, fired_at: this.begun - 4_800_000, value: 0.81, bound: '>= 0.8', summary: '81 % of the rate limit (day) of api.openai.com is used', labels: [{ name: 'service_peer_name', value: 'api.openai.com' }], matchers: ['alertname=api-rate-limit'], acknowledged: { by: 'dana', comment: 'top-up ordered', at: this.begun - 4_500_000, until: null } };
    if (!this.requested) return { rules: 12, open: 0, open_critical: 0, acknowledged: 0, alerts: [], spans: [] };
    if (!(this.bad < now)) return { rules: 12, open: 0, open_critical: 0, acknowledged: 0, alerts: [quota], spans: [] };
    const errors = { ...blank, id: '01', rule: 'high-error-rate', card: 'error_rate', state: 'firing', severity: 'critical', began: this.bad + 60_000, since: this.bad + 120_000, fired_at: this.bad + 120_000, value: 0.068, bound: '> 0.05', summary: '6.8 % of the requests of five minutes failed', matchers: ['alertname=high-error-rate'] };
    const slow = { ...blank, id: '03', rule: 'slow-response', card: 'response_time', state: 'pending', severity: 'warning', began: now - 220_000, since: now - 220_000, fired_at: null, fires_at: now + 80_000, value: 1.38, bound: '> 1', summary: 'The slowest 5 % of the responses take more than 1.38 s', matchers: ['alertname=slow-response'] };
    const span = { rule: 'high-error-rate', card: 'error_rate', severity: 'critical' };
    return { rules: 12, open: 1, open_critical: 1, acknowledged: 0, alerts: [errors, quota, slow], spans: [{ ...span, state: 'pending', from: this.bad + 60_000, to: this.bad + 120_000 }, { ...span, state: 'firing', from: this.bad + 120_000, to: null }, { rule: 'slow-response', card: 'response_time', severity: 'warning', state: 'pending', from: now - 220_000, to: null }] };
  }

  verdict(now) {
    if (!this.requested) return { state: 'waiting', since: null, uptime: (now - this.begun + 41_000) / 1000, reasons: [], reason_count: 0, where: null, slow: null };
    if (this.bad < now) {
      const reasons = [{ kind: 'alert', name: 'high-error-rate', state: 'critical', text: '6.8 % of the requests of five minutes failed', alert: '01', card: 'error_rate' }, { kind: 'check', name: 'database', state: 'critical', text: 'timed out after 2 s: waiting for a connection', alert: null, card: null }];
      return { state: 'critical', since: this.bad, uptime: 1_000_000, reasons, reason_count: reasons.length, where: { method: 'POST', route: '/api/content/generate', share: 0.91 }, slow: null };
    }
    return { state: 'healthy', since: this.begun - 160 * 60_000, uptime: (now - this.deployed) / 1000, reasons: [], reason_count: 0, where: null, slow: null };
  }

  day(now) {
    const step = 300_000;
    const start = Math.floor(now / step) * step - 288 * step;
    const load = Array.from({ length: 288 }, (_, i) => {
      if (!this.requested) return null;
      const time = start + (i + 1) * step;
      return digits((at(time, 61, 300, 30) * (1 + 0.5 * Math.sin(time / 13_750_000))) / 1.2);
    });
    const states = this.name === 'empty' ? [] : [{ from: now - 44 * 960_000, to: now - 43 * 960_000, state: 'warning' }];
    if (this.bad < now) states.push({ from: this.bad, to: null, state: 'critical' });
    return { start, step_ms: step, load, states };
  }

  markers(now) {
    if (this.name === 'empty') return [];
    return [
      { at: now - 70_000_000, kind: 'deploy', text: 'v1.4.1' },
      { at: this.begun - 19_000_000, kind: 'deploy', text: this.bad === Infinity ? '' : 'v1.4.2' },
      { at: this.deployed, kind: 'deploy', text: this.bad === Infinity ? 'v1.4.2' : 'v1.4.3' },
    ];
  }

  changes() {
    if (this.name === 'empty') return [{ at: this.begun - 41_000, kind: 'start', subject: 'v0.1.0', text: '', state: null, count: null, before: null, error: null }];
    const list = [
      { at: this.deployed, kind: 'deploy', subject: this.bad === Infinity ? 'v1.4.2' : 'v1.4.3', text: 'First start of this version', state: null, count: null, before: this.bad === Infinity ? 'v1.4.1' : 'v1.4.2', error: null },
      { at: this.deployed - 840_000, kind: 'new_route', subject: 'GET /api/taxonomy/export', text: '', state: null, count: 38, before: null, error: null },
    ];
    if (this.bad < Date.now()) {
      list.unshift(
        { at: this.bad + 60_000, kind: 'check', subject: 'database', text: 'timed out after 2 s: waiting for a connection', state: 'critical', count: null, before: null, error: null },
        { at: this.bad + 30_000, kind: 'new_error', subject: 'StatementTimeout', text: 'canceling statement due to statement timeout', state: null, count: 11_640, before: null, error: '11' },
      );
    }
    return list;
  }

  services(now) {
    const isBad = this.bad < now;
    const blank = { text: '', rate: null, p95: null, error_rate: null, used: null, max: null, limit_used: null, limit: null, delivered_at: null, queued: null, dropped: null, strip: null };
    const flat = '-'.repeat(60);
    const self = { ...blank, name: 'contentmax', kind: 'self', state: isBad ? 'critical' : 'ok', word: isBad ? 'failing' : 'up', rate: this.value('requests', now), p95: this.value('response_time', now), error_rate: this.value('error_rate', now), strip: isBad ? '-'.repeat(46) + 'ww' + 'c'.repeat(12) : flat };
    const log = { ...blank, name: 'console', kind: 'sink', state: 'ok', word: 'up', rate: this.requested ? 448 : null, delivered_at: now - 1000, queued: 0, dropped: 0 };
    if (!this.requested) return [{ ...self, rate: null, p95: null, error_rate: null, strip: null }, log];
    return [
      self,
      { ...blank, name: 'main', kind: 'pool', state: isBad ? 'critical' : 'ok', word: isBad ? 'slow' : 'up', text: isBad ? '17 requests wait for a connection' : '', rate: 2110, p95: isBad ? 1.9 : 0.014, error_rate: isBad ? 0.059 : 0, used: this.value('connections', now), max: 100, strip: isBad ? '-'.repeat(44) + 'wwww' + 'c'.repeat(12) : flat },
      { ...blank, name: 'redis', kind: 'database', state: 'ok', word: 'up', rate: 3960, p95: 0.0008, error_rate: 0, strip: flat },
      { ...blank, name: 'api.openai.com', kind: 'external', state: 'warning', word: 'limited', text: 'the daily limit is used to 81 %', rate: 6.2, p95: 2.4, error_rate: 0.003, limit_used: 0.81, limit: 'requests a day', strip: '-'.repeat(20) + 'w'.repeat(40) },
      { ...blank, name: 's3 content-media', kind: 'external', state: null, word: 'unknown', text: 'not called in the last five minutes' },
      log,
    ].slice(0, 6);
  }

  sections(now) {
    const isBad = this.bad < now;
    const id = (n) => (0x4f1c00000000n + BigInt(n) * 7919n).toString(16).padStart(32, '0');
    const routes = [['POST', '/api/content/generate'], ['POST', '/api/import/csv'], ['GET', '/api/content/{id}'], ['GET', '/api/products']];
    const running = this.requested ? Array.from({ length: 5 }, (_, i) => ({ method: null, route: routes[i % 4][1], trace_id: id(i + (Math.floor(now / 3000) % 50)), running_for: digits((isBad ? 4.1 : 0.6) / (i + 1) + (now % 3000) / 9000), polled_for: i === 3 ? 0.12 : null })) : [];
    const traces = this.requested ? Array.from({ length: 5 }, (_, i) => ({ trace_id: id(i + 900), at: now - i * 21_000 - (now % 21_000), method: routes[i % 4][0], route: routes[i % 4][1], duration: digits(2.31 - i * 0.3), status: i === 2 ? 200 : isBad ? 500 : 200, failed: isBad && i !== 2, kept: isBad && i !== 2 ? 'error' : 'slow' })) : [];
    const errors = this.requested
      ? [
          { id: '11', type: 'sqlx::Error::StatementTimeout', message: 'canceling statement due to statement timeout', location: 'src/content/versions.rs:88', route: '/api/content/generate', count: isBad ? 11_640 + Math.floor((now - this.begun) / 400) : 3, first_at: isBad ? this.bad : now - 9_000_000, last_at: now - 900, trace_id: id(900), mark: isBad ? 'new' : null },
          { id: '12', type: 'GenerateError', message: 'upstream 500', location: 'src/content/generate.rs:41', route: '/api/content/generate', count: 4090, first_at: now - 1e9, last_at: now - 5000, trace_id: null, mark: isBad ? 'rising' : null },
          { id: '13', type: 'csv::Error', message: 'record 8,112 has 6 fields', location: 'src/import/csv.rs:17', route: '/api/import/csv', count: 590, first_at: now - 1e9, last_at: now - 500_000, trace_id: null, mark: null },
        ]
      : [];
    const words = [['error', 'statement timeout after 2000 ms', 'sqlx::query'], ['error', 'generate failed: upstream 500', 'content::generate'], ['warn', 'slow query: 1,998 ms', 'sqlx::query'], ['info', 'content 81c2 published', 'content::publish'], ['info', 'session refreshed', 'auth::session']];
    const logs = this.requested ? words.slice(isBad ? 0 : 2).map(([level, message, target], i) => ({ at: now - i * 700, level, target, message, trace_id: id(i), event_id: level === 'error' && isBad ? '0000000000000000000000000000001' + i : null })) : [];
    const anomalies = this.name === 'healthy' ? [{ id: 'a1', episode: '1', text: '', route: null, signal: 'memory', from: this.begun - 35 * 60_000, to: null, value: this.value('memory', now), normal: { low: 0.51, high: 0.54 }, also: [] }] : isBad ? [{ id: 'a2', episode: '2', text: '', route: null, signal: 'response_time', from: this.bad, to: null, value: this.value('response_time', now), normal: { low: 0.173, high: 0.227 }, also: ['error_rate', 'connections'] }, { id: 'a3', episode: '2', text: '', route: null, signal: 'connections', from: this.bad, to: null, value: 84, normal: { low: 16, high: 30 }, also: [] }] : [];
    const cost = { cpu: isBad ? 0.007 : 0.004, memory: 11_534_336, dropped: isBad ? 212 : 0, drops: isBad ? [{ signal: 'span', reason: 'queue_full', count: 212 }] : [], clients: 1 };
    const setup = {
      has_requests: this.requested,
      mount: '/monitoring',
      steps: [{ name: 'install', done: true }, { name: 'mount', done: true }, { name: 'layer', done: this.requested }],
      parts: [
        { name: 'metrics', state: 'on', text: '' },
        { name: 'history', state: 'on', text: '' },
        { name: 'data_dir', state: 'problem', text: 'Kept in memory only. Set WATCHPOST_DATA_DIR.' },
        { name: 'otlp', state: 'off', text: '' },
        { name: 'sentry', state: 'off', text: '' },
      ],
      findings: [],
    };
    return { verdict: this.verdict(now), alerts: this.alerts(now), cards: this.cards(now), points: this.points(now), day: this.day(now), changes: this.changes(), services: this.services(now), running: { count: this.requested ? (isBad ? 204 : 31) : 0, requests: running }, traces: [...this.sent.traces, ...traces], errors: [...this.sent.errors, ...errors], groups: counts(now, isBad), logs: [...this.sent.logs, ...logs], anomalies, markers: this.markers(now), cost, setup };
  }
}
