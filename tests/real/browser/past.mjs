/** A host with a day of history, an incident, and live traffic over 200 routes. */

import { SHELF, figures, oneTrace } from './figures.mjs';
import { Host, TOKEN } from './hosts.mjs';
import { incident } from './incident.mjs';
import { card, logIn, number, visit } from './on-screen.mjs';
import { PAGES, STRICKEN } from './pages.mjs';
import { expect, expectEqual, sleep, until } from './report.mjs';
import { shoot } from './shots.mjs';
import { Traffic } from './traffic.mjs';
import { accessible, nothingSideways, watchedContext } from './watched.mjs';

export async function past(tools) {
  const { report, browser } = tools;
  const host = new Host({ ...tools.host, name: 'past', mode: 'past' });
  const begun = await report.check('24 hours of history through the ticker', async () => {
    await host.start(400_000);
    const { requests, failed } = host.past;
    return `${requests} requests, ${failed} failed`;
  });
  if (!begun) return;
  const traffic = new Traffic(host);
  const { context, watch } = await watchedContext(browser, host);
  const page = await context.newPage();
  try {
    await report.check('the start link logs in', async () => {
      await logIn(page, host, TOKEN);
      expect(!page.url().includes('token'), 'the token stays in the address');
    });
    const begun = Date.now();
    await report.check('live traffic over 200 routes', async () => {
      await traffic.sweep(1);
      for (let n = 0; n < 30; n += 1) await traffic.visit(...STRICKEN, { ms: 3, fail: SHELF });
      return `${traffic.sent} requests`;
    });
    await figures(tools, host, page, traffic, begun);
    await oneTrace(tools, host, page, traffic);
    traffic.run(20);
    await report.check('a value is on screen within 2 s of its event', () => latency(page, host, traffic));
    await everyPage(tools, host, context, watch);
    await keyboard(tools, host, page);
    await tables(tools, host, page);
    await addresses(tools, host, page);
    await report.check('the card of requests has the rate of the client', async () => {
      await visit(page, host, { path: './', ready: '[data-card=requests] .chart canvas' });
      return until('20 requests per second', async () => {
        const seen = number(await card(page, 'requests'));
        expect(Math.abs(seen - 20) <= 3, `on screen ${seen}, the client sends 20`);
        return `${seen} per second`;
      }, 60_000);
    });
    await incident(tools, host, page, watch, traffic);
    await report.check('no request of the traffic failed unexpectedly', () => {
      const failure = traffic.failure();
      expect(failure === null, String(failure));
      return `${traffic.sent} requests`;
    });
    await report.check('nothing went wrong in any page of it', () => watch.clean());
  } finally {
    traffic.close();
    await context.close();
    await host.end('SIGTERM');
  }
}

/** The time from an event to its text on screen: the middle one of five. */
async function latency(page, host, traffic) {
  await visit(page, host, { path: './', ready: '#logs li' });
  const times = [];
  for (let n = 0; n < 5; n += 1) {
    const text = `event ${n} of ${Date.now()}`;
    const shown = page.waitForFunction((text) => document.getElementById('logs')?.textContent?.includes(text), text, { polling: 50, timeout: 10_000 });
    const at = Date.now();
    await traffic.visit(...STRICKEN, { ms: 1, fail: text });
    await shown;
    times.push(Date.now() - at);
    await sleep(137);
  }
  times.sort((a, b) => a - b);
  expect(times[2] <= 2000, `the middle one of five took ${times[2]} ms: ${times.join(', ')}`);
  return `${times.join(', ')} ms`;
}

/** Each page, light and dark, wide and narrow. */
async function everyPage({ report, shots }, host, context, watch) {
  for (const { name, most, ...place } of PAGES) {
    for (const width of [1440, 390]) {
      const page = await context.newPage();
      try {
        await page.setViewportSize({ width, height: 900 });
        for (const colorScheme of ['light', 'dark']) {
          await report.check(`${name}, ${width} wide, ${colorScheme}`, async () => {
            await page.emulateMedia({ colorScheme });
            if (colorScheme === 'light') await visit(page, host, place);
            await nothingSideways(page);
            const bytes = await shoot(page, shots, `${name}-${colorScheme}-${width}`, most);
            await accessible(page);
            watch.clean();
            return `axe finds nothing, nothing sideways, screenshot of ${Math.round(bytes / 1000)} kB`;
          });
        }
      } finally {
        await page.close();
      }
    }
  }
}

const focused = (page) => page.evaluate(() => document.activeElement?.id || document.activeElement?.dataset?.row || document.activeElement?.tagName || '');

async function keyboard({ report }, host, page) {
  await report.check('keys / p j k Enter g-o t ? Esc', async () => {
    await visit(page, host, { path: 'routes?range=24h', ready: 'table.routes tbody tr' });
    await page.keyboard.press('/');
    expectEqual(await focused(page), 'q', 'the focus after /');
    await page.keyboard.press('Escape');
    expect((await focused(page)) !== 'q', 'Esc does not leave the search');
    const rows = await page.locator('[data-row]').evaluateAll((rows) => rows.map((row) => row.dataset.row));
    await page.keyboard.press('j');
    expectEqual(await focused(page), rows[0], 'the focus after j');
    await page.keyboard.press('j');
    expectEqual(await focused(page), rows[1], 'the focus after j j');
    await page.keyboard.press('k');
    expectEqual(await focused(page), rows[0], 'the focus after j j k');
    await page.keyboard.press('p');
    await page.waitForSelector('.pause[aria-pressed=true]');
    expect(await page.locator('.wait').isVisible(), 'the bar of a paused page is not there');
    await page.keyboard.press('p');
    await page.waitForSelector('.pause[aria-pressed=false]');
    const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await colour();
    await page.keyboard.press('t');
    expect((await colour()) !== before, 't does not change the theme');
    await page.keyboard.press('t');
    expectEqual(await colour(), before, 'the colour after t t');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog#help[open]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog#help:not([open])', { state: 'attached' });
    await page.keyboard.press('j');
    const first = await focused(page);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/route\?/);
    const { searchParams } = new URL(page.url());
    expectEqual(`${searchParams.get('method')} ${searchParams.get('route')}`, first, 'the page after Enter');
    await page.waitForSelector('.frame main h1');
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.waitForSelector('[data-card=requests]');
    await page.keyboard.press('g');
    await page.keyboard.press('r');
    await page.waitForSelector('table.routes');
  });
}

/** Every chart can be read as a table. */
async function tables({ report }, host, page) {
  await report.check('every chart of the overview has a table', async () => {
    await visit(page, host, { path: './', ready: '[data-card=requests] .chart canvas' });
    const names = await page.locator('[data-card]:has(.chart)').evaluateAll((cards) => cards.map((card) => card.dataset.card));
    expect(names.length >= 6, `only ${names.length} cards have a line: ${names.join(', ')}`);
    for (const name of names) {
      await page.locator(`[data-card="${name}"] h3 a`).click();
      await page.locator('#chart button[aria-pressed=false]').click();
      const rows = await page.locator('#chart tbody tr').count();
      expect(rows > 10, `the table of ${name} has ${rows} rows`);
      expect(page.url().includes(`card=${name}`) && page.url().includes('view=table'), `the address of the table of ${name} is ${page.url()}`);
      await page.keyboard.press('Escape');
      await page.waitForSelector('#chart', { state: 'detached' });
    }
    return names.join(', ');
  });
  for (const { name, ...place } of PAGES.filter((page) => !page.name.startsWith('overview'))) {
    await report.check(`every chart of ${name} has a table`, async () => {
      await visit(page, host, place);
      // An alert may fire or not. The tables of its charts are those of the cards.
      const [charts, links] = await page.evaluate(() => ['#alert [role=slider]', '#alert h3 a[href*="view=table"]'].map((what) => document.querySelectorAll(what).length));
      expectEqual(links, charts, 'tables of the charts of the alert');
      const panels = page.locator('section.panel:not(#alert):has([role=slider])');
      const count = await panels.count();
      const titles = await panels.evaluateAll((panels) => panels.map((panel) => panel.querySelector('h2')?.id ?? ''));
      for (const title of titles) {
        expect(title !== '', 'a chart is in a panel without a title');
        const panel = page.locator(`section.panel:has(#${CSS_escape(title)})`);
        await panel.locator('button[aria-pressed=false][aria-label$="As a table"]').click();
        const rows = await panel.locator('tbody tr').count();
        expect(rows > 2, `the table of ${title} has ${rows} rows`);
      }
      return `${count} charts`;
    });
  }
}

const CSS_escape = (text) => text.replace(/[^\w-]/g, (character) => `\\${character}`);

/** A page that is loaded again shows the same. */
async function addresses({ report }, host, page) {
  await report.check('the address holds the range', async () => {
    await visit(page, host, { path: './', ready: '[data-card=requests] .chart canvas' });
    for (const [button, name] of [['6 h', '6h'], ['24 h', '24h']]) {
      await page.locator('.top button.range').click();
      await page.locator('#range').getByRole('button', { name: button, exact: true }).click();
      expectEqual(new URL(page.url()).searchParams.get('range'), name, 'the range in the address');
      const before = await page.locator('.top button.range').textContent();
      await page.reload();
      await page.waitForSelector('[data-card=requests] .chart canvas');
      expectEqual(await page.locator('.top button.range').textContent(), before, 'the range after loading again');
    }
    const to = Math.floor(Date.now() / 60_000) * 60_000;
    await visit(page, host, { path: `./?from=${to - 3_600_000}&to=${to}`, ready: '[data-card=requests] .chart canvas' });
    const absolute = await page.locator('.top button.range').textContent();
    await page.reload();
    await page.waitForSelector('[data-card=requests] .chart canvas');
    expectEqual(await page.locator('.top button.range').textContent(), absolute, 'an absolute range after loading again');
    return `6 h, 24 h, ${absolute.trim()}`;
  });
  await report.check('the address holds the order of the routes', async () => {
    await visit(page, host, { path: 'routes?range=24h', ready: 'table.routes tbody tr' });
    await page.getByRole('group', { name: 'Order' }).getByRole('button', { name: 'Errors' }).click();
    const rows = () => page.locator('table.routes tbody tr').evaluateAll((rows) => rows.slice(0, 1).map((row) => row.dataset.row));
    expectEqual(await rows(), [STRICKEN.join(' ')], 'the first route by errors');
    await page.reload();
    await page.waitForSelector('table.routes tbody tr');
    expectEqual(await rows(), [STRICKEN.join(' ')], 'the first route after loading again');
    expectEqual(await page.getByRole('group', { name: 'Order' }).getByRole('button', { name: 'Errors' }).getAttribute('aria-pressed'), 'true', 'the chosen order');
  });
}
