/** How many clicks there are from one signal to another. */

import { visit } from './on-screen.mjs';
import { expect } from './report.mjs';

/** What is looked for, and what of it is on a page: its page, or a row with its figures. `about` is the route with the failures. */
const SIGNALS = {
  alert: '#alert',
  rule: '#rules tbody tr',
  chart: '[role=slider]',
  anomaly: '#unusual li',
  service: '.svcs, #services tbody tr',
  route: (about) => ({ page: 'route', text: about, row: 'none' }),
  trace: (about) => ({ page: 'trace', text: about, row: 'none' }),
  lines: '#lines li, #logs li',
  error: '#errors li, #inbox li, #events',
  statement: (about, statement) => ({ page: 'statement', text: statement, row: `:is(#statements, #queries) [data-row="${statement}"]` }),
};
export const KINDS = Object.keys(SIGNALS);
/** What is true now, for which the frame has links on every page. All others are about something. */
const OF_NOW = ['alert', 'rule', 'chart', 'anomaly', 'service'];
/** So many links of a place to pages of one name are followed. */
const FOLLOWED = 2;
const MOST = 2;

export class Walk {
  /** Address to what is on the page, and where its links lead. */
  #seen = new Map();
  #loads = 0;

  /** `about`: `{ route: [method, pattern], statement }`. */
  constructor(page, host, about) {
    Object.assign(this, { page, host, about });
  }

  /** The addresses to which the links in `scope` lead: pages of the dashboard, without its documents. */
  async #links(scope) {
    const all = await this.page.locator(scope).first().evaluate((element, mount) => {
      const links = [...(element.matches('a') ? [element] : []), ...element.querySelectorAll('a[href]:not([target])')];
      const here = new URL(location.href);
      here.hash = '';
      return links.map((link) => new URL(link.href)).filter((url) => {
        const whole = url.href;
        url.hash = '';
        return whole.startsWith(mount) && !whole.includes('/data/v1/') && url.href !== here.href;
      }).map((url) => url.href);
    }, this.host.monitoring);
    const { route: [, pattern], statement } = this.about;
    const isAbout = (href) => [pattern, statement].some((text) => new URL(href).search.includes(new URLSearchParams({ a: text }).toString().slice(2)));
    const counts = new Map();
    // Those about the same come first.
    return [...new Set(all)].sort((a, b) => Number(isAbout(b)) - Number(isAbout(a))).filter((href) => {
      const name = new URL(href).pathname;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return counts.get(name) <= FOLLOWED;
    });
  }

  async #shown() {
    return this.page.evaluate(({ wanted, name }) => {
      const main = document.querySelector('main');
      const head = [...main.querySelectorAll('h1, .sub')].map((element) => element.textContent).join(' ');
      return wanted.filter(([, what]) => (main.querySelector(typeof what === 'string' ? what : what.row) !== null || (name === what.page && head.includes(what.text)))).map(([kind]) => kind);
    }, {
      wanted: Object.entries(SIGNALS).map(([kind, what]) => [kind, typeof what === 'string' ? what : what(this.about.route[1], this.about.statement)]),
      name: new URL(this.page.url()).pathname.split('/').pop(),
    });
  }

  /** What is on a page, and its links. */
  async #read(href) {
    const key = href.replace(/#.*$/, '');
    if (!this.#seen.has(key)) {
      this.#loads += 1;
      await visit(this.page, this.host, { path: href, ready: '.frame main h1' });
      await this.page.waitForTimeout(400);
      this.#seen.set(key, { shows: await this.#shown(), links: await this.#links('main'), frame: await this.#links('nav') });
    }
    return this.#seen.get(key);
  }

  /** The clicks from a signal, `{ path, ready, scope }`, to each kind of signal. */
  async from({ path, ready, scope }) {
    await visit(this.page, this.host, { path, ready });
    await this.page.locator(scope).first().waitFor();
    await this.page.waitForTimeout(400);
    let places = await this.#links(scope);
    const frame = await this.#links('nav');
    const clicks = new Map();
    for (let n = 1; n <= MOST; n += 1) {
      const next = [];
      for (const href of places) {
        const { shows, links } = await this.#read(href);
        for (const kind of shows) if (!clicks.has(kind)) clicks.set(kind, n);
        next.push(...links);
      }
      for (const href of n === 1 ? frame : []) {
        const { shows } = await this.#read(href);
        for (const kind of shows) if (OF_NOW.includes(kind) && !clicks.has(kind)) clicks.set(kind, n);
      }
      places = [...new Set(next)];
    }
    return clicks;
  }

  /** Walks from every signal to every other, and throws if one is further away than two clicks. */
  async all(starts) {
    const far = [];
    const counts = { 1: 0, 2: 0 };
    for (const [from, start] of Object.entries(starts)) {
      const clicks = await this.from(start);
      for (const to of KINDS.filter((kind) => kind !== from)) {
        const n = clicks.get(to);
        if (n === undefined) far.push(`${from} to ${to}`);
        else counts[n] += 1;
      }
    }
    expect(far.length === 0, `more than ${MOST} clicks: ${far.join(', ')}`);
    return `${counts[1]} pairs with one click, ${counts[2]} with two, ${this.#loads} pages`;
  }
}
