/** Figures of every page against the client's own counts, and those of the visitors of the past. */

import { card, errorsOnScreen, number, rowsOf, statuses, visit } from './on-screen.mjs';
import { PAGES, STRICKEN } from './pages.mjs';
import { expect, expectEqual, until } from './report.mjs';
import { ROUTES } from './traffic.mjs';

/** The error of the live traffic. */
export const SHELF = 'the shelf is empty';
const ROUTE = STRICKEN.join(' ');
const WEEK = `${PAGES.find((page) => page.name === 'route').path}&range=7d`;
const percent = (part, whole) => (part / whole) * 100;
/** A figure on screen has two digits. */
const near = (seen, counted) => Math.abs(seen - counted) <= 0.06 + counted * 0.06;

/** `begun`: when the traffic began. In the minute before there was none, and it has stopped. */
export async function figures({ report }, host, page, traffic, begun) {
  const live = traffic.counts.get(ROUTE);
  const failed = host.past.stricken_failed + live.failed;
  /** A page for the time of the traffic alone. It is opened again until it shows what was counted: the last snapshot may be to come. */
  const shows = (what, place, ready, check) =>
    until(what, async () => {
      const to = Math.max(Date.now(), begun + 90_000);
      await visit(page, host, { path: `${place}${place.includes('?') ? '&' : '?'}from=${begun - 10_000}&to=${to}`, ready });
      return check();
    }, 45_000);

  await report.check('figures of a route are those that its clients counted', async () => {
    const wanted = { 200: host.past.stricken + live.count - failed, 500: failed };
    await visit(page, host, { path: WEEK, ready: '#statuses tbody tr' });
    const seen = await until(`the counts ${JSON.stringify(wanted)}`, async () => {
      const seen = await statuses(page);
      expectEqual(seen, wanted, 'requests by status');
      return seen;
    }, 45_000);
    const all = await page.locator('.stats > div:last-child dd.small').textContent();
    expectEqual(number(all), wanted[200] + wanted[500], 'requests in all');
    return `${seen[200]} with 200, ${seen[500]} with 500`;
  });
  await report.check('the list has all routes with their errors', async () => {
    await visit(page, host, { path: 'routes?range=7d', ready: 'table.routes tbody tr' });
    const rows = await page.locator('table.routes tbody tr').evaluateAll((rows) => rows.map((row) => row.dataset.row));
    expectEqual([...new Set(rows)].sort(), ROUTES.map((route) => route.join(' ')).sort(), 'routes');
    const errors = await page.locator(`tr[data-row="${ROUTE}"] td:nth-of-type(2)`).textContent();
    const share = percent(failed, host.past.stricken + live.count);
    expect(near(Number(errors.replace(/[^0-9.]/g, '')), share), `errors of the route: on screen ${errors}, counted ${share.toFixed(2)} %`);
    return `${rows.length} routes, ${errors} errors of ${ROUTE} (counted: ${share.toFixed(2)} %)`;
  });
  await report.check('captured errors are those that the clients caused', async () => {
    await visit(page, host, { path: './', ready: '#errors li' });
    const wanted = host.past.failed + traffic.total.failed;
    await until(`${wanted} errors`, async () => {
      // The text of an error tells groups apart, and no group is older than this process.
      expectEqual(await errorsOnScreen(page), wanted, 'captured errors');
      return true;
    });
    return `${wanted}`;
  });
  await report.check('groups of errors have the events that the clients caused', async () => {
    await visit(page, host, { path: 'errors?range=24h&state=all', ready: '#inbox li' });
    const titles = await page.locator('#inbox li span.num[title]').evaluateAll((cells) => cells.map((cell) => cell.title));
    expectEqual(titles.reduce((sum, title) => sum + number(title), 0), host.past.failed + traffic.total.failed, 'events of all groups');
    // Errors of one type that were captured at one place are one group, whatever their texts are. The first click shows it
    // beside the list, the second one opens its page.
    const link = page.locator('#inbox li a').first();
    await page.goto(await link.evaluate((element) => element.href));
    await page.waitForSelector('#events');
    const total = await page.locator('.stats > div:nth-child(2) dd').first().textContent();
    expectEqual(number(total), number(titles[0]), 'events of the first group');
    return `${titles.length} groups, ${total} in the first`;
  });
  await report.check('active users are those of the traffic', async () => {
    const seen = await until('users', async () => number((await card(page, 'users')).replace('~', '').trim()) || null);
    expect(seen >= traffic.users.size && seen <= traffic.users.size + 40, `on screen ${seen}, the client had ${traffic.users.size}, the past 40`);
    return `${seen}, of them ${traffic.users.size} of the client`;
  });
  // Every request runs one statement.
  const ofOrders = ['/api/orders', '/api/orders/{id}'].map((route) => traffic.counts.get(`GET ${route}`));
  const selects = { count: ofOrders.reduce((sum, it) => sum + it.count, 0), failed: ofOrders.reduce((sum, it) => sum + it.failed, 0) };
  await report.check('statements have the calls and errors that the client caused', async () => {
    const cells = await shows('the calls', 'database', '#statements tbody tr', async () => {
      const all = await rowsOf(page, '#statements');
      expectEqual(Object.values(all).reduce((sum, cells) => sum + number(cells[1]), 0), traffic.total.count, 'calls of all statements');
      return all['SELECT orders'];
    });
    expectEqual([number(cells[1]), number(cells[5])], [selects.count, selects.failed], 'calls and errors of SELECT orders');
    return `${traffic.total.count} in all; of SELECT orders ${cells[1]}, errors ${cells[5]}`;
  });
  await report.check('the page of a statement has its errors', async () => {
    const { path } = PAGES.find((page) => page.name === 'statement');
    const place = (await path(host)).replace('&range=24h', '');
    const wanted = percent(selects.failed, selects.count);
    return shows('the errors', place, '.stats', async () => {
      const text = await page.locator('.stats > div:nth-child(2) dd').first().textContent();
      expect(near(number(text), wanted), `errors: on screen ${text}, counted ${wanted.toFixed(2)} %`);
      return `${text.trim()} errors, counted ${wanted.toFixed(1)} %`;
    });
  });
  await report.check('calls of a service are those of the routes that call it', async () => {
    const wanted = [...traffic.counts].reduce((sum, [route, { count }]) => sum + (route.includes('/api/payments') ? count : 0), 0);
    return shows('the calls', 'calls', '#services tbody tr', async () => {
      const row = await page.locator('#services tr[data-row=stripe] td').allTextContents();
      expectEqual(number(row[5]), wanted, 'calls of stripe');
      return `${wanted} of stripe`;
    });
  });
  await report.check('every failed request of the client is in the list of traces', () =>
    shows('the traces', `traces?route=${encodeURIComponent(STRICKEN[1])}&status=500`, 'table.traces tbody tr', async () => {
      const rows = await page.locator('table.traces tbody tr td:nth-of-type(2)').allTextContents();
      expect(rows.every((text) => text.includes('500')), `answers: ${rows.join(', ')}`);
      expectEqual(rows.length, live.failed, 'failed traces');
      return `${rows.length}`;
    }));
}

/** One request, and the page of its trace. */
export async function oneTrace({ report }, host, page, traffic) {
  await report.check('the page of a trace shows the request that the client has sent', async () => {
    const text = `the shelf ${Date.now()} is empty`;
    const response = await traffic.visit(...STRICKEN, { ms: 120, fail: text });
    expect(/^[0-9a-f]{32}$/.test(response.trace), `x-trace-id is ${response.trace}`);
    // Its error is stored some milliseconds after its root.
    await until('the trace', async () => {
      const of = await host.data(`trace?id=${response.trace}`);
      return of.trace?.has_root === true && of.errors.length > 0 && of.logs.length > 0;
    });
    await visit(page, host, { path: `trace?id=${response.trace}`, ready: '#waterfall li' });
    const head = await page.locator('h1').textContent();
    const shown = Number(/Failed after ([0-9.]+)\s*ms/.exec(head.replaceAll('\u202f', ' '))?.[1]);
    expect(shown >= 120 && shown <= response.ms + 1, `it took ${response.ms.toFixed(0)} ms, and the page says: ${head}`);
    const sub = await page.locator('main .sub').first().textContent();
    expect(sub.includes(STRICKEN[1]) && sub.includes('500') && sub.includes('user user-'), `below the title: ${sub}`);
    for (const panel of ['#lines', '#errors']) expect((await page.locator(panel).textContent()).includes(text), `${panel} does not have the text of the error`);
    expect((await page.locator('#waterfall').textContent()).includes('SELECT orders'), 'the statement is not in it');
    return `${shown} ms on screen, ${response.ms.toFixed(0)} ms at the client; its line, error and statement`;
  });
}
