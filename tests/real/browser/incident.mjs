/** An alert that fires on a host with a past: what the pages say of it, and how far it is from one signal to another. */

import { Walk } from './clicks.mjs';
import { everyLook } from './empty.mjs';
import { number, visit } from './on-screen.mjs';
import { expect, until } from './report.mjs';

/** It runs a statement and calls a service. */
const BROKEN = ['GET', '/api/payments/{id}'];
const RULE = 'rule-high-error-rate';

export async function incident(tools, host, page, watch, traffic) {
  const { report } = tools;
  traffic.fail(20, BROKEN, 'the card was refused');
  const fires = await report.check('an alert fires, and the sentence names the route with the failures', async () => {
    await visit(page, host, { path: './', ready: '[data-card=requests]' });
    await page.locator('#alert', { hasText: 'High error rate' }).waitFor({ timeout: 240_000 });
    const sentence = (await page.locator('.verdict').textContent()).replaceAll(/\s+/g, ' ').trim();
    expect(sentence.startsWith('Critical.') && sentence.includes(BROKEN.join(' ')), `the sentence is: ${sentence}`);
    return sentence;
  });
  if (!fires) return;
  await report.check('the rule has the share that the client counted', async () => {
    await visit(page, host, { path: 'alerts', ready: `#${RULE}` });
    const text = (await page.locator(`#${RULE} td`).first().textContent()).trim();
    const { count, failed } = traffic.lately(300_000);
    const wanted = (failed / count) * 100;
    // The last snapshot is some seconds old.
    expect(Math.abs(number(text) - wanted) <= 1 + wanted * 0.15, `on screen ${text}, counted ${wanted.toFixed(1)} %`);
    return `${text}, counted ${wanted.toFixed(1)} %`;
  });
  await everyLook(tools, page, 'alerts-incident', watch);
  await visit(page, host, { path: './', ready: '#alert .chart canvas' });
  await everyLook(tools, page, 'overview-incident', watch);
  await report.check('two clicks from any signal to any other', async () => {
    await visit(page, host, { path: './', ready: '#alert' });
    await until('an anomaly', () => page.locator('#unusual li').count(), 30_000);
    const route = new URLSearchParams({ method: BROKEN[0], route: BROKEN[1] }).toString();
    const { traces } = await host.data(`traces?range=1h&status=500&${new URLSearchParams({ route: BROKEN[1] }).toString()}`);
    const trace = { path: `trace?id=${traces[0].trace_id}`, ready: '#waterfall li' };
    const { statements } = await host.data('statements?range=1h');
    const { system, namespace, summary } = statements.find((row) => row.summary === 'SELECT payments');
    return new Walk(page, host, { route: BROKEN, statement: summary }).all({
      alert: { path: 'alerts', ready: '#alert', scope: '#alert' },
      rule: { path: 'alerts', ready: `#${RULE}`, scope: `#${RULE}` },
      chart: { path: './?card=error_rate', ready: '#chart canvas', scope: 'main' },
      anomaly: { path: './', ready: '#unusual li', scope: '#unusual' },
      service: { path: 'calls', ready: '#services tbody tr', scope: '#services tr[data-row=stripe]' },
      route: { path: `route?${route}`, ready: '#percentiles svg', scope: 'main' },
      trace: { ...trace, scope: 'main' },
      lines: { ...trace, scope: 'main' },
      error: { path: './', ready: '#errors li', scope: '#errors li:has-text("the card was refused")' },
      statement: { path: `statement?${new URLSearchParams({ system, namespace, summary }).toString()}`, ready: '#durations svg', scope: 'main' },
    });
  });
  await report.check('an operator acknowledges the alert with a key', async () => {
    await visit(page, host, { path: './', ready: '#alert' });
    await page.keyboard.press('a');
    const form = page.locator('form.act');
    await form.getByLabel('Your name').fill('dana');
    await form.getByRole('button', { name: 'Acknowledge' }).click();
    await form.waitFor({ state: 'detached' });
    await visit(page, host, { path: 'alerts', ready: '#acknowledged' });
    await page.locator('#acknowledged', { hasText: 'Acknowledged by dana' }).waitFor();
    expect((await page.locator('#acknowledged').textContent()).includes('High error rate'), 'another alert was acknowledged');
  });
}
