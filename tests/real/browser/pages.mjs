/**
 * The pages that the checks visit. A page that is new gets a line here, and is then checked in light and dark, wide and
 * narrow: axe, nothing sideways, tables of its charts, no faults, a screenshot.
 *
 * `ready` is visible once the page shows data. The pages of a statement and of a trace need an ID and are not here.
 */
export const PAGES = [
  { name: 'overview', path: './', ready: '[data-card=requests] .chart canvas' },
  { name: 'overview-chart', path: './?range=24h&card=response_time', ready: '#chart canvas' },
  { name: 'overview-table', path: './?range=24h&card=response_time&view=table', ready: '#chart tbody tr' },
  { name: 'routes', path: 'routes?range=24h', ready: 'table.routes tbody tr' },
  { name: 'alerts', path: 'alerts', ready: '#rules tbody tr' },
  { name: 'database', path: 'database?range=24h', ready: '#pools' },
  { name: 'calls', path: 'calls?range=24h', ready: '#models' },
  { name: 'traces', path: 'traces?range=24h', ready: 'table.traces tbody tr' },
  { name: 'route', path: 'route?method=GET&route=%2Fapi%2Forders%2F%7Bid%7D', ready: '#percentiles svg' },
];
