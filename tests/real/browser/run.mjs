/**
 * Shows the pages of the dashboard in a real browser. `tests/real/run` starts it with these variables:
 *
 * - `WATCHPOST_BROWSER_HOST`: the program of the host, tests/real/pages.rs
 * - `WATCHPOST_BROWSER_CONTENTMAX`: the example contentmax
 * - `WATCHPOST_BROWSER_CHROMIUM`: the browser
 * - `WATCHPOST_BROWSER_DIR`: the folder for data, logs and `shots`
 *
 * Names of scenarios as arguments run only these.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { access } from './access.mjs';
import { contentmax } from './contentmax.mjs';
import { empty } from './empty.mjs';
import { endAll } from './hosts.mjs';
import { hostile } from './hostile.mjs';
import { live } from './live.mjs';
import { logs } from './logs.mjs';
import { past } from './past.mjs';
import { Report } from './report.mjs';
import { restart } from './restart.mjs';
import { store } from './store.mjs';

const SCENARIOS = { access, empty, store, restart, live, logs, hostile, contentmax, past };

const { WATCHPOST_BROWSER_HOST: program, WATCHPOST_BROWSER_CONTENTMAX: example, WATCHPOST_BROWSER_CHROMIUM: executablePath, WATCHPOST_BROWSER_DIR: dir } = process.env;
const shots = join(dir, 'shots');
mkdirSync(shots, { recursive: true });
process.on('exit', endAll);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { process.exit(1); });

const only = process.argv.slice(2);
const unknown = only.filter((name) => !Object.hasOwn(SCENARIOS, name));
if (unknown.length > 0) {
  console.error(`unknown scenarios: ${unknown.join(', ')}; there are ${Object.keys(SCENARIOS).join(', ')}`);
  process.exit(1);
}
const report = new Report();
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const tools = { report, browser, shots, host: { program, contentmax: example, dir } };
/** Runs scenarios one after the other. A scenario that waits a while is beside others. */
async function inOrder(...names) {
  for (const name of names) {
    if (only.length > 0 && !only.includes(name)) continue;
    await report.check(`the scenario ${name}`, () => SCENARIOS[name](tools));
  }
}
await Promise.all([inOrder('past'), inOrder('live', 'restart', 'contentmax'), inOrder('access', 'empty', 'store', 'logs', 'hostile')]);
await browser.close();
console.log(`${report.passed} passed, ${report.failed} failed, 0 skipped`);
process.exit(report.failed === 0 ? 0 : 1);
