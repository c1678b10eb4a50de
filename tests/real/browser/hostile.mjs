/** Hostile text through every field: it is shown as it is, and does nothing. */

import { readFileSync } from 'node:fs';
import { Host, TOKEN } from './hosts.mjs';
import { logIn, visit } from './on-screen.mjs';
import { PAGES } from './pages.mjs';
import { expect, sleep, until } from './report.mjs';
import { Traffic } from './traffic.mjs';
import { watchedContext } from './watched.mjs';

/** Classes of payloads: the name to its texts. */
const CLASSES = JSON.parse(readFileSync(new URL('payloads.json', import.meta.url), 'utf8'));
/** So many lines does the overview show. */
const BATCH = 5;

/** Sends a text through every field of a request that takes text: as `line`, a log record or the message of an error. */
function send(traffic, text, n, line) {
  const plain = text.replace(/[^\x20-\x7e]/g, '?');
  const headers = { 'x-route': encodeURIComponent(text), 'x-user-id': encodeURIComponent(text), 'user-agent': plain, referer: plain, 'content-type': plain };
  const body = { span: text, key: text, attribute: text, sql: text, url: `http://api.example/${text}`, [line]: text, mark: n % 40 === 0 ? text : undefined };
  return traffic.send('POST', `/hostile?q=${encodeURIComponent(text)}`, headers, JSON.stringify(body));
}

const batches = (texts) => texts.flatMap((_, i) => (i % BATCH === 0 ? [[texts.slice(i, i + BATCH), i]] : []));

/** The lines of the overview: the title and the text of each. */
const shownLines = (page) => page.locator('#logs li p[title]').evaluateAll((lines) => lines.map((line) => [line.title, line.textContent.trim()]));

/** Waits some seconds until the texts are lines of the overview, and returns those that are not. */
async function unseen(page, texts) {
  let missing = texts;
  for (const deadline = Date.now() + 4_000; missing.length > 0 && Date.now() < deadline; await sleep(50)) {
    const lines = await shownLines(page);
    missing = missing.filter((text) => !lines.some(([title, line]) => same(title, text) && same(line, text)));
  }
  return missing;
}

/** What an element of the page must not be: nothing of the text may have become one. The filters and searches are forms of ours. */
const struck = (page) =>
  page.evaluate(() => {
    const made = document.querySelectorAll('main :is(script, img, iframe, object, embed, style, link, base, form:not(.filters, .qbar, .by), marquee, video, audio, math, foreignObject, template, plaintext, xmp)');
    const handlers = [...document.querySelectorAll('*')].filter((element) => [...element.attributes].some(({ name, value }) => name.startsWith('on') || (/href|src|action|data$/.test(name) && /^\s*(java|vb)script:/i.test(value))));
    return [...made, ...handlers].map((element) => element.outerHTML.slice(0, 100));
  });

export async function hostile(tools) {
  const { report, browser } = tools;
  const host = await new Host({ ...tools.host, name: 'hostile' }).start();
  const traffic = new Traffic(host);
  const { context, watch } = await watchedContext(browser, host);
  const payloads = Object.values(CLASSES).flat();
  try {
    const page = await context.newPage();
    await logIn(page, host, TOKEN);
    await report.check('hostile text in every field is shown as it is, and does nothing', async () => {
      expect(payloads.length >= 200 && Object.values(CLASSES).every((texts) => texts.length >= 5), `there are ${payloads.length} texts`);
      for (const [line, batch, i] of ['log', 'error'].flatMap((line) => batches(payloads).map(([batch, i]) => [line, batch, i]))) {
        let missing = batch;
        // A notice of the monitor may push a line out before it is seen.
        for (let attempt = 0; attempt < 3 && missing.length > 0; attempt += 1) {
          for (const [n, text] of missing.entries()) await send(traffic, text, i + n, line);
          missing = await unseen(page, missing);
        }
        expect(missing.length === 0, `not shown as ${line}: ${JSON.stringify(missing)}; shown: ${JSON.stringify(await shownLines(page))}`);
        const found = await struck(page);
        expect(found.length === 0, `the text became elements: ${found.join(' ')}`);
      }
      watch.clean();
      return `${payloads.length} texts of ${Object.keys(CLASSES).length} classes`;
    });
    await report.check('the same on every page', async () => {
      for (const place of PAGES.filter((page) => !page.name.startsWith('overview-'))) {
        await visit(page, host, { ...place, ready: '.frame main h1' });
        await page.waitForTimeout(500);
        const found = await struck(page);
        expect(found.length === 0, `${place.name}: the text became elements: ${found.join(' ')}`);
      }
      return watch.clean();
    });
    await report.check('routes with hostile names are listed, and their pages show the name', async () => {
      await visit(page, host, { path: 'routes', ready: 'table.routes tbody tr' });
      const names = await until('the routes', async () => {
        const names = await page.locator('table.routes tbody tr th a').evaluateAll((links) => links.map((link) => link.lastChild.textContent));
        return names.length > 20 ? names : null;
      }, 25_000);
      const known = names.filter((name) => payloads.some((text) => same(name, text)));
      expect(known.length >= names.length - 2, `${known.length} of ${names.length} names are as they were sent: ${JSON.stringify(names.filter((name) => !known.includes(name)).slice(0, 8))}`);
      for (const text of known.filter((name) => /[<"']/.test(name)).slice(0, 5)) {
        await visit(page, host, { path: `route?method=POST&route=${encodeURIComponent(text)}`, ready: '.stats' });
        expect(same((await page.locator('h1').textContent()).replace(/^POST /, '').slice(0, text.length), text) || (await page.locator('h1').textContent()).includes(text), `the page of ${text} is titled ${await page.locator('h1').textContent()}`);
        const found = await struck(page);
        expect(found.length === 0, found.join(' '));
      }
      watch.clean();
      return `${known.length} routes`;
    });
  } finally {
    traffic.close();
    await context.close();
    await host.end();
  }
}

/** Whether two texts are the same, but for the characters that the monitor replaces because they would hide others. */
function same(seen, sent) {
  return normal(seen) === normal(sent);
}

const normal = (text) => text.replace(/\s+/g, ' ').trim();
