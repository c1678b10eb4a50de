/** A host whose data directory is gone. */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { everyLook } from './empty.mjs';
import { Host, TOKEN } from './hosts.mjs';
import { card, logIn, number } from './on-screen.mjs';
import { expect, until } from './report.mjs';
import { Traffic } from './traffic.mjs';
import { watchedContext } from './watched.mjs';

export async function store(tools) {
  const { report, browser } = tools;
  const host = await new Host({ ...tools.host, name: 'store' }).start();
  const traffic = new Traffic(host);
  const { context, watch } = await watchedContext(browser, host);
  try {
    traffic.run(20);
    const page = await context.newPage();
    await logIn(page, host, TOKEN);
    await report.check('a store that fails is said on the page, and the live figures stay', async () => {
      // A file in its place, so that it cannot be made again.
      const directory = join(host.dir, 'watchpost');
      rmSync(directory, { recursive: true });
      writeFileSync(directory, '');
      await page.locator('.verdict', { hasText: /Warning|Critical/ }).waitFor({ timeout: 60_000 });
      const verdict = (await page.locator('.verdict').textContent()).trim();
      expect(/stor|disk|director|history/i.test(verdict), `the sentence is: ${verdict}`);
      await until('requests per second', async () => number(await card(page, 'requests')) > 10);
      return verdict;
    });
    await everyLook(tools, page, 'store-failed', watch);
    await report.check('nothing went wrong in the page of a host whose store failed', () => watch.clean());
  } finally {
    traffic.close();
    await context.close();
    await host.end();
  }
}
