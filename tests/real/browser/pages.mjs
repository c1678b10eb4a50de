/**
 * The pages that the checks visit. A page that is new gets a line here, and is then checked in light and dark, wide and
 * narrow: axe, nothing sideways, tables of its charts, no faults, a screenshot.
 *
 * `ready` is in the page once it shows data; `keys` are where `g` and a letter lead to it.
 */
export const PAGES = [
  { name: 'overview', path: './', ready: '[data-card=requests] .chart canvas' },
  { name: 'overview-chart', path: './?range=24h&card=response_time', ready: '#chart canvas' },
  { name: 'overview-table', path: './?range=24h&card=response_time&view=table', ready: '#chart tbody tr' },
  { name: 'routes', path: 'routes?range=24h', ready: 'table.routes tbody tr', rows: 'table.routes tbody tr' },
  { name: 'route', path: 'route?method=GET&route=%2Fapi%2Forders%2F%7Bid%7D', ready: '#percentiles svg' },
];
