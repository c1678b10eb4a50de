/** A restart of the host under an open page. */

import { everyLook } from './empty.mjs';
import { Host, TOKEN } from './hosts.mjs';
import { logIn } from './on-screen.mjs';
import { expect, sleep, until } from './report.mjs';
import { Traffic } from './traffic.mjs';
import { watchedContext } from './watched.mjs';

const visitOnce = async (traffic, text) => traffic.visit('GET', '/api/orders/{id}', { ms: 1, fail: text });
const lines = (page) => page.locator('#logs').textContent();

export async function restart(tools) {
  const { report, browser } = tools;
  const host = await new Host({ ...tools.host, name: 'restart' }).start();
  let traffic = new Traffic(host);
  const { context, watch } = await watchedContext(browser, host);
  let ended = 0;
  try {
    const page = await context.newPage();
    await logIn(page, host, TOKEN);
    await visitOnce(traffic, 'before the restart');
    await until('a line of before', async () => (await lines(page)).includes('before the restart'));
    // Two snapshots, so that there is something before the gap.
    await until('a line', async () => (await page.locator('[data-card=cpu] .chart').count()) > 0, 40_000);
    await page.evaluate(() => { window.isTheSamePage = true; });
    watch.planned.push(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED|WebSocket connection to/);
    traffic.close();
    await report.check('a page whose server is gone says that it is stale', async () => {
      await host.end('SIGKILL');
      ended = Date.now();
      const text = page.locator('.sub .s-warn');
      await text.waitFor({ timeout: 20_000 });
      await page.locator('.pill', { hasText: 'Stale' }).waitFor();
      return (await text.textContent()).trim();
    });
    await everyLook(tools, page, 'stale', watch);
    await report.check('after a restart the page goes on by itself', async () => {
      // Long enough for a step of the history without data.
      await sleep(Math.max(0, ended + 32_000 - Date.now()));
      await host.again();
      traffic = new Traffic(host);
      await page.locator('.pill', { hasText: 'Stale' }).waitFor({ state: 'detached', timeout: 25_000 });
      await visitOnce(traffic, 'after the restart');
      await until('a line of after', async () => (await lines(page)).includes('after the restart'));
      expect(await page.evaluate(() => window.isTheSamePage === true), 'the page was loaded again');
    });
    watch.planned.length = 0;
    await report.check('the gap is on screen with its reason', async () => {
      const note = page.locator('[data-card=cpu] .gap-note');
      // A page that stays open adds points to its range, and learns of a gap when it reads the range again.
      await until('the gap', async () => {
        await page.reload();
        await page.waitForSelector('[data-card=cpu] .chart canvas');
        await sleep(2_000);
        return (await note.count()) > 0;
      }, 40_000);
      const text = await note.textContent();
      expect(/^No data .*: the process was down$/.test(text), text);
      return text;
    });
    await sleep(500);
    await report.check('nothing else went wrong in the page of a host that was restarted', () => watch.clean());
  } finally {
    traffic.close();
    await context.close();
    await host.end();
  }
}
