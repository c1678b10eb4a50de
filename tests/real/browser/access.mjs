/** Who gets in: tokens, logins and their limit, pages of other origins. */

import http from 'node:http';
import net from 'node:net';
import { everyLook } from './empty.mjs';
import { Host, TOKEN } from './hosts.mjs';
import { expect, expectEqual, until } from './report.mjs';
import { watchedContext } from './watched.mjs';

export async function access(tools) {
  const { report, browser } = tools;
  const host = await new Host({ ...tools.host, name: 'access' }).start();
  const { context, watch } = await watchedContext(browser, host);
  try {
    const page = await context.newPage();
    await report.check('without a login nothing is shown', async () => {
      await page.goto(host.monitoring + 'routes?range=24h');
      await page.getByRole('heading', { name: 'Log in' }).waitFor();
      expect(!(await page.content()).includes('shop'), 'the name of the service is on the page');
      const { status } = await fetch(host.monitoring + 'data/v1/overview?range=1h');
      expectEqual(status, 401, 'the status of a document');
    });
    await everyLook(tools, page, 'login', watch);
    await report.check('a wrong token is refused in words', async () => {
      watch.planned.push(/console error: Failed to load resource.* 401 .*\/login/);
      await attempt(page, 'wrong-token-wrong-token-wrong-token');
      await page.getByRole('alert').getByText('This token is not right.').waitFor();
    });
    await everyLook(tools, page, 'login-refused', watch);
    await report.check('the right token leads to the page that was asked for', async () => {
      await attempt(page, TOKEN);
      await page.waitForSelector('.frame');
      expect(page.url().endsWith('routes?range=24h'), page.url());
      const [cookie] = await context.cookies();
      expect(cookie.httpOnly && cookie.sameSite === 'Strict', JSON.stringify(cookie));
    });
    await report.check('a page of another origin can neither write nor listen', () => foreign(browser, host, context));
    await report.check('logging out ends the session', async () => {
      const [cookie] = await context.cookies();
      await page.getByRole('button', { name: /Log out/ }).click();
      await page.getByRole('heading', { name: 'Log in' }).waitFor();
      const { status } = await fetch(host.monitoring + 'data/v1/overview?range=1h', { headers: { cookie: `${cookie.name}=${cookie.value}` } });
      expectEqual(status, 401, 'the status with the old cookie');
    });
    await report.check('more attempts than ten in a minute are refused, the right token too', async () => {
      watch.planned.push(/console error: Failed to load resource.* 429 .*\/login/);
      let attempts = 0;
      while ((await page.getByText('Too many attempts. Wait a minute, then try again.').count()) === 0) {
        attempts += 1;
        expect(attempts <= 11, 'eleven attempts were answered');
        await attempt(page, `wrong-token-wrong-token-wrong-token-${attempts}`);
        await until('the answer', () => page.locator('button[type=submit][aria-disabled=false]').count());
      }
      await attempt(page, TOKEN);
      await until('the answer', () => page.locator('button[type=submit][aria-disabled=false]').count());
      await page.getByText('Too many attempts').waitFor();
      return `refused after ${attempts} more`;
    });
    await report.check('nothing else went wrong in the page of the login', () => watch.clean());
  } finally {
    await context.close();
    await host.end();
  }
}

async function attempt(page, token) {
  await page.locator('#token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** A page of the same site and another port, where the browser sends the cookie along. */
async function foreign(browser, host, context) {
  const server = http.createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>another</title>');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  // Not watched: what the browser prevents, it reports.
  const other = await browser.newContext({ storageState: await context.storageState() });
  const page = await other.newPage();
  try {
    const before = await host.data('overview?range=15m');
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const seen = await page.evaluate(async (monitoring) => {
      const socket = await new Promise((resolve) => {
        const socket = new WebSocket(`${monitoring.replace('http', 'ws')}live`);
        socket.onopen = () => { resolve('open'); };
        socket.onclose = () => { resolve('closed'); };
      });
      const read = await fetch(`${monitoring}data/v1/overview?range=1h`, { credentials: 'include' }).then(() => 'read', () => 'refused');
      await fetch(`${monitoring}data/v1/test-error`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }).catch(() => undefined);
      await fetch(`${monitoring}logout`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }).catch(() => undefined);
      return { socket, read };
    }, host.monitoring);
    expectEqual(seen, { socket: 'closed', read: 'refused' }, 'what another origin may');
    const cookies = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const origin = `http://127.0.0.1:${server.address().port}`;
    const post = await fetch(host.monitoring + 'data/v1/test-error', { method: 'POST', headers: { origin, cookie: cookies, 'content-type': 'application/json' }, body: '{}' });
    expectEqual(post.status, 403, 'the status of a write from another origin');
    expectEqual(await upgrade(host, origin, cookies), 403, 'the status of a WebSocket from another origin');
    expectEqual(await upgrade(host, host.url, cookies), 101, 'the status of a WebSocket from its own origin');
    const after = await host.data('overview?range=15m');
    expectEqual(after.sections.errors.length, before.sections.errors.length, 'captured errors');
    const session = await fetch(host.monitoring + 'data/v1/session', { headers: { cookie: cookies } });
    expect((await session.json()) !== null, 'the other origin has ended the session');
    return 'no document, no write, no socket: 403';
  } finally {
    await other.close();
    server.close();
  }
}

/** The status of a WebSocket's handshake. */
function upgrade(host, origin, cookie) {
  const [hostname, port] = host.address.split(':');
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => {
      socket.write(
        `GET /monitoring/live HTTP/1.1\r\nhost: ${host.address}\r\norigin: ${origin}\r\ncookie: ${cookie}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
          'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
    });
    socket.once('data', (data) => {
      resolve(Number(data.toString().split(' ')[1]));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
