/** A host without a request. */

import { Host, TOKEN, VIEWER } from './hosts.mjs';
import { logIn } from './on-screen.mjs';
import { expect, expectEqual, until } from './report.mjs';
import { shoot } from './shots.mjs';
import { accessible, nothingSideways, watchedContext } from './watched.mjs';

/** Runs axe on the page in light and dark, wide and narrow, and takes screenshots of at most `most` pixels of its height. */
export async function everyLook({ report, shots }, page, name, watch, most) {
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 900 });
    for (const colorScheme of ['light', 'dark']) {
      await report.check(`${name}, ${width} wide, ${colorScheme}`, async () => {
        await page.emulateMedia({ colorScheme });
        await nothingSideways(page);
        const bytes = await shoot(page, shots, `${name}-${colorScheme}-${width}`, most);
        await accessible(page);
        watch.clean();
        return `axe finds nothing, nothing sideways, screenshot of ${Math.round(bytes / 1000)} kB`;
      });
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ colorScheme: 'light' });
}

export async function empty(tools) {
  const { report, browser } = tools;
  const host = await new Host({ ...tools.host, name: 'empty' }).start();
  const { context, watch } = await watchedContext(browser, host);
  const page = await context.newPage();
  try {
    await logIn(page, host, TOKEN);
    await report.check('an empty host waits for its first request', async () => {
      await page.getByText('Waiting for the first request.').first().waitFor();
      await page.getByText('Put the layer last').waitFor();
      await page.getByText('No request yet').first().waitFor();
      expect((await page.title()).startsWith('Waiting'), `the title is ${await page.title()}`);
    });
    await everyLook(tools, page, 'empty', watch);
    await report.check('an empty list of routes says so', async () => {
      await page.goto(host.monitoring + 'routes');
      await page.getByText('No request in this range.').first().waitFor();
      await nothingSideways(page);
      await accessible(page);
    });
    await report.check('a viewer cannot send a test error', () => viewer(browser, host));
    await report.check('a test error is on screen, and counts nowhere', async () => {
      await page.goto(host.monitoring);
      await page.getByRole('button', { name: 'Send a test error' }).click();
      await page.getByText('Test error sent').waitFor();
      await until('the error', async () => (await page.locator('#errors li').count()) > 0);
      await page.getByText('Waiting for the first request.').first().waitFor();
    });
    await report.check('the first request ends the first run', async () => {
      await fetch(host.url + '/api/orders');
      await page.getByText('Waiting for the first request.').first().waitFor({ state: 'detached' });
      await page.waitForSelector('[data-card=requests]');
    });
    await report.check('nothing went wrong in the pages of an empty host', () => watch.clean());
  } finally {
    await context.close();
    await host.end();
  }
}

/** What a viewer sees, and what is refused to it. */
async function viewer(browser, host) {
  const { context, watch } = await watchedContext(browser, host);
  try {
    const page = await context.newPage();
    await logIn(page, host, VIEWER);
    await page.getByText('Only an operator can send one; you are a viewer.').waitFor();
    const writes = await page.getByRole('button', { name: /Send a test|Acknowledge|Silence|Resolve|Mute/ }).count();
    expectEqual(writes, 0, 'buttons that write');
    watch.planned.push(/console error: Failed to load resource.* 403 .*test-error/);
    const status = await page.evaluate(async () => {
      const response = await fetch('data/v1/test-error', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
      return response.status;
    });
    expectEqual(status, 403, 'the status of a write');
    return watch.clean();
  } finally {
    await context.close();
  }
}
