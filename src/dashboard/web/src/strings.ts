/** Every text that the page shows, but for texts that come from the server. */

import type { CardName, SignalName } from './contract';
import { NARROW, clock, clockOrDay, clockSeconds, count, plural, span, weekday, word } from './format';

export const STATE_WORDS = {
  healthy: 'Healthy',
  warning: 'Warning',
  critical: 'Critical',
  waiting: 'Waiting',
  odd: 'Odd',
  ok: 'Up',
  stale: 'Stale',
  loading: 'Loading',
} as const;

export const CARD_TITLES: Record<CardName, string> = {
  health: 'System health',
  requests: 'Requests',
  response_time: 'Response time, p95',
  error_rate: 'Error rate',
  users: 'Active users',
  cpu: 'CPU',
  memory: 'Memory',
  connections: 'Database connections',
};

/** The name of a signal within a sentence. */
export const SIGNAL_NAMES: Record<SignalName, string> = {
  requests: 'requests',
  response_time: 'p95',
  error_rate: 'the error rate',
  users: 'the number of active users',
  cpu: 'CPU',
  memory: 'memory',
  connections: 'the number of database connections',
};

export const MISSING: Record<string, { line: string; note: string }> = {
  no_requests: { line: 'No request yet', note: 'Appears with the first request' },
  no_hook: { line: 'No user hook', note: 'Tell the layer who asks: user hook' },
  no_pool: { line: 'No pool registered', note: 'Add it: monitor.watch_pool("main", &pool)' },
  no_data: { line: 'No data in this range', note: 'A dash is not a zero' },
  unsupported: { line: 'Not available on this system', note: '' },
};

export const SERVICE_WORDS: Record<string, string> = {
  up: 'Up',
  slow: 'Slow',
  failing: 'Failing',
  unusual: 'Unusual',
  limited: 'Limit',
  backing_off: 'Waits',
  stalled: 'Stalled',
  unknown: 'Unknown',
};

export const SERVICE_KINDS: Record<string, string> = {
  self: 'this service',
  pool: 'connection pool',
  database: 'database',
  external: 'outgoing calls',
  sink: 'sink of the monitor',
};

export const CHANGE_TEXTS: Record<string, { before: string; after: string }> = {
  deploy: { before: '', after: ' went live' },
  start: { before: 'The process started', after: '' },
  stop: { before: 'The process stopped', after: '' },
  mark: { before: '', after: '' },
  new_error: { before: '', after: ', never seen before' },
  error_back: { before: '', after: ' is back' },
  new_route: { before: 'First request to ', after: '' },
  alert: { before: '', after: ' fires' },
  alert_end: { before: '', after: ' is over' },
  anomaly: { before: '', after: ' became unusual' },
  gap: { before: 'No data', after: '' },
};

export const PART_NAMES: Record<string, string> = {
  metrics: 'Metrics, logs, health',
  history: 'History',
  data_dir: 'Data directory',
  otlp: 'OTLP',
  sentry: 'Sentry',
  elasticsearch: 'Elasticsearch',
  users: 'Active users',
  pools: 'Connection pools',
};

export const STEPS = {
  install: { title: 'Install the monitor.', done: 'Done.', open: 'Not seen yet.' },
  mount: { title: 'Mount this page.', done: 'Done: you are on it.', open: 'Not seen yet.' },
  layer: {
    title: 'Put the layer last, after every route.',
    done: 'Done: requests arrive.',
    open: 'Not seen yet. If it is there, send a request.',
  },
} as const;

export const RANGE_NAMES = { '15m': '15 m', '1h': '1 h', '6h': '6 h', '24h': '24 h', '7d': '7 d', '30d': '30 d' } as const;
export const RANGE_WORDS = {
  '15m': 'last 15 minutes',
  '1h': 'last hour',
  '6h': 'last 6 hours',
  '24h': 'last 24 hours',
  '7d': 'last 7 days',
  '30d': 'last 30 days',
} as const;

/** Steps of the first run: what a host writes. */
export const CODE = {
  install: (service: string): string => `let monitor = watchpost::Monitor::builder("${service}").install()?;`,
  mount: (mount: string): string => `.nest("${mount}", monitor.dashboard(Access::token_env("WATCHPOST_TOKEN")))`,
  layer: (): string => '.layer(monitor.layer())',
};

export const T = {
  product: 'watchpost',
  skip: 'Skip to content',
  pages: 'Pages',
  pagesAndSettings: 'Pages and settings',
  onThisPage: 'On this page',
  overview: 'Overview',
  menu: 'Menu',
  close: 'Close',
  logOut: 'Log out',
  roles: { viewer: 'viewer', operator: 'operator' },

  // verdict
  waitingHead: 'Waiting for the first request.',
  waitingBody: 'The monitor runs and this page is live; no request has passed through its layer yet.',
  ownRequests: 'This page’s own requests are never counted',
  errorsPart: (percent: string): string => `${percent} errors`,
  requestsPart: (rate: string): string => `${rate} requests/s`,
  failPart: (percent: string): string => `${percent} of requests fail`,
  ofThemOn: (percent: string): string => `, ${percent} of them on `,
  began: (at: number, now: number): string => `It began at ${clockOrDay(at, now)}`,
  after: (seconds: number): string => {
    const minutes = Math.round(seconds / 60);
    if (minutes < 1) return ', right after ';
    return `, ${word(minutes)} ${minutes === 1 ? 'minute' : 'minutes'} after `;
  },
  aDeploy: 'a deploy',
  aMark: 'a mark',
  aStart: 'the start of the process',
  unready: 'The service is not ready',
  reasonKinds: { check: 'The check', sink: 'The sink', rule: 'The rule' } as Record<string, string>,
  notWell: (kind: string, name: string): string => (kind === '' ? `${capital(name)}: ` : `${kind} “${name}” does not pass: `),
  moreReasons: (n: number): string => `${word(n)} more below`,
  over: {
    warning: (value: string): string => ` is over its warning line, ${value}`,
    critical: (value: string): string => ` is over its critical line, ${value}`,
  },
  oddOne: 'One thing is odd: ',
  oddMany: (n: number): string => `${capital(word(n))} things are odd, first `,
  oddSince: (at: number, now: number): string => ` has been outside its normal range since ${clockOrDay(at, now)}`,
  unusualSince: (at: number, now: number): string => ` has been unusual since ${clockOrDay(at, now)}`,
  checked: (seconds: number): string => `Checked ${span(seconds)} ago`,
  figuresOf: (from: number, to: number, now: number): string => `Figures of ${clockOrDay(from, now)} – ${clockOrDay(to, now)}`,
  stateFor: (state: string, seconds: number): string => `${state} for ${span(seconds)}`,
  up: (seconds: number): string => `Up ${span(seconds)}`,
  asOf: (at: number): string => `As of ${clockSeconds(at)}`,

  // connection
  connectingAgain: (seconds: number): string => `Connecting again in ${span(seconds)}`,
  connecting: 'Connecting',
  stale: (seconds: number): string => `Stale, ${span(seconds)}`,
  polling: 'WebSocket is blocked: asking each second',
  missed: (n: number): string => `This page was too slow: ${plural(n, 'update was', 'updates were')} left out`,
  ended: 'The session has ended',
  liveAgain: 'Live.',
  pausedSpoken: 'Paused. Nothing on this page moves until you resume.',
  pause: 'Pause',
  pauseAll: 'Pause all streams',
  paused: 'Paused',
  pausedWaiting: (n: number): string => `Paused, ${count(n)} waiting`,
  resumeLabel: (n: number): string => `Paused, ${plural(n, 'update', 'updates')} waiting. Resume all streams`,
  resume: 'Resume',
  pausedBar: (at: number, updates: number, errors: number): string =>
    `Paused at ${clockSeconds(at)}. ${plural(updates, 'update waits', 'updates wait')}; ${plural(errors, 'captured error', 'captured errors')} since.`,

  // range
  live: 'Live ·',
  last: 'last',
  range: 'Time range',
  rangeHelp: 'Or drag on the line above the page, or on any chart. The link in the address bar keeps absolute times.',
  backToLive: 'Back to live',
  span24: 'Last 24 hours',
  windowInView: 'Window in view, within the last 24 hours',
  from24: '−24 h',
  nowMark: 'now',
  to: 'to',

  // cards
  signals: 'Signals',
  eightSignals: 'Eight signals',
  whatYouWillSee: 'What you will see',
  ready: 'Ready',
  notReady: 'Not ready',
  readyOf: (passing: number, total: number): string => `${count(passing)} of ${plural(total, 'check passes', 'checks pass')}`,
  noChecks: 'No checks yet',
  checkNames: { alerts: 'Alerts', ready: 'Ready', worker: 'Worker', disk: 'Disk', store: 'Store' } as Record<string, string>,
  loadingRange: (range: string): string => `Reading the ${range}`,
  loadingNote: 'Loading…',
  lineSoon: 'The line begins with the next steps of the history',
  emptyRange: 'No request in this range.',
  lastOne: (at: number, now: number): string => `Last one: ${clockOrDay(at, now)}`,
  goTo: (at: number, now: number): string => `Go to ${clockOrDay(at, now)}`,
  noHistory: 'No history',
  liveOnly: (why: string): string => `Live only. Reading the store failed: ${why}`,
  historyGone: 'The figures of now stay; the lines come back with the store.',
  noDataBetween: (from: number, to: number, now: number): string => to - from < 120_000 ? `No data ${clockSeconds(from)} – ${clockSeconds(to)}` : `No data ${clockOrDay(from, now)} – ${clock(to)}`,
  gapReasons: { stopped: 'the process was down', suspended: 'the process was suspended', damaged: 'the data is damaged' } as Record<string, string>,
  noChange: 'No change',
  points: (text: string): string => `${text} ${text === '1' ? 'point' : 'points'}`,
  compared: (from: number, now: number): string => {
    const days = (now - from) / 86_400_000;
    if (days > 6 && days < 8.5) return `on last ${weekday(from)}`;
    if (days > 0.7 && days < 2) return 'on yesterday';
    return 'on the time before';
  },
  normal: (low: string, high: string): string => `Normal: ${low} – ${high}`,
  p50: (value: string): string => `p50 ${value}`,
  clientErrors: (value: string): string => `4xx ${value}`,
  cancelled: (value: string): string => `cancelled ${value}`,
  today: (value: string): string => `${value} today`,
  coresOf: (used: string, all: string): string => `${used} of ${all} cores`,
  cores: (all: string): string => `of ${all} cores`,
  usedOf: (used: string, all: string): string => `${used} of ${all}`,
  noWait: 'No wait',
  waiting: (n: number): string => `${count(n)} waiting`,
  acquire: (value: string): string => `p95 acquire ${value}`,
  lines: (warning: string | null, critical: string | null): string =>
    [warning === null ? '' : `Warning ${warning}`, critical === null ? '' : `critical ${critical}`].filter(Boolean).join(', '),
  chartOf: (title: string): string => `${title}, arrow keys move through time`,
  openChart: (title: string): string => `${title}: chart and table`,
  table: 'As a table',
  tableOf: (title: string): string => `${title} as a table`,
  time: 'Time',
  value: 'Value',
  normalColumn: 'Normal',
  noValue: 'no data',
  withinNormal: 'within normal',
  outsideNormal: 'odd: outside normal',
  overLine: { warning: (value: string): string => `over warning, ${value}`, critical: (value: string): string => `over critical, ${value}` },
  warningLine: (value: string): string => `warning ${value}`,
  criticalLine: (value: string): string => `critical ${value}`,
  asJson: 'JSON',

  // panels
  whatChanged: 'What changed',
  newestFirst: 'newest first',
  nothingChanged: 'Nothing in the last 24 hours: no start, no new error, no check that changed.',
  countSince: (n: number): string => `${count(n)} since`,
  replaces: (version: string): string => `replaces ${version}`,
  unusual: 'Unusual',
  nothingUnusual: 'Nothing is outside its normal range.',
  noNormalYet: 'No normal ranges are known yet.',
  alsoOdd: (names: string): string => `Also odd then: ${names}`,
  services: 'Services and dependencies',
  servicesShort: 'Services',
  noServices: 'None yet. Pools, outgoing calls and sinks appear here.',
  lastHour: (name: string, word: string): string => `${name}, last hour: ${word}`,
  errorsOf: (value: string): string => `${value} errors`,
  noErrorsShort: '0 errors',
  connectionsOf: (used: string, max: string): string => `${used} of ${max} connections`,
  limitUsed: (percent: string, window: string): string => `${percent} of ${window} used`,
  deliveredAgo: (seconds: number): string => `delivered ${span(seconds)} ago`,
  queuedDropped: (queued: number, dropped: number): string => `${count(queued)} queued · ${count(dropped)} dropped`,
  running: 'Running now',
  runningCount: (n: number): string => plural(n, 'request', 'requests'),
  nothingRuns: 'No request is in flight.',
  blocks: (value: string): string => `blocks its thread for ${value}`,
  tracesPage: 'Traces',
  traces: 'Slow and failed traces',
  searchTraces: 'Search',
  inbox: 'Inbox',
  noTraces: 'None is kept yet. Slow and failed requests appear here.',
  kept: (why: string): string => `kept: ${why}`,
  errors: 'Errors',
  noErrors: 'No error was captured.',
  logs: 'Log lines',
  noLogs: 'No log record yet.',
  marks: { new: 'New', back: 'Back', rising: 'Rising' },
  cost: 'Monitor’s own cost',
  costCpu: (value: string): string => `${value} CPU`,
  nothingDropped: 'Nothing dropped',
  dropped: (n: number): string => `${count(n)} dropped`,
  droppedRow: (signal: string, reason: string, n: number): string => `${count(n)} ${signal}: ${reason}`,

  // routes
  routes: 'Routes',
  route: 'Route',
  where: 'Where',
  movedSince: (time: string): string => `routes by how far they moved since ${time}`,
  allRoutes: (n: number): string => (n === 1 ? 'The route' : `All ${count(n)} routes`),
  order: 'Order',
  orders: { movement: 'Movement', requests: 'Requests', errors: 'Errors', p95: 'p95', time: 'Time' },
  orderNotes: {
    movement: 'by how far they moved from the time before',
    requests: 'by requests',
    errors: 'by their share of errors',
    p95: 'by p95',
    time: 'by their share of the time of all requests',
  },
  routesSentence: (n: number, perSecond: string): string => `${plural(n, 'route', 'routes')}, ${perSecond} requests/s.`,
  routesShown: (n: number): string => `The ${count(n)} with most requests are shown`,
  noRequestsInRange: 'No request in this range.',
  requests: 'Requests',
  reqPerSecond: 'Req/s',
  before: 'Before',
  afterColumn: 'After',
  was: (value: string): string => `was ${value}`,
  p95Curve: 'p95 over the range',
  shareOfErrors: 'Of all errors',
  shareOfTime: 'Of all time',
  cancelledTitle: 'Cancelled',
  requestsIn: (n: string): string => `${n} requests`,
  percentiles: 'Percentiles',
  answers: 'Answers',
  answersNote: 'requests per second, by how they ended',
  answerNames: { errors: 'errors', cancelled: 'cancelled', client_errors: '4xx', others: 'others' },
  itsQueries: 'Its queries',
  sinceStart: 'since the start; p95 and errors of all callers',
  noQueries: 'None seen. Queries of a watched pool appear here.',
  statement: 'Statement',
  calls: 'Calls',
  slowestTraces: 'Slowest kept traces',
  itsErrors: 'Its errors',
  beforeAfter: 'Before and after the last deploy',
  beforeAfterOf: (version: string): string => `Before and after ${version}`,
  equalWindows: (length: string): string => `${length} each`,
  noDeploy: 'No deploy is known: the version of the service has not changed.',
  statuses: 'Status codes',
  status: 'Status',
  outcome: 'Outcome',
  noStatus: 'none',

  // first run
  threeLines: 'Three lines',
  workAlready: (n: number): string => (n === 0 ? 'none of them works yet' : `${word(n)} of them already ${n === 1 ? 'works' : 'work'}`),
  copy: 'Copy',
  copied: 'Copied',
  done: 'Done',
  notSeen: 'Not seen yet',
  tryIt: 'Try it',
  tryText: 'Sends one request that fails through the whole chain: trace, error, log line. It is marked as a test everywhere and counts nowhere.',
  testError: 'Send a test error',
  testTrace: 'Send a test trace',
  testSent: (what: string, id: string): string => `${what} sent${id === '' ? '' : `, ${id}`}. It appears below within two seconds.`,
  testErrorName: 'Test error',
  testTraceName: 'Test trace',
  onlyOperator: 'Only an operator can send one; you are a viewer.',
  whatIsSetUp: 'What is set up',
  partStates: { on: 'on', off: 'not set', problem: 'problem' },

  // search
  search: 'Search this page, or paste a trace or request id',
  searchResults: (n: number): string => (n === 0 ? 'Nothing on this page matches' : plural(n, 'match', 'matches')),

  // login
  loginTitle: 'Log in',
  loginText: 'The token is what the service printed at its start, or its setting access.token.',
  token: 'Token',
  loginButton: 'Log in',
  loginFailed: {
    wrong_token: 'This token is not right.',
    too_many_attempts: 'Too many attempts. Wait a minute, then try again.',
    unreachable: 'The service did not answer.',
  } as Record<string, string>,
  loadFailed: 'The service did not answer. This page tries again by itself.',
  noAnswer: 'The service did not answer.',

  // theme, keys
  theme: 'Theme',
  themes: { system: 'Auto', light: 'Light', dark: 'Dark' },
  keysTitle: 'Keys',
  keysLabel: 'Keyboard shortcuts',
  keys: [
    ['Search, paste an id', ['/']],
    ['Pause, resume', ['p']],
    ['Next, previous row', ['j', 'k']],
    ['Open', ['Enter']],
    ['Move through a chart', ['←', '→']],
    ['Light, dark', ['t']],
    ['Acknowledge, silence', ['a', 's']],
    ['Overview', ['g', 'o']],
    ['Alerts', ['g', 'a']],
    ['Routes', ['g', 'r']],
    ['Database', ['g', 'd']],
    ['Calls', ['g', 'c']],
    ['Errors', ['g', 'e']],
    ['Logs', ['g', 'l']],
    ['Traces', ['g', 't']],
    ['Services', ['g', 's']],
    ['This list', ['?']],
    ['Close', ['Esc']],
  ] as [string, string[]][],
  unit: (value: string, unit: string): string => (unit.startsWith('/') ? value + unit : value + NARROW + unit),
} as const;

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
