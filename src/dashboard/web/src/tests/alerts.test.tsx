import { render } from 'preact';
import { describe, expect, it, vi } from 'vitest';
import { page } from '../controller';
import type { Alert, AlertsPage } from '../contract-alerts';
import { ruleTitle } from '../strings-alerts';
import { ActionForm, Actions, form } from '../ui/alert-actions';
import { evidence } from '../ui/alert-evidence';
import { AlertList, worstAlert } from '../ui/alert-panel';
import { AlertsView, alertsOf, objectiveText, ruleValue } from '../ui/alerts';
import { Cards } from '../ui/cards';
import { MINUTE, NOW, sections } from './sections';

export function alert(change: Partial<Alert> = {}): Alert {
  return {
    id: '00000000000000ff',
    rule: 'high-error-rate',
    card: 'error_rate',
    state: 'firing',
    severity: 'critical',
    began: NOW - 10 * MINUTE,
    since: NOW - 9 * MINUTE,
    fired_at: NOW - 9 * MINUTE,
    fires_at: null,
    resolved_at: null,
    value: 0.068,
    bound: '> 0.05',
    summary: '6.8 % of the requests of five minutes failed',
    labels: [],
    matchers: ['alertname=high-error-rate'],
    acknowledged: null,
    silenced_by: [],
    inhibited_by: null,
    no_data: false,
    failed: false,
    runbook: null,
    ...change,
  };
}

const acknowledged = { by: 'dana', comment: 'top-up ordered', at: NOW - MINUTE, until: null };
const of = (...alerts: Alert[]): ReturnType<typeof sections> => sections({ alerts: { rules: 12, open: 1, open_critical: 1, acknowledged: 0, alerts, spans: [] } });

function rendered(show: (root: HTMLElement) => void): HTMLElement {
  const root = document.createElement('div');
  show(root);
  return root;
}

describe('the links of an alert', () => {
  const range = { kind: 'relative', name: '6h' } as const;
  const links = (change: Partial<Alert>, verdict: Partial<ReturnType<typeof sections>['verdict']> = {}): [string, string][] => {
    const all = of();
    return evidence(alert(change), { ...all, verdict: { ...all.verdict, where: null, slow: null, ...verdict } }, range).map(({ text, href }) => [text, href]);
  };
  const where = { method: 'GET', route: '/a/{id}', share: 0.9 };

  it('lead to what its labels name', () => {
    const statement = [{ name: 'db_system_name', value: 'sqlite' }, { name: 'db_namespace', value: '' }, { name: 'db_query_summary', value: 'SELECT a' }];
    expect(links({ card: null, labels: statement })).toEqual([['SELECT a', 'statement?system=sqlite&summary=SELECT+a&range=6h'], ['Traces', 'traces?range=6h']]);
    const route = [{ name: 'http_route', value: '/a/{id}' }, { name: 'http_request_method', value: 'POST' }];
    expect(links({ labels: route })).toEqual([
      ['POST /a/{id}', 'route?method=POST&route=%2Fa%2F%7Bid%7D&range=6h'],
      ['Failed traces', 'traces?route=%2Fa%2F%7Bid%7D&status=5xx&range=6h'],
    ]);
    expect(links({ card: 'connections', labels: [{ name: 'db_client_connection_pool_name', value: 'a' }] }).map(([text]) => text)).toEqual(['Its pool', 'Traces']);
    expect(links({ card: null, labels: [{ name: 'service_peer_name', value: 'a' }] })[0]).toEqual(['Its calls', 'calls?range=6h']);
  });

  it('lead to the route with most of the failures, or the slowest one, if no label names one', () => {
    expect(links({}, { where })[0]).toEqual(['GET /a/{id}', 'route?method=GET&route=%2Fa%2F%7Bid%7D&range=6h']);
    const slow = links({ card: 'response_time' }, { where, slow: { method: 'PUT', route: '/b', p95: 2 } });
    expect(slow).toEqual([['PUT /b', 'route?method=PUT&route=%2Fb&range=6h'], ['Slow traces', 'traces?kept=slow&range=6h']]);
    expect(links({ card: 'memory' }, { where }).map(([text]) => text)).toEqual(['Traces']);
    // Without a method there is no page of the route.
    expect(links({}, { where: { ...where, method: null } }).map(([text]) => text)).toEqual(['Failed traces']);
    expect(links({ labels: [{ name: 'http_route', value: '/a/{id}' }] }, { where }).map(([text]) => text)).toEqual(['GET /a/{id}', 'Failed traces']);
  });
});

describe('alerts on the overview', () => {
  it('turn the card of their figure, whatever its value is', () => {
    const healthy = of();
    const firing = of(alert());
    const card = { ...firing.cards.error_rate, state: 'critical' as const };
    const bad = { ...firing, cards: { ...firing.cards, error_rate: card } };
    const classOf = (all: ReturnType<typeof of>): string | undefined => {
      const root = rendered((it) => { render(<Cards sections={all} now={NOW} />, it); });
      return root.querySelector('[data-card="error_rate"]')?.className.trim();
    };
    expect(classOf(healthy)).toBe('card');
    expect(classOf(bad)).toBe('card crit');
  });

  it('have the panel if they are open, the critical ones first', () => {
    const warning = alert({ id: '2', rule: 'slow-response', severity: 'warning' });
    expect(worstAlert(of(warning, alert()))?.id).toBe(alert().id);
    expect(worstAlert(of(warning, alert({ acknowledged })))?.id).toBe('2');
    expect(worstAlert(of(alert({ acknowledged })))?.id).toBe(alert().id);
    expect(worstAlert(of({ ...warning, acknowledged }))).toBeNull();
    expect(worstAlert(of(alert({ silenced_by: ['1'] }), alert({ state: 'pending' }), alert({ severity: 'info' })))).toBeNull();
  });

  it('are listed with who acknowledged them, as text', () => {
    const hostile = '<img src=x onerror=alert(1)>';
    const all = of(alert({ rule: hostile, acknowledged: { ...acknowledged, comment: hostile } }));
    const root = rendered((it) => { render(<AlertList sections={all} now={NOW} />, it); });
    expect(root.querySelector('img')).toBeNull();
    expect(root.textContent).toContain(`Acknowledged by dana, 14:31: “${hostile}”`);
    expect(root.textContent).toContain('11 more rules are quiet.');
  });

  it('are listed with what hides them: a silence, or another alert', () => {
    const listed = (change: Partial<Alert>): HTMLElement => rendered((it) => { render(<AlertList sections={of(alert(change))} now={NOW} />, it); });
    const inhibited = listed({ inhibited_by: 'database-down' });
    expect(inhibited.textContent).toContain('hidden by Database down');
    expect(inhibited.textContent).not.toContain('silenced');
    expect(inhibited.querySelector('svg')?.getAttribute('aria-label')).toBe('hidden by Database down');
    expect(listed({ silenced_by: ['1'], inhibited_by: 'database-down' }).textContent).toContain('silenced');
    expect(listed({}).textContent).not.toMatch(/silenced|hidden/);
  });

  it('are acknowledged and silenced by an operator, and not by a viewer', () => {
    const session = { service: 'shop', version: null, environment: null, can_log_out: true, now: NOW };
    const buttons = (role: 'viewer' | 'operator'): HTMLElement[] => {
      page.update({ session: { ...session, role } });
      const root = rendered((it) => {
        render(
          <>
            <Actions alert={alert({ runbook: 'javascript:alert(1)' })} hasKeys />
            <ActionForm alert={alert()} />
          </>,
          it,
        );
      });
      expect(root.querySelector('a')).toBeNull();
      return [...root.querySelectorAll('button')];
    };
    const [acknowledge, silence] = buttons('viewer');
    acknowledge?.click();
    expect([acknowledge, silence].map((it) => it?.getAttribute('aria-disabled'))).toEqual(['true', 'true']);
    expect(form.get()).toBeNull();
    const [enabled] = buttons('operator');
    expect(enabled?.dataset['action']).toBe('a');
    enabled?.click();
    expect(form.get()?.kind).toBe('acknowledge');
    form.set(null);
    page.update({ session: null });
  });

  it('have values in the unit of their rule', () => {
    const texts = [ruleValue('ratio', 0.068), ruleValue('seconds', 1.38), ruleValue('ratio_per_hour', -0.02), ruleValue('number', 12), ruleValue('ratio', null)];
    expect(texts.map((text) => text.replaceAll('\u202f', ' '))).toEqual(['6.8 %', '1.38 s', '−2 %/h', '12', '–']);
  });

  it('keep the digits of an objective', () => {
    expect([0.99999, 0.999, 0.9995, 0.9, 1].map(objectiveText).map((text) => text.replace('\u202f', ' '))).toEqual(['99.999 %', '99.9 %', '99.95 %', '90 %', '100 %']);
  });

  it('have names that people read', () => {
    expect(ruleTitle('high-error-rate')).toBe('High error rate');
    expect(ruleTitle('---')).toBe('---');
  });
});

describe('the page of alerts', () => {
  const silence = { id: '17', matchers: ['alertname=slow-response'], starts: NOW, ends: NOW + MINUTE, by: 'dana', comment: '', hides: 0, alerts: [] };
  const document: AlertsPage = { at: NOW, alerts: [], silences: [silence], transitions: [], rules: [], slos: [], failures: [] };

  it('has the live alerts, and more than twenty of them from its document', () => {
    const some = (n: number): Alert[] => Array.from({ length: n }, (_, i) => alert({ id: i.toString() }));
    expect(alertsOf(null, null)).toEqual([]);
    expect(alertsOf(null, some(3))).toHaveLength(3);
    expect(alertsOf(some(2), some(3))).toHaveLength(2);
    expect(alertsOf(some(20), some(150))).toHaveLength(150);
    expect(alertsOf(some(20), null)).toHaveLength(20);
  });

  it('ends a silence in the name that was given last, and does not claim to know what a failure did', async () => {
    const bodies: string[] = [];
    let end: () => Promise<Response> = () => Promise.reject(new TypeError('network'));
    vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
      if (!path.endsWith('end-silence')) return Promise.resolve(new Response(JSON.stringify(document)));
      bodies.push(init.body as string);
      return end();
    });
    localStorage.setItem('watchpost-name', 'dana');
    page.update({ phase: 'open', session: { role: 'operator', service: 'shop', version: null, environment: null, can_log_out: true, now: NOW } });
    const root = rendered((it) => { render(<AlertsView />, it); });
    const button = await vi.waitFor(() => {
      const found = root.querySelector<HTMLButtonElement>('#silences li button');
      if (found === null) throw new Error('the silence is not there');
      return found;
    }, 10_000);
    button.click();
    await vi.waitFor(() => { expect(root.querySelector('[role=alert]')?.textContent).toContain('not known'); }, 10_000);
    end = () => Promise.resolve(new Response('{"ended":true}'));
    button.click();
    await vi.waitFor(() => { expect(root.querySelector('[role=alert]')).toBeNull(); }, 10_000);
    expect(bodies).toEqual(['{"silence":"17","by":"dana"}', '{"silence":"17","by":"dana"}']);
    render(null, root);
    page.update({ phase: 'starting', session: null });
    localStorage.clear();
    vi.unstubAllGlobals();
  });
});
