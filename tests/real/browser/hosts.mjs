/** The processes of the hosts. */

import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, until } from './report.mjs';

export const TOKEN = 'Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy';
export const VIEWER = 'Hd1Js5Pg0QyZq7Rf2Lw9Xk4Tn8Vb3Mc6';

const running = new Set();

/** Sends a signal to a host and to all that it has started. */
function signal(child, name) {
  try {
    process.kill(-child.pid, name);
  } catch {
    // It has ended.
  }
}

/** Ends what is left. */
export function endAll() {
  for (const child of running) signal(child, 'SIGKILL');
}

/** A host of tests/real/pages.rs. */
export class Host {
  /** `settings`: `program`, `dir`, `name`, and optionally `mode` (`past` or `plain`) and `listen`. */
  constructor(settings) {
    this.settings = { mode: 'plain', listen: '127.0.0.1:0', ...settings };
    this.dir = join(settings.dir, `${settings.name}.data`);
  }

  /** The program, its arguments and variables, and what it prints once it listens. */
  launch() {
    const { program, mode, listen } = this.settings;
    const set = { MODE: mode, DIR: this.dir, LISTEN: listen, TOKEN, VIEWER };
    const env = Object.fromEntries(Object.entries(set).map(([key, value]) => [`WATCHPOST_REAL_PAGES_${key}`, value]));
    return { program, args: [], env, said: /pages listen on http:\/\/(\S+)(?: after (\{.*\}))?/ };
  }

  async start(ms = 60_000) {
    const { dir, name } = this.settings;
    const { program, args, env: set, said } = this.launch();
    mkdirSync(this.dir, { recursive: true });
    const log = join(dir, `${name}.log`);
    const file = openSync(log, 'w');
    const env = { ...process.env };
    for (const key of Object.keys(env)) if (/^(OTEL_|WATCHPOST_|SENTRY_|RUST_LOG)/.test(key)) delete env[key];
    Object.assign(env, set);
    // A group of its own: tests/real/run ends groups.
    const child = spawn(program, args, { env, stdio: ['ignore', file, file], detached: true });
    running.add(child);
    appendFileSync(join(dir, 'pids'), `${child.pid}\n`);
    let ended = null;
    child.on('exit', (code, signal) => {
      running.delete(child);
      ended = `${code ?? signal}`;
    });
    this.child = child;
    const found = await until(`the start of the host ${name}`, () => {
      const text = readFileSync(log, 'utf8');
      if (ended !== null) throw new Error(`it ended with ${ended}: ${text.slice(-300)}`);
      return said.exec(text);
    }, ms);
    this.address = found[1];
    this.found = found;
    /** What the host has counted of the requests of its past. */
    this.past = (found[2] ?? '').startsWith('{') ? JSON.parse(found[2]) : null;
    this.url = `http://${this.address}`;
    this.monitoring = `${this.url}/monitoring/`;
    return this;
  }

  async end(name = 'SIGKILL') {
    const { child } = this;
    if (child === undefined || !running.has(child)) return;
    signal(child, name);
    while (running.has(child)) await sleep(20);
  }

  /** Starts it again on the same address. */
  async again() {
    this.settings.listen = this.address;
    return this.start();
  }

  /** Reads a document with the operator's token. A busy host answers 503. */
  async data(path, token = TOKEN) {
    return until(`the document ${path}`, async () => {
      const response = await fetch(this.monitoring + 'data/v1/' + path, { headers: { authorization: `Bearer ${token}` } });
      if (!response.ok) throw new Error(`it was answered with ${response.status}`);
      return response.json();
    }, 60_000);
  }
}

/** The example contentmax with its visitors, as the README starts it; `incident` is in seconds. */
export class ContentMax extends Host {
  launch() {
    const { contentmax, incident } = this.settings;
    const args = ['--listen', '127.0.0.1:0', '--data-dir', this.dir, '--incident', String(incident), '--for', '900'];
    // The link is the end of its text.
    return { program: contentmax, args, env: {}, said: /contentmax listens on http:\/\/(\S+)[^]*(http:\/\/\S+\/monitoring\/?#token=\S+)/ };
  }

  /** The link that it prints. */
  get link() {
    return this.found[2];
  }

  /** The token of the link, which the monitor has made up. */
  get token() {
    return new URLSearchParams(new URL(this.link).hash.slice(1)).get('token');
  }
}
