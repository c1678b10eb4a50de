/** Pages that are watched: what must not happen is collected from the first byte on. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect } from './report.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const BUSY = /^console error: Failed to load resource.* 503 .*\/data\/v1\//;

/** Everything that went wrong in the pages of one context. */
export class Watch {
  faults = [];
  dialogs = 0;
  /** Reads that a busy host gave up after 20 s: the page says so, and repeats them. What never arrives fails by itself. */
  busy = 0;
  /** Patterns of what a scenario causes on purpose. */
  planned = [];

  add(kind, text) {
    const line = `${kind}: ${text}`;
    if (BUSY.test(line)) this.busy += 1;
    else if (!this.planned.some((pattern) => pattern.test(line))) this.faults.push(line);
  }

  /** Throws if anything went wrong since the last call. */
  clean() {
    const faults = this.faults.splice(0);
    expect(faults.length === 0, `${faults.length} faults in the page: ${faults.slice(0, 4).join(' | ')}`);
    const busy = this.busy === 0 ? '' : `, ${this.busy} reads that a busy host gave up were repeated`;
    return `0 console errors, 0 violations of the policy, 0 failed requests, 0 dialogs${busy}`;
  }
}

/** Opens a context whose pages are watched. Only requests to `host` are expected. */
export async function watchedContext(browser, host, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', viewport: { width: 1440, height: 900 }, ...options });
  const watch = new Watch();
  await context.exposeBinding('reportViolation', (_source, text) => { watch.add('policy', text); });
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.reportViolation(`${event.effectiveDirective} blocked ${event.blockedURI} in ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
    });
  });
  context.on('dialog', (dialog) => {
    watch.dialogs += 1;
    watch.add('dialog', dialog.message());
    dialog.dismiss().catch(() => undefined);
  });
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') watch.add(`console ${message.type()}`, `${message.text()} ${message.location().url}`);
  });
  context.on('weberror', (event) => { watch.add('page error', event.error().message); });
  context.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    // A page that is left ends its requests.
    if (why !== 'net::ERR_ABORTED') watch.add('request failed', `${request.url()} ${why}`);
  });
  context.on('request', (request) => {
    const { protocol, host: to } = new URL(request.url());
    if (to !== host.address && protocol !== 'data:' && protocol !== 'blob:') watch.add('foreign request', request.url());
  });
  context.on('page', (page) => {
    // Long: how fast the machine is decides nothing.
    page.setDefaultTimeout(60_000);
    page.on('crash', () => { watch.add('crash', page.url()); });
  });
  return { context, watch };
}

/** Runs axe on a page as it is, and throws with what it finds. */
export async function accessible(page) {
  await page.evaluate(axeSource + '; 0');
  const violations = await page.evaluate(async () => {
    const result = await window.axe.run(document, { resultTypes: ['violations'] });
    return result.violations.map(({ id, nodes }) => `${id} (${nodes.length}) at ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${target.join(' ')}: ${failureSummary?.split('\n').slice(1, 2).join(' ')}`).join('; ')}`);
  });
  expect(violations.length === 0, `axe: ${violations.join(' | ')}`);
}

/**
 * Throws if the page, or anything in it, is wider than the window. A panel cuts off what is too wide for it, so the elements
 * count, not only the width of the page. What is in a region that scrolls by itself, or ends with an ellipsis, may be wider.
 */
export async function nothingSideways(page) {
  const found = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const mayBeWider = (element) => {
      for (let above = element.parentElement; above !== null && above !== document.body; above = above.parentElement) {
        const { overflowX, textOverflow } = getComputedStyle(above);
        if (overflowX === 'auto' || overflowX === 'scroll' || (overflowX !== 'visible' && textOverflow === 'ellipsis')) return true;
      }
      return false;
    };
    const wide = [...document.body.querySelectorAll('*')].filter((element) => element.getBoundingClientRect().right > width + 1 && !mayBeWider(element));
    if (wide.length === 0 && document.documentElement.scrollWidth <= width) return [];
    return [`${document.documentElement.scrollWidth} of ${width}`, ...wide.slice(0, 5).map((element) => `${element.tagName.toLowerCase()}.${element.getAttribute('class') ?? ''}#${element.id}`)];
  });
  expect(found.length === 0, `scrolls sideways: ${found.join(', ')}`);
}
