/** Live updates: without WebSocket, and for a minute. */

import { Host, TOKEN } from './hosts.mjs';
import { logIn } from './on-screen.mjs';
import { expect, sleep, until } from './report.mjs';
import { Traffic } from './traffic.mjs';
import { watchedContext } from './watched.mjs';

const MINUTE = 60_000;

export async function live(tools) {
  const { report, browser } = tools;
  const host = await new Host({ ...tools.host, name: 'live' }).start();
  const traffic = new Traffic(host);
  try {
    traffic.run(20);
    const flat = report.check('heap and nodes stay flat over a minute of live updates', () => aMinute(browser, host));
    await report.check('where WebSocket is blocked, the page asks', () => polling(browser, host, traffic));
    await flat;
  } finally {
    traffic.close();
    await host.end();
  }
}

async function polling(browser, host, traffic) {
  const { context, watch } = await watchedContext(browser, host);
  try {
    const page = await context.newPage();
    let blocked = 0;
    await page.routeWebSocket(/\/live$/, (socket) => {
      blocked += 1;
      void socket.close({ code: 1011 });
    });
    await logIn(page, host, TOKEN);
    await page.getByText('WebSocket is blocked: asking each second').waitFor({ timeout: 20_000 });
    const text = `asked for at ${Date.now()}`;
    await traffic.visit('GET', '/api/orders/{id}', { ms: 1, fail: text });
    await until('the line', async () => (await page.locator('#logs').textContent()).includes(text), 5_000);
    expect(blocked >= 2, `${blocked} sockets were blocked`);
    watch.clean();
    return `${blocked} sockets were blocked`;
  } finally {
    await context.close();
  }
}

/** The heap after a collection, and what is in the document. */
async function sizes(session, page) {
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  const value = (name) => metrics.find((metric) => metric.name === name).value;
  return { heap: value('JSHeapUsedSize'), nodes: value('Nodes'), listeners: value('JSEventListeners'), updates: await page.evaluate(() => window.updates) };
}

async function aMinute(browser, host) {
  const { context, watch } = await watchedContext(browser, host);
  try {
    const page = await context.newPage();
    await page.addInitScript(() => {
      window.updates = 0;
      const Native = WebSocket;
      window.WebSocket = class extends Native {
        constructor(...of) {
          super(...of);
          this.addEventListener('message', () => { window.updates += 1; });
        }
      };
    });
    await logIn(page, host, TOKEN);
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable');
    // The lists are full and the charts are drawn.
    await page.waitForSelector('[data-card=requests] .chart canvas', { timeout: 45_000 });
    await sleep(5_000);
    // In the first minute the engine compiles what it runs, and lists become full.
    await sleep(MINUTE);
    const before = await sizes(session, page);
    await sleep(MINUTE);
    const after = await sizes(session, page);
    const updates = after.updates - before.updates;
    const text = `heap ${kib(before.heap)} to ${kib(after.heap)} KiB, nodes ${before.nodes} to ${after.nodes}, listeners ${before.listeners} to ${after.listeners}, after ${updates} updates`;
    expect(updates >= 30, `only ${updates} updates arrived`);
    expect(after.heap - before.heap <= Math.max(512 * 1024, before.heap / 10), text);
    expect(after.nodes <= before.nodes * 1.1 + 50, text);
    expect(after.listeners <= before.listeners * 1.1 + 10, text);
    watch.clean();
    return text;
  } finally {
    await context.close();
  }
}

const kib = (bytes) => Math.round(bytes / 1024);
