// Made-up documents of the page of alerts.

const RULES = [
  ['high-error-rate', 'critical', 'error_rate', 'ratio', '>', 0.05, 60, 0.002],
  ['slow-response', 'warning', 'response_time', 'seconds', '>', 1, 300, 0.21],
  ['memory-leak', 'warning', 'memory', 'ratio_per_hour', '>', 0.02, 0, 0.001],
  ['database-connection-pool', 'critical', 'connections', 'ratio', '>=', 0.9, 60, 0.23],
  ['api-rate-limit', 'warning', null, 'ratio', '>=', 0.8, 0, 0.81],
];

export function alerts(now, isBad, section) {
  const rules = RULES.map(([name, severity, card, unit, operator, limit, hold, value]) => ({
    name, severity, card, unit, bound: `${operator} ${limit}`, limit, clear: limit, for: hold, keep_firing_for: 0, min_samples: name === 'high-error-rate' ? 20 : 0,
    runbook: 'https://docs.rs/watchpost', can_run: true, value: isBad && name === 'high-error-rate' ? 0.068 : isBad && name === 'slow-response' ? 1.38 : value, past: isBad, series: 1,
  }));
  const silences = [{ id: '7', matchers: ['route=/api/import/csv'], starts: now - 3_600_000, ends: now + 5_280_000, by: 'lee', comment: 'nightly import moved to today', hides: 1, alerts: ['slow-response route=/api/import/csv'] }];
  const of = (rule, to, at, reason, value, severity) => ({ at, rule, from: 'inactive', to, reason, value, severity, labels: '' });
  const transitions = [
    ...(isBad ? [of('slow-response', 'pending', now - 220_000, 'condition_met', 1.2, 'warning'), of('high-error-rate', 'firing', now - 540_000, 'held_for', 0.053, 'critical'), of('high-error-rate', 'pending', now - 600_000, 'condition_met', 0.051, 'critical')] : []),
    of('api-rate-limit', 'firing', now - 4_800_000, 'condition_met', 0.8, 'warning'),
    of('high-error-rate', 'resolved', now - 100_000_000, 'condition_ended', 0.01, 'critical'),
    of('high-error-rate', 'firing', now - 101_500_000, 'held_for', 0.08, 'critical'),
  ];
  const burn = (rates) => [300, 3600, 21_600, 259_200].map((window, i) => ({ window, rate: rates[i] }));
  const slos = [{ name: 'availability', objective: 0.999, failed: 0.0004, budget_left: 0.6, burn_rates: burn(isBad ? [68, 14.2, 2.6, 0.8] : [0.2, 0.3, 0.4, 0.4]) }];
  return { at: now, alerts: section.alerts, silences, transitions, rules, slos, failures: [] };
}

export function backtest(now, query) {
  const rule = query.get('rule');
  const [from, hour] = [now - 86_400_000, 3_600_000];
  const spans = rule === 'high-error-rate' ? [{ from: from + 3 * hour, to: from + 3.5 * hour }, { from: now - 540_000, to: null }] : [];
  return { rule, from, to: now, fired: spans.length, spans };
}
