/** What a page shows, as a reader sees it. */

import { until } from './report.mjs';

/** Opens the start link, which logs in. */
export async function logIn(page, host, token) {
  await page.goto(`${host.monitoring}#token=${token}`);
  await page.waitForSelector('.frame');
}

/** Goes to a page below the mount and waits until it shows what it is there for. */
export async function visit(page, host, { path, ready }) {
  await page.goto(new URL(typeof path === 'function' ? await path(host) : path, host.monitoring).href);
  await page.waitForSelector(ready, { timeout: 180_000 });
  await until('the end of loading', () => page.evaluate(() => !/Reading the last|^Loading|Loading…/m.test(document.body.innerText)), 180_000);
}

export const number = (text) => Number(text.replaceAll(',', '').replace(/[^0-9.].*$/, ''));

/** The value of a card, without its unit. */
export async function card(page, name) {
  return page.locator(`[data-card="${name}"] .v`).evaluate((element) => element.textContent.replace(element.querySelector('small')?.textContent ?? '', '').trim());
}

/** The sum of the counts in the panel of errors. */
export async function errorsOnScreen(page) {
  const texts = await page.locator('#errors li > span.nw').allTextContents();
  return texts.reduce((sum, text) => sum + number(text), 0);
}

/** The texts of the rows of a table: the name of each row to its cells. */
export async function rowsOf(page, panel) {
  return page.locator(`${panel} tbody tr`).evaluateAll((rows) =>
    Object.fromEntries(rows.map((row) => [row.querySelector('th')?.textContent.trim() ?? '', [...row.querySelectorAll('td')].map((cell) => cell.textContent.trim())])),
  );
}

/** The rows of the table of status codes of a route: `{ 200: 12 }`. */
export async function statuses(page) {
  return page.locator('#statuses tbody tr').evaluateAll((rows) =>
    Object.fromEntries(rows.map((row) => [row.querySelector('th')?.textContent ?? '', Number((row.querySelector('td.num')?.textContent ?? '').replaceAll(',', ''))])),
  );
}
