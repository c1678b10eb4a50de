/** The page of logs: what it finds is what was written, and hostile lines are shown as they are. */

import { readFileSync } from 'node:fs';
import { everyLook } from './empty.mjs';
import { Host, TOKEN } from './hosts.mjs';
import { logIn, number, visit } from './on-screen.mjs';
import { expect, expectEqual, until } from './report.mjs';
import { Traffic } from './traffic.mjs';
import { watchedContext } from './watched.mjs';

const TEXTS = Object.values(JSON.parse(readFileSync(new URL('payloads.json', import.meta.url), 'utf8'))).flatMap((texts) => texts.slice(0, 2));
const VISITS = 230;
const FAILED = 7;
const ROUTE = ['GET', '/api/orders'];
/** So much of the page is in a screenshot. */
const TALL = 1_500;
const ROWS = '#lines .log > li';

const shownOf = (page) => page.locator('h1').textContent().then((text) => number(text.replace(/^At least /, '')));
const address = (view) => `logs?${new URLSearchParams(view).toString()}`;

/** Waits until the head has this number of lines. */
async function counts(page, wanted) {
  await until(`${wanted} lines`, async () => {
    expectEqual(await shownOf(page), wanted, `lines in the head, ${(await page.locator('h1').textContent()).trim()}`);
    return true;
  }, 60_000);
}

async function search(page, text) {
  await page.locator('#lq').fill(text);
  await page.locator('#lq').press('Escape');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
}

export async function logs(tools) {
  const { report, browser } = tools;
  const host = await new Host({ ...tools.host, name: 'logs' }).start();
  const traffic = new Traffic(host);
  const { context, watch } = await watchedContext(browser, host);
  const page = await context.newPage();
  const log = (text) => traffic.send('POST', '/hostile', {}, JSON.stringify({ log: text, attribute: text }));
  try {
    await logIn(page, host, TOKEN);
    await report.check('a range without a line says so', async () => {
      const to = Date.now() - 86_400_000;
      await visit(page, host, { path: `logs?from=${to - 3_600_000}&to=${to}`, ready: '#histogram' });
      await page.getByText('None was written in this range').waitFor();
    });
    await everyLook(tools, page, 'logs-empty', watch, TALL);
    await report.check('the page counts the lines that the client has caused', async () => {
      for (let n = 0; n < VISITS; n += 1) await traffic.visit(...ROUTE, { ms: 1 });
      for (let n = 0; n < FAILED; n += 1) await traffic.visit(...ROUTE, { ms: 1, fail: `shelf ${n} is empty` });
      await visit(page, host, { path: 'logs', ready: ROWS });
      await search(page, 'http.route:="/api/orders" http.request.method:GET');
      await counts(page, VISITS + FAILED);
      expectEqual(await page.locator(ROWS).count(), 100, 'lines of the first page');
      return `${VISITS + FAILED} of ${ROUTE.join(' ')}`;
    });
    await report.check('older lines follow, to the last one, and back', async () => {
      const seen = new Set();
      const read = async () => {
        for (const cursor of await page.locator(ROWS).evaluateAll((rows) => rows.map((row) => row.dataset.row))) seen.add(cursor);
      };
      await read();
      for (const [n, left] of [[200, 100], [VISITS + FAILED, VISITS + FAILED - 200]]) {
        await page.getByRole('button', { name: 'Older lines' }).click();
        await until('the next lines', async () => (await page.locator(ROWS).count()) === left && (await page.locator('.log[aria-busy=true]').count()) === 0);
        await read();
        expectEqual(seen.size, n, 'different lines');
      }
      await page.getByText('That is all').waitFor();
      await page.getByRole('button', { name: 'Newest lines' }).click();
      await until('the newest', async () => (await page.locator(ROWS).count()) === 100);
      return `${seen.size} lines`;
    });
    await report.check('a query that is not valid shows the place', async () => {
      watch.planned.push(/console error: Failed to load resource.* 400 .*data\/v1\/logs/);
      await search(page, 'level:>=warning');
      await page.getByText('Expected a level: trace, debug, info, warn or error, at character 9.').waitFor();
      expectEqual(await page.locator('.problem mark').textContent(), 'w', 'the mark');
      await page.evaluate(() => { scrollTo(0, 0); });
    });
    await everyLook(tools, page, 'logs-problem', watch, TALL);
    await report.check('names of fields are completed by the keyboard', async () => {
      await page.locator('#lq').fill('');
      await page.locator('#lq').pressSequentially('lev');
      await page.locator('#lq-names').getByRole('option', { name: 'level', exact: true }).waitFor();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Enter');
      await page.locator('#lq').pressSequentially('error');
      expectEqual(await page.locator('#lq').inputValue(), 'level:error', 'the query');
      await page.keyboard.press('Enter');
      // Of each failure the event, the captured error and the request.
      await counts(page, 3 * FAILED);
    });
    await report.check('a value, a level and a pattern are filtered for with a click', async () => {
      await visit(page, host, { path: address({ text: 'http.route:="/api/orders"' }), ready: ROWS });
      await page.locator('.facets').getByRole('button', { name: /^error/ }).click();
      await counts(page, 3 * FAILED);
      await page.locator('.tabs').getByText('Patterns').click();
      await page.locator('.patterns').getByRole('link', { name: /shelf <\*> is empty/ }).first().click();
      await page.waitForSelector(ROWS);
      expect((await page.locator(ROWS).allTextContents()).every((text) => /shelf \d is empty/.test(text)), 'lines of another pattern are shown');
      return (await page.locator('#lq').inputValue());
    });
    await report.check('a line opens with its fields, and leads to its trace, error and neighbours', async () => {
      await search(page, 'exception.message:shelf');
      await counts(page, FAILED);
      await page.locator(ROWS).first().focus();
      await page.keyboard.press('Enter');
      await page.getByText('exception.type', { exact: true }).waitFor();
      const links = await page.locator('.opened .btn').evaluateAll((links) => links.map((link) => link.getAttribute('href').split('?')[0]));
      expectEqual(links.join(' '), 'trace error traces logs', 'where its links lead');
      await page.locator('.opened').getByText('Lines around it').click();
      await page.waitForSelector('.log > .sel.open');
      const around = await page.locator(ROWS).count();
      expect(around >= 21 && around <= 41, `${around} lines around it`);
      await page.getByRole('button', { name: 'Filter out exception.type' }).click();
      expect(new URL(page.url()).searchParams.get('text').includes('-exception.type:='), page.url());
      return `${around} lines around it`;
    });
    await report.check('a trace, an error and a route lead to their lines', async () => {
      const { traces } = await host.data('traces?range=1h&status=500');
      await visit(page, host, { path: `trace?id=${traces[0].trace_id}`, ready: '#waterfall li' });
      await page.locator('#lines').getByText('Search in the logs').click();
      await page.waitForSelector(ROWS);
      await counts(page, 3);
      const { groups } = await host.data('errors?range=1h&state=all');
      await visit(page, host, { path: `error?id=${groups[0].id}`, ready: '#events' });
      await page.getByRole('link', { name: 'Lines of its type' }).click();
      await page.waitForSelector(ROWS);
      await counts(page, groups.filter(({ type }) => type === groups[0].type).reduce((sum, { count }) => sum + count, 0));
      await visit(page, host, { path: 'route?method=GET&route=%2Fapi%2Forders', ready: '.stats' });
      await page.locator('main .sub').getByText('Logs').click();
      await page.waitForSelector(ROWS);
      // Of each failure the event and the captured error too.
      await counts(page, VISITS + 3 * FAILED);
      await visit(page, host, { path: './', ready: '[data-card=requests]' });
      await page.keyboard.press('g');
      await page.keyboard.press('l');
      await page.waitForSelector('#lq');
    });
    await report.check('the live tail shows new lines, and counts them while it is paused', async () => {
      await visit(page, host, { path: address({ show: 'tail', text: 'target:="real::pages"' }), ready: '.tabs' });
      await page.getByText('New lines as they are written').waitFor();
      await log('tail 1');
      await page.locator(ROWS, { hasText: 'tail 1' }).waitFor();
      await page.keyboard.press('p');
      for (const n of [2, 3, 4]) await log(`tail ${n}`);
      await page.getByText('3 lines wait').waitFor();
      expectEqual(await page.locator(ROWS, { hasText: 'tail 4' }).count(), 0, 'lines of the pause on screen');
      await page.keyboard.press('p');
      await page.locator(ROWS, { hasText: 'tail 4' }).waitFor();
      const texts = (await page.locator(ROWS).allTextContents()).map((text) => /tail \d/.exec(text)?.[0]);
      expectEqual(texts.slice(0, 4).join(' '), 'tail 4 tail 3 tail 2 tail 1', 'the lines');
    });
    await everyLook(tools, page, 'logs-tail', watch, TALL);
    await report.check('lines are saved as NDJSON', async () => {
      await visit(page, host, { path: address({ text: 'http.route:="/api/orders" http.request.method:GET' }), ready: ROWS });
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save the lines as NDJSON' }).click()]);
      const lines = readFileSync(await download.path(), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
      expectEqual(lines.length, VISITS + FAILED, 'lines of the file');
      await page.getByText(`${VISITS + FAILED} lines saved: all of them.`).first().waitFor();
      return download.suggestedFilename();
    });
    await report.check('a drag on the histogram zooms, and the address holds the range', async () => {
      const box = await page.locator('#histogram [role=slider]').boundingBox();
      await page.mouse.move(box.x + box.width * 0.5, box.y + 30);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.9, box.y + 30, { steps: 4 });
      await page.mouse.up();
      await page.waitForURL(/from=\d+/);
    });
    await report.check('hostile lines are shown as they are, and do nothing', async () => {
      for (const text of TEXTS) await log(text);
      await visit(page, host, { path: address({ text: 'target:="real::pages" level:warn' }), ready: ROWS });
      // The texts that have a sign that cannot be seen are replaced by the monitor.
      const plain = TEXTS.filter((text) => /^[\x20-\x7e]+$/.test(text)).map((text) => text.trim().replace(/\s+/g, ' '));
      await until('the lines', async () => {
        const shown = (await page.locator(`${ROWS} .m`).allTextContents()).map((text) => text.replace(/\s+/g, ' '));
        const missing = plain.filter((text) => !shown.some((line) => line.includes(text.slice(0, 60))));
        expect(missing.length === 0, `not shown: ${JSON.stringify(missing.slice(0, 5))}`);
        return true;
      }, 45_000);
      await page.locator('[data-open]').first().click();
      await page.waitForSelector('.opened');
      const made = await page.evaluate(() => [...document.querySelectorAll('main :is(script, img, iframe, object, embed, style, link, base, marquee, video, audio, math, template)')].map((element) => element.outerHTML.slice(0, 100)));
      expect(made.length === 0, `the text became elements: ${made.join(' ')}`);
      return `${TEXTS.length} texts`;
    });
    await everyLook(tools, page, 'logs-hostile', watch, TALL);
    await report.check('nothing went wrong in the page of logs', () => watch.clean());
  } finally {
    traffic.close();
    await context.close();
    await host.end();
  }
}
