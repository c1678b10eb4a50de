// Serves the built page with documents made up here, to look at it without a service. For development only.
//
//   node dev/server.mjs [--port 8123] [--scene healthy|incident|empty|gap|failed] [--prefix /ops/monitoring]
//                       [--login] [--viewer] [--no-websocket] [--freeze SECONDS]
//
// The token of --login is `letmein`. --freeze sends nothing more after so many seconds.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import * as alerts from './alerts.mjs';
import * as errors from './errors.mjs';
import { Scene } from './fixtures.mjs';
import * as logs from './logs.mjs';
import * as operations from './operations.mjs';
import * as routes from './routes.mjs';
import * as traces from './traces.mjs';

const { values: args } = parseArgs({
  options: {
    port: { type: 'string', default: '8123' },
    scene: { type: 'string', default: 'incident' },
    prefix: { type: 'string', default: '/ops/monitoring' },
    login: { type: 'boolean', default: false },
    viewer: { type: 'boolean', default: false },
    'no-websocket': { type: 'boolean', default: false },
    freeze: { type: 'string' },
  },
});
const ASSETS = new URL('../../assets/', import.meta.url);
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const scene = new Scene(args.scene);
const epoch = createHash('sha256').update(String(scene.begun)).digest('hex').slice(0, 16);
const begun = Date.now();
let seq = 1;
let before = scene.sections(Date.now());
const changedAt = Object.fromEntries(Object.keys(before).map((name) => [name, 1]));
const clients = new Set();
const isFrozen = () => args.freeze !== undefined && Date.now() - begun > Number(args.freeze) * 1000;

const session = () => ({ role: args.viewer ? 'viewer' : 'operator', service: 'contentmax', version: 'v1.4.3', environment: 'production', can_log_out: args.login, now: Date.now() });
const hello = () => ({ type: 'hello', epoch, seq, at: Date.now(), heartbeat_ms: 5000, sections: before });
const since = (from) => ({ type: 'delta', from, seq, at: Date.now(), sections: Object.fromEntries(Object.entries(before).filter(([name]) => changedAt[name] > from)) });

setInterval(() => {
  if (isFrozen()) return;
  const now = scene.sections(Date.now());
  const changed = Object.keys(now).filter((name) => JSON.stringify(now[name]) !== JSON.stringify(before[name]));
  if (changed.length === 0) return;
  const from = seq;
  seq += 1;
  before = now;
  for (const name of changed) changedAt[name] = seq;
  const frame = textFrame(JSON.stringify(since(from)));
  for (const socket of clients) socket.write(frame);
}, 1000);

function textFrame(text) {
  const body = Buffer.from(text);
  const head = body.length < 126 ? Buffer.from([0x81, body.length]) : Buffer.alloc(body.length < 65536 ? 4 : 10, 0);
  if (body.length >= 126) {
    head[0] = 0x81;
    if (body.length < 65536) {
      head[1] = 126;
      head.writeUInt16BE(body.length, 2);
    } else {
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(body.length), 2);
    }
  }
  return Buffer.concat([head, body]);
}

const hasAccess = (request) => !args.login || (request.headers.cookie ?? '').includes('wp=1');

async function readBody(request) {
  let text = '';
  for await (const part of request) text += part;
  return JSON.parse(text || '{}');
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const send = (status, type, body, headers = {}) => {
    response.writeHead(status, { 'content-type': type, 'content-security-policy': CSP, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store', ...headers });
    response.end(body);
  };
  const json = (status, value, headers) => send(status, 'application/json', JSON.stringify(value), headers);
  const fail = (status, code, message) => json(status, { code, message });
  if (url.pathname === args.prefix) return send(308, 'text/plain', '', { location: args.prefix.slice(args.prefix.lastIndexOf('/') + 1) + '/' + url.search });
  if (!url.pathname.startsWith(args.prefix + '/')) return fail(404, 'not_found', 'There is nothing here.');
  const path = url.pathname.slice(args.prefix.length + 1);
  const isPage = ['', 'alerts', 'errors', 'error', 'routes', 'route', 'database', 'statement', 'calls', 'traces', 'trace', 'logs'].includes(path);
  if (isPage || path.startsWith('assets/')) {
    const name = isPage ? 'index.html' : path.slice('assets/'.length);
    try {
      if (name.includes('/')) throw new Error(name);
      return send(200, TYPES[name.split('.').pop()] ?? 'text/plain', await readFile(new URL(name, ASSETS)));
    } catch {
      return fail(404, 'not_found', 'There is no such file.');
    }
  }
  if (request.method === 'POST') {
    const body = await readBody(request);
    if (path === 'login') return body.token === 'letmein' ? json(200, session(), { 'set-cookie': `wp=1; HttpOnly; SameSite=Strict; Path=${args.prefix}/` }) : fail(401, 'wrong_token', 'This token is not right.');
    if (!hasAccess(request)) return fail(401, 'unauthorized', 'Log in first.');
    if (path === 'logout') return send(204, 'application/json', undefined, { 'set-cookie': `wp=; Max-Age=0; Path=${args.prefix}/` });
    if (path === 'data/v1/test-error' || path === 'data/v1/test-trace') {
      const now = Date.now();
      const trace_id = createHash('sha256').update(String(now)).digest('hex').slice(0, 32);
      scene.sent.traces.unshift({ trace_id, at: now, method: 'GET', route: '/watchpost-test', duration: 0.012, status: path.endsWith('error') ? 500 : 200, failed: path.endsWith('error'), kept: 'error' });
      if (path.endsWith('error')) scene.sent.errors.unshift({ id: String(now), type: 'watchpost::TestError', message: 'a test error', location: '', route: '', count: 1, first_at: now, last_at: now, trace_id, mark: 'new' });
      return json(202, { trace_id, event_id: path.endsWith('error') ? trace_id : null });
    }
  }
  if (path === 'data/v1/session') return json(200, hasAccess(request) ? session() : null);
  if (!hasAccess(request)) return fail(401, 'unauthorized', 'Log in first.');
  if (path === 'data/v1/overview') {
    const now = Date.now();
    const series = scene.series(url.searchParams, now);
    const range = { from: series.start, to: series.start + series.values.cpu.length * series.step_ms, live: !url.searchParams.has('from') };
    return json(200, { epoch, seq, at: now, range, sections: before, series });
  }
  if (path === 'data/v1/alerts') return json(200, alerts.alerts(Date.now(), args.scene === 'incident', before.alerts));
  if (path === 'data/v1/alerts/backtest') return json(200, alerts.backtest(Date.now(), url.searchParams));
  if (path === 'data/v1/alerts/preview') return json(200, { hides: 1, alerts: ['high-error-rate (firing)'] });
  if (path === 'data/v1/errors') return json(200, errors.list(Date.now(), url.searchParams, args.scene === 'empty'));
  if (path === 'data/v1/error') return json(200, errors.one(Date.now(), url.searchParams));
  if (path === 'data/v1/routes') return json(200, routes.routes(Date.now(), args.scene === 'incident'));
  if (path === 'data/v1/route') {
    const name = { route: url.searchParams.get('route'), method: url.searchParams.get('method') };
    return json(200, routes.route(Date.now(), args.scene === 'incident', name, before));
  }
  if (path === 'data/v1/traces') return json(200, traces.list(Date.now(), url.searchParams));
  if (path === 'data/v1/trace-differences') return json(200, traces.differences(Date.now()));
  if (path === 'data/v1/trace') return json(200, traces.trace(Date.now(), url.searchParams));
  if (path.startsWith('data/v1/logs')) {
    const { status = 200, body, headers } = logs.answer(path.slice('data/v1/logs'.length), Date.now(), url.searchParams, args.scene === 'empty');
    return typeof body === 'string' ? send(status, 'application/x-ndjson', body, headers) : json(status, body);
  }
  const isBad = args.scene === 'incident';
  if (path === 'data/v1/statements') return json(200, operations.statements(Date.now(), isBad));
  if (path === 'data/v1/statement') {
    const [system, namespace, summary] = ['system', 'namespace', 'summary'].map((key) => url.searchParams.get(key) ?? '');
    return json(200, operations.oneStatement(Date.now(), isBad, { system, namespace, summary }, before));
  }
  if (path === 'data/v1/pools') return json(200, operations.pools(Date.now(), isBad, before));
  if (path === 'data/v1/calls') return json(200, operations.calls(Date.now(), isBad));
  if (path === 'data/v1/live') {
    if (isFrozen()) return response.destroy();
    const after = Number(url.searchParams.get('after'));
    const known = url.searchParams.get('epoch') === epoch && after > 0 && after <= seq;
    return json(200, { messages: [!known ? hello() : after === seq ? { type: 'heartbeat', seq, at: Date.now() } : since(after)] });
  }
  return fail(404, 'not_found', 'There is nothing here.');
});

server.on('upgrade', (request, socket) => {
  socket.on('error', () => undefined);
  if (args['no-websocket'] || request.url.split('?')[0] !== `${args.prefix}/live` || !hasAccess(request) || isFrozen()) return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  socket.write(textFrame(JSON.stringify(hello())));
  clients.add(socket);
  socket.on('data', () => undefined);
  socket.on('close', () => clients.delete(socket));
});

server.listen(Number(args.port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}${args.prefix}`);
});
