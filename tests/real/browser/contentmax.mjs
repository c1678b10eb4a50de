/** The first minutes with the example contentmax: its start link, and the incident that it has on request. */

import { everyLook } from './empty.mjs';
import { ContentMax } from './hosts.mjs';
import { number, statuses, visit } from './on-screen.mjs';
import { expect, expectEqual, until } from './report.mjs';
import { Traffic } from './traffic.mjs';
import { watchedContext } from './watched.mjs';

/** After so many seconds a statement is slow for 30 s, and then fails for 30 s. */
const INCIDENT = 15;
const VISITS = 25;

export async function contentmax(tools) {
  const { report, browser } = tools;
  const host = new ContentMax({ ...tools.host, name: 'contentmax', incident: INCIDENT });
  const started = Date.now();
  await host.start();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const client = new Traffic(host);
  const { context, watch } = await watchedContext(browser, host);
  try {
    const page = await context.newPage();
    await report.check('the link at the end of the start text logs in', async () => {
      await page.goto(host.link);
      await page.waitForSelector('.frame');
      expect(!page.url().includes('token'), 'the token stays in the address');
      await page.waitForSelector('[data-card=requests]');
      return `${seconds()} s after the start`;
    });
    /** Waits for an alert with a link to what its labels name. */
    const fires = async (name, link) => {
      await page.locator('section.panel', { hasText: name }).getByRole('link', { name: link }).first().waitFor({ timeout: 120_000 });
      return `after ${seconds()} s`;
    };
    await visit(page, host, { path: 'alerts', ready: '#rules tbody tr' });
    await report.check('an alert fires: a statement is slow', () => fires('Slow statement', /^(WITH|SELECT)/));
    await report.check('another fires: a route fails', () => fires('Failing route', 'GET /api/search'));
    await report.check('the sentence names the route, and its page has the failures', async () => {
      await visit(page, host, { path: './', ready: '#alert' });
      const sentence = (await page.locator('.verdict').textContent()).replaceAll(/\s+/g, ' ').trim();
      expect(sentence.startsWith('Critical.') && sentence.includes('/api/search'), `the sentence is: ${sentence}`);
      await page.locator('#alert').getByRole('link', { name: 'GET /api/search' }).first().click();
      await page.waitForSelector('#statuses tbody tr');
      const failed = await until('failed requests', async () => (await statuses(page))[500] ?? null);
      return `${sentence} ${failed} failed`;
    });
    await visit(page, host, { path: 'alerts', ready: '#rules tbody tr' });
    await everyLook(tools, page, 'contentmax-alerts', watch);
    await report.check('requests of another client are counted beside those of the visitors', async () => {
      // The visitors do not read the index.
      for (let n = 0; n < VISITS; n += 1) expectEqual((await client.send('GET', '/')).status, 200, 'the status of the index');
      await visit(page, host, { path: 'route?method=GET&route=%2F', ready: '.stats' });
      await until(`${VISITS} requests`, async () => {
        expectEqual(number(await page.locator('.stats > div:last-child dd.small').textContent()), VISITS, 'requests of the index');
        return true;
      }, 45_000);
    });
    await report.check('both alerts resolve by themselves', async () => {
      await visit(page, host, { path: 'alerts', ready: '#rules tbody tr' });
      await until('the end of both', async () => (await page.locator('h2.tag', { hasText: /Slow statement|Failing route/ }).count()) === 0, 150_000);
      // The history is read every ten seconds.
      await until('their ends in the history', async () => {
        const history = await page.locator('#history').textContent();
        return ['Slow statement', 'Failing route'].every((name) => history.includes(`${name} is over`));
      }, 60_000);
      return `after ${seconds()} s`;
    });
    await report.check('nothing went wrong in the pages of contentmax', () => watch.clean());
  } finally {
    client.close();
    await context.close();
    await host.end('SIGTERM');
  }
}
