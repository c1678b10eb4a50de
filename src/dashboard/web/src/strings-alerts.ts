/** The texts about alerts. */

import { clock, clockOrDay, count, span } from './format';

/** The name of a rule as a title: `high-error-rate` is `High error rate`. */
export function ruleTitle(rule: string): string {
  const text = rule.replace(/[-_]+/g, ' ').trim();
  return text === '' ? rule : text.charAt(0).toUpperCase() + text.slice(1);
}

const alerts = (n: number): string => (n === 1 ? 'alert' : 'alerts');

export const A = {
  alerts: 'Alerts',
  rules: 'Rules',
  severities: { info: 'info', warning: 'warning', critical: 'critical' },
  fails: (percent: string): string => `${percent} of requests fail`,
  p95Is: 'p95 is ',
  inUse: ' are in use',
  connectionsOf: (used: string, max: string | null): string => (max === null ? `${used} connections` : `${used} of ${max} connections`),
  isAt: { cpu: 'CPU is at ', memory: 'memory is at ', users: 'active users are at ', requests: 'requests are at ' },
  timesNormal: (times: string): string => `, ${times}\u202f× its normal`,
  and: ' and ',
  ofFailures: (percent: string): string => `${percent} of the failures are on `,
  slowestOn: 'slowest on ',
  openCount: (n: number, severity: string, seconds: number): string => `${count(n)} ${severity} ${alerts(n)}, ${span(seconds)}, nobody has ${n === 1 ? 'it' : 'them'}`,
  acknowledgedCount: (n: number): string => `${count(n)} acknowledged`,
  noOpen: 'No open alert',
  firesIn: (rule: string, seconds: number): string => (seconds <= 1 ? `${ruleTitle(rule)} fires at the next evaluation` : `${ruleTitle(rule)} fires in ${span(seconds)}`),
  cardFires: (severity: string, seconds: number): string => (seconds <= 1 ? `${severity} at the next evaluation` : `${severity} in ${span(seconds)}`),
  none: 'No critical alert',
  ofState: (state: string, n: number): string => `${count(n)} ${state} ${alerts(n)}`,
  lineFor: (line: string, seconds: number | null): string => (seconds === null ? line : `${line} for ${span(seconds)}`),
  firesSince: (at: number, now: number): string => `fires since ${clockOrDay(at, now)}, ${span((now - at) / 1000)}`,
  overFor: (bound: string, at: number, now: number): string => `${bound}, since ${clockOrDay(at, now)}`,
  fires: ' fires',
  resolved: ' is over',
  legendNormal: 'normal range',
  legendOdd: 'leaves it',
  legendPending: 'condition true, waiting',
  legendFiring: 'firing',
  alsoOdd: 'Also odd then: ',
  acknowledgedBy: (by: string, at: number, now: number, comment: string): string => `Acknowledged by ${by}, ${clockOrDay(at, now)}${comment === '' ? '' : `: “${comment}”`}`,
  silenced: 'silenced',
  hiddenBy: (rule: string): string => `hidden by ${ruleTitle(rule)}`,
  quiet: (n: number): string => (n === 1 ? 'One rule is quiet.' : `${count(n)} rules are quiet.`),
  moreQuiet: (n: number): string => (n === 1 ? 'One rule more is quiet.' : `${count(n)} rules more are quiet.`),
  last: (rule: string, at: number, seconds: number, now: number): string => `Last: ${ruleTitle(rule)}, ${clockOrDay(at, now)}, ${span(seconds)}.`,
  notBuilt: 'There are no alert rules.',
  pending: (at: number): string => `fires at ${clock(at)} if it goes on`,
};
