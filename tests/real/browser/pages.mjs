/**
 * The pages that the checks visit. A page that is new gets a line here, and is then checked in light and dark, wide and
 * narrow: axe, nothing sideways, tables of its charts, no faults, a screenshot.
 *
 * `ready` is visible once the page shows data. Of a page with many texts, the screenshot has `most` pixels of the height. A `path` that needs an ID is a function of the host.
 */

export const STRICKEN = ['GET', '/api/orders/{id}'];

/** The page of the latest trace that failed on the route of the incident; of any trace where there is none. */
async function tracePath(host) {
  const of = async (filter) => (await host.data(`traces?range=24h${filter}`)).traces[0]?.trace_id;
  const id = (await of(`&route=${encodeURIComponent(STRICKEN[1])}&status=500`)) ?? (await of(''));
  return `trace?id=${id ?? 'none'}`;
}

/** The page of a statement of that route; of any statement where there is none. */
async function statementPath(host) {
  const { statements } = await host.data('statements?range=24h');
  const { system, namespace, summary } = statements.find((row) => row.summary === 'SELECT orders') ?? statements[0] ?? { system: '', namespace: '', summary: 'none' };
  return `statement?${new URLSearchParams({ system, namespace, summary }).toString()}&range=24h`;
}

/** The page of the latest group of errors. */
async function errorPath(host) {
  const { groups } = await host.data('errors?range=24h&state=all');
  return `error?id=${groups[0]?.id ?? 'none'}&range=24h`;
}

export const PAGES = [
  { name: 'overview', path: './', ready: '[data-card=requests] .chart canvas' },
  { name: 'overview-chart', path: './?range=24h&card=response_time', ready: '#chart canvas' },
  { name: 'overview-table', path: './?range=24h&card=response_time&view=table', ready: '#chart tbody tr' },
  { name: 'routes', path: 'routes?range=24h', ready: 'table.routes tbody tr' },
  { name: 'alerts', path: 'alerts', ready: '#rules tbody tr' },
  { name: 'errors', path: 'errors?range=24h', ready: '#inbox li' },
  { name: 'error', path: errorPath, ready: '#events svg' },
  { name: 'database', path: 'database?range=24h', ready: '#pools' },
  { name: 'statement', path: statementPath, ready: '#durations svg' },
  { name: 'calls', path: 'calls?range=24h', ready: '#models' },
  { name: 'logs', path: 'logs?range=24h', ready: '#lines li', most: 1_500 },
  { name: 'log-patterns', path: 'logs?range=24h&show=patterns', ready: '.patterns tbody tr', most: 1_500 },
  { name: 'traces', path: 'traces?range=24h', ready: 'table.traces tbody tr' },
  { name: 'trace', path: tracePath, ready: '#waterfall li' },
  { name: 'route', path: 'route?method=GET&route=%2Fapi%2Forders%2F%7Bid%7D', ready: '#percentiles svg' },
];
