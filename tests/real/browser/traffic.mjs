/** A client of the host that counts what it sends. */

import http from 'node:http';

/** As in tests/real/pages.rs. */
export const NOUNS =
  'orders items users carts payments invoices refunds coupons reviews ratings brands shelves stores stocks parcels labels drivers routes depots returns gifts wishes notes photos videos tags groups roles teams events tickets seats halls plans tariffs meters bills letters drafts articles authors topics polls votes badges levels quests prizes banners pages'.split(
    ' ',
  );

/** All routes: method, pattern. */
export const ROUTES = NOUNS.flatMap((noun) => [
  ['GET', `/api/${noun}`],
  ['POST', `/api/${noun}`],
  ['GET', `/api/${noun}/{id}`],
  ['DELETE', `/api/${noun}/{id}`],
]);

export class Traffic {
  /** The requests and failures of each route: `GET /api/orders` to `{ count, failed }`. */
  counts = new Map();
  users = new Set();
  sent = 0;
  #agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
  #timers = [];
  /** The ends of visits, each with whether it failed. */
  #ends = [];
  #number = 0;

  constructor(host) {
    this.host = host;
  }

  /** Sends one request and returns its status, its trace and its milliseconds, once its body has been read. */
  send(method, path, headers = {}, body = '') {
    const { hostname, port } = new URL(this.host.url);
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      const request = http.request({ agent: this.#agent, hostname, port, method, path, headers: { 'content-length': Buffer.byteLength(body), ...headers } }, (response) => {
        response.resume();
        response.on('end', () => { resolve({ status: response.statusCode, trace: response.headers['x-trace-id'], ms: performance.now() - begun }); });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  /** Visits a route, counts the visit, and returns the response. `wish` holds `ms` and `fail`. */
  async visit(method, route, wish = {}) {
    this.#number += 1;
    const user = `user-${this.#number % 37}`;
    const path = route.replace('{id}', String(this.#number % 900));
    const query = new URLSearchParams(Object.entries(wish).map(([key, value]) => [key, String(value)]));
    const key = `${method} ${route}`;
    const counted = this.counts.get(key) ?? { count: 0, failed: 0 };
    this.counts.set(key, counted);
    counted.count += 1;
    if (wish.fail !== undefined) counted.failed += 1;
    this.users.add(user);
    const response = await this.send(method, `${path}?${query}`, { 'x-user-id': user });
    const wanted = wish.fail === undefined ? 200 : 500;
    if (response.status !== wanted) throw new Error(`${method} ${path} was answered with ${response.status}`);
    this.sent += 1;
    this.#ends.push([Date.now(), wish.fail !== undefined]);
    return response;
  }

  /** Visits every route so many times. */
  async sweep(times) {
    for (let n = 0; n < times; n += 1) {
      for (let i = 0; i < ROUTES.length; i += 20) {
        await Promise.all(ROUTES.slice(i, i + 20).map(([method, route]) => this.visit(method, route, { ms: 3 })));
      }
    }
  }

  /** Visits routes at this rate until `stop`. */
  run(perSecond) {
    const every = 100;
    let failure = null;
    this.failure = () => failure;
    this.#timers.push(setInterval(() => {
      for (let n = 0; n < (perSecond * every) / 1000; n += 1) {
        const [method, route] = ROUTES[(this.#number * 7) % ROUTES.length];
        this.visit(method, route, { ms: 5 + ((this.#number * 13) % 40) }).catch((error) => { failure ??= error; });
      }
    }, every));
  }

  /** Lets one route fail at this rate until `stop`. */
  fail(perSecond, [method, route], text) {
    this.#timers.push(setInterval(() => { this.visit(method, route, { ms: 8, fail: text }).catch(() => undefined); }, 1000 / perSecond));
  }

  /** How many visits ended in the last milliseconds, and how many of them failed. */
  lately(ms) {
    const ends = this.#ends.filter(([at]) => at >= Date.now() - ms);
    return { count: ends.length, failed: ends.filter(([, failed]) => failed).length };
  }

  stop() {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Closes idle connections, which a host that restarts would end. */
  close() {
    this.stop();
    this.#agent.destroy();
  }

  get total() {
    let [count, failed] = [0, 0];
    for (const route of this.counts.values()) {
      count += route.count;
      failed += route.failed;
    }
    return { count, failed };
  }
}
