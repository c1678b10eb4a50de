/** The page of alerts: what fires, what waits, silences, the history, rules with their dry run, and objectives. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api';
import type { Sections } from '../contract';
import type { Alert, AlertsPage, Backtest, RuleRow, Silence } from '../contract-alerts';
import { clock as clockStore, page, shown, spoken } from '../controller';
import { bytes, clockOrDay, duration, joined, maybe, percent, short } from '../format';
import { chartAddress } from '../place';
import { useStore } from '../store';
import { STATE_WORDS, T } from '../strings';
import { A, ruleTitle } from '../strings-alerts';
import { ActionForm, Actions, changes, openForm, storedName } from './alert-actions';
import { Evidence, ruleId } from './alert-evidence';
import { AlertGlyph, AlertPanel, Acknowledged, alertTone, fires, isHidden, isOpen, labelText } from './alert-panel';
import { Glyph } from './glyph';
import { Frame, Row } from './panels';
import { failureOf, useRead } from './read';
import { glyphOf, toneOf } from './tone';

/** So many alerts does the live state have at most, see `Alerts`. */
const LIVE_ALERTS = 20;

/** The live alerts, or the up to 200 of the document, which is read every ten seconds, where the live ones may not be all. */
export function alertsOf(live: Alert[] | null, read: Alert[] | null): Alert[] {
  if (live === null) return read ?? [];
  return live.length < LIVE_ALERTS ? live : (read ?? live);
}

/** The name in the address after `#`, empty if it cannot be decoded. */
function fragment(): string {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
}

export function AlertsView(): JSX.Element {
  const state = useStore(page);
  const now = useStore(clockStore);
  const changed = useStore(changes);
  const { document: of, failure } = useRead('alerts', true, state.held !== null, api.alerts, changed);
  const sections = shown(state);
  useEffect(() => { document.title = [A.alerts, state.session?.service ?? '', T.product].filter(Boolean).join(' · '); }, [state.session]);
  // A link to a rule was followed before its row was there.
  const hasRules = of !== null;
  useEffect(() => {
    const row = document.getElementById(fragment());
    if (!hasRules || row === null) return;
    row.scrollIntoView({ block: 'center' });
    row.focus();
  }, [hasRules]);
  const alerts = alertsOf(sections?.alerts.alerts ?? null, of?.alerts ?? null);
  const rules = of?.rules ?? [];
  const firing = alerts.filter((alert) => fires(alert) && !isHidden(alert));
  const open = firing.filter((alert) => alert.acknowledged === null);
  const first = open.find((alert) => alert.severity === 'critical') ?? open[0] ?? null;
  return (
    <>
      <div>
        <Head alerts={alerts} rules={sections?.alerts.rules ?? rules.length} now={now} />
        {failure !== null && <p class="sub">{failure}</p>}
      </div>
      <div class="cols">
        <div class="c8 stack">
          {first !== null && sections !== null && (
            <AlertPanel alert={first} sections={sections} now={now} note={limitText(first, rules)} form={<ActionForm alert={first} />}>
              <Actions alert={first} hasKeys />
            </AlertPanel>
          )}
          {open
            .filter((alert) => alert.id !== first?.id)
            .map((alert) => (
              <OtherAlert key={alert.id} alert={alert} sections={sections} now={now} />
            ))}
          {of !== null && <Rules rules={rules} alerts={alerts} />}
          {of !== null && <Objectives of={of} />}
          {of !== null && of.failures.length > 0 && (
            <Frame id="failures" title={A.failedRules} empty={null}>
              <ul class="rows">
                {of.failures.map(({ rule, text }) => (
                  <Row key={rule} id={`failure-${rule}`}>
                    <p class="wrap">
                      <Glyph name="warning" tone="warn" label={STATE_WORDS.warning} /> <b>{rule}</b> {text}
                    </p>
                  </Row>
                ))}
              </ul>
            </Frame>
          )}
        </div>
        <div class="c4 stack">
          <Pending alerts={alerts} rules={rules} now={now} />
          <AcknowledgedAlerts alerts={firing.filter((alert) => alert.acknowledged !== null)} now={now} />
          {of !== null && <Silences silences={of.silences} now={now} />}
          {of !== null && <History of={of} now={now} />}
        </div>
      </div>
    </>
  );
}

function Head({ alerts, rules, now }: { alerts: Alert[]; rules: number; now: number }): JSX.Element {
  const open = alerts.filter(isOpen);
  const critical = open.filter((alert) => alert.severity === 'critical');
  const worst = critical.length > 0 ? critical : open;
  const handled = alerts.filter((alert) => fires(alert) && !isHidden(alert) && alert.acknowledged !== null);
  const next = alerts.filter((alert) => alert.state === 'pending' && alert.severity !== 'info').sort((a, b) => (a.fires_at ?? 0) - (b.fires_at ?? 0))[0];
  const severity = worst[0]?.severity ?? 'warning';
  const tone = worst.length === 0 ? 'ok' : toneOf(severity === 'info' ? null : severity);
  const head = worst.length > 0 ? A.headOpen(worst.length, A.severities[severity]) : handled.length > 0 ? A.headHandled(handled.length) : A.headNone;
  const rest = next?.fires_at === null || next === undefined ? (worst.length === 0 ? A.quietRules(rules) : '') : A.turns(next.rule, A.severities[next.severity], Math.max(0, next.fires_at - now) / 1000);
  return (
    <h1 class="verdict">
      <Glyph name={worst.length === 0 ? 'ok' : glyphOf(severity === 'info' ? null : severity)} tone={tone} />
      <b class={worst.length === 0 ? '' : `s-${tone}`}>{head}</b>
      {rest}
    </h1>
  );
}

/** A value of a rule in its unit. */
export function ruleValue(unit: string, value: number | null): string {
  switch (unit) {
    case 'ratio':
      return maybe(value, percent);
    case 'ratio_per_hour':
      return value === null ? maybe(value, percent) : `${value < 0 ? '−' : ''}${joined(percent(Math.abs(value)))}/h`;
    case 'seconds':
      return maybe(value, duration);
    case 'bytes':
      return maybe(value, bytes);
    default:
      return maybe(value, short);
  }
}

const OPERATORS: Record<string, string> = { '>=': '≥', '<=': '≤' };

/** `≥ 90 %`, from `>= 0.9`. */
function boundText({ bound, limit, unit }: RuleRow): string {
  const operator = bound.split(' ')[0] ?? '';
  return `${OPERATORS[operator] ?? operator} ${ruleValue(unit, limit)}`;
}

function limitText(alert: Alert, rules: RuleRow[]): string {
  const rule = rules.find(({ name }) => name === alert.rule);
  if (rule === undefined) return '';
  return A.limit(boundText(rule), rule.for, rule.min_samples, rule.clear === rule.limit ? null : ruleValue(rule.unit, rule.clear));
}

function OtherAlert({ alert, sections, now }: { alert: Alert; sections: Sections | null; now: number }): JSX.Element {
  const title = [ruleTitle(alert.rule), labelText(alert)].filter(Boolean).join(', ');
  return (
    <section class="panel" aria-label={title}>
      <header class="wraps">
        <h2 class={`tag s-${alertTone(alert)}`}>
          <AlertGlyph alert={alert} />
          {title}
        </h2>
        <p>{[A.severities[alert.severity], A.firesSince(alert.fired_at ?? alert.since, now), alert.summary].filter(Boolean).join(' · ')}</p>
        <span class="fill" />
        <Actions alert={alert} />
        {sections !== null && <Evidence alert={alert} sections={sections} />}
      </header>
      <ActionForm alert={alert} />
    </section>
  );
}

function Pending({ alerts, rules, now }: { alerts: Alert[]; rules: RuleRow[]; now: number }): JSX.Element {
  const pending = alerts.filter((alert) => alert.state === 'pending');
  return (
    <Frame id="pending" title={A.pendingTitle} empty={pending.length === 0 ? A.nothingPending : null}>
      <ul class="rows two">
        {pending.map((alert) => {
          const rule = rules.find(({ name }) => name === alert.rule);
          const all = alert.fires_at === null ? 0 : (alert.fires_at - alert.since) / 1000;
          const passed = Math.max(0, Math.min(all, (now - alert.since) / 1000));
          return (
            <Row key={alert.id} id={`alert-${alert.id}`}>
              <p>
                <AlertGlyph alert={alert} /> {[ruleTitle(alert.rule), labelText(alert), A.severities[alert.severity]].filter(Boolean).join(', ')}
              </p>
              <span class="nw">{rule === undefined ? '' : ruleValue(rule.unit, alert.value)}</span>
              <p class="mute small wide wrap">{[rule === undefined ? '' : boundText(rule), A.trueFor(passed, all)].filter(Boolean).join(', ')}</p>
              <progress class="wide" max={Math.max(1, all)} value={passed} aria-label={A.trueFor(passed, all)} />
            </Row>
          );
        })}
      </ul>
    </Frame>
  );
}

function AcknowledgedAlerts({ alerts, now }: { alerts: Alert[]; now: number }): JSX.Element {
  return (
    <Frame id="acknowledged" title={A.acknowledgedTitle} empty={alerts.length === 0 ? A.nobodyAcknowledged : null}>
      <ul class="rows two">
        {alerts.map((alert) => (
          <Row key={alert.id} id={`alert-${alert.id}`}>
            <p>
              <AlertGlyph alert={alert} /> {[ruleTitle(alert.rule), labelText(alert)].filter(Boolean).join(', ')}
            </p>
            <span class="nw mute small">{clockOrDay(alert.fired_at ?? alert.since, now)}</span>
            <div class="wide">
              <Acknowledged alert={alert} now={now} />
            </div>
          </Row>
        ))}
      </ul>
    </Frame>
  );
}

function Silences({ silences, now }: { silences: Silence[]; now: number }): JSX.Element {
  const { session } = useStore(page);
  const isOperator = session?.role === 'operator';
  const [failure, setFailure] = useState<string | null>(null);
  const end = async (id: string): Promise<void> => {
    try {
      await api.endSilence({ silence: id, by: storedName() });
      spoken.set(A.endedSpoken);
      setFailure(null);
      changes.set(changes.get() + 1);
    } catch (error) {
      setFailure(failureOf(error, A.failed));
    }
  };
  return (
    <section class="panel" id="silences" aria-labelledby="silences-title">
      <header>
        <h2 id="silences-title">{A.silencesTitle}</h2>
        <span class="fill" />
        {isOperator && (
          <button type="button" onClick={() => { openForm('silence', null); }}>
            {A.newSilence}
          </button>
        )}
      </header>
      <ActionForm alert={null} />
      {failure !== null && (
        <p class="body s-crit" role="alert">
          {failure}
        </p>
      )}
      {silences.length === 0 ? (
        <p class="body mute small">{A.noSilences}</p>
      ) : (
        <ul class="rows two">
          {silences.map((silence) => (
            <Row key={silence.id} id={`silence-${silence.id}`}>
              <p class="wrap">
                <Glyph name="off" /> {silence.matchers.join(', ')}
              </p>
              <span class="nw">{A.left(Math.max(0, silence.ends - now) / 1000)}</span>
              <p class="mute small wide wrap">{A.bySilence(silence.by, silence.ends, now, silence.comment)}</p>
              <p class="mute small wrap">{A.hides(silence.hides, silence.alerts)}</p>
              {isOperator && (
                <button type="button" aria-label={`${A.end}: ${silence.matchers.join(', ')}`} onClick={() => void end(silence.id)}>
                  {A.end}
                </button>
              )}
            </Row>
          ))}
        </ul>
      )}
    </section>
  );
}

function History({ of, now }: { of: AlertsPage; now: number }): JSX.Element {
  const unit = (rule: string): string | undefined => of.rules.find(({ name }) => name === rule)?.unit;
  return (
    <Frame id="history" title={A.history} aside={T.newestFirst} empty={of.transitions.length === 0 ? A.noHistory : null}>
      <ol class="rows ev scroll long">
        {of.transitions.slice(0, 60).map((change, i) => {
          const value = change.value === null ? '' : ruleValue(unit(change.rule) ?? 'number', change.value);
          const isBegin = change.to === 'firing' && change.severity !== 'info';
          return (
            <Row key={`${change.at} ${change.rule} ${i}`} id={`change-${change.at}-${change.rule}-${i}`}>
              <time class="mute" dateTime={new Date(change.at).toISOString()}>
                {clockOrDay(change.at, now)}
              </time>
              {isBegin ? <Glyph name={change.severity === 'critical' ? 'critical' : 'warning'} tone={change.severity === 'critical' ? 'crit' : 'warn'} /> : <Glyph name={change.to === 'pending' ? 'pending' : change.to === 'recovering' ? 'back' : 'done'} />}
              <div class="wrap">
                <b>{ruleTitle(change.rule)}</b> {A.to[change.to] ?? change.to}
                <small>{[value, change.labels, A.reasons[change.reason] ?? change.reason].filter(Boolean).join(' · ')}</small>
              </div>
            </Row>
          );
        })}
      </ol>
    </Frame>
  );
}

function Rules({ rules, alerts }: { rules: RuleRow[]; alerts: Alert[] }): JSX.Element {
  return (
    <Frame id="rules" title={A.rules} empty={rules.length === 0 ? A.noRules : null}>
      <div class="scroll" tabIndex={0} role="region" aria-label={T.tableOf(A.rules)}>
        <table>
          <caption class="vh">{A.rules}</caption>
          <thead>
            <tr>
              <th scope="col">{A.rule}</th>
              <th scope="col">{A.now}</th>
              <th scope="col" class="w">
                {A.firesAt}
              </th>
              <th scope="col">{A.dryRun}</th>
            </tr>
          </thead>
          <tbody>
            {rules.map((rule) => (
              <RuleLine key={rule.name} rule={rule} alerts={alerts} />
            ))}
          </tbody>
        </table>
      </div>
    </Frame>
  );
}

function RuleLine({ rule, alerts }: { rule: RuleRow; alerts: Alert[] }): JSX.Element {
  const of = alerts.filter((alert) => alert.rule === rule.name && alert.state !== 'resolved');
  const worst = of.find(fires) ?? of[0];
  const { range } = useStore(page);
  return (
    <tr id={ruleId(rule.name)} tabIndex={-1} data-row={`rule-${rule.name}`}>
      <th scope="row">
        {rule.card === null ? ruleTitle(rule.name) : <a href={chartAddress(rule.card, range)}>{ruleTitle(rule.name)}</a>} <small class="mute">{A.severities[rule.severity]}</small>
      </th>
      <td class="nw">
        {worst === undefined ? <Glyph name="ok" tone="ok" label={STATE_WORDS.ok} /> : <AlertGlyph alert={worst} />} {ruleValue(rule.unit, rule.value)}
      </td>
      <td class="w nw">{rule.can_run ? A.lineFor(boundText(rule), rule.for > 0 ? rule.for : null) : A.ofHost}</td>
      <td class="nw">{rule.can_run && <DryRun rule={rule.name} />}</td>
    </tr>
  );
}

/** Runs the rule over the last day when asked: that reads the history for each evaluation. */
function DryRun({ rule }: { rule: string }): JSX.Element {
  const [result, setResult] = useState<Backtest | { failure: string } | null>(null);
  const [isRunning, setRunning] = useState(false);
  if (result === null) {
    const run = async (): Promise<void> => {
      setRunning(true);
      try {
        const of = await api.backtest(rule);
        setResult(of);
        spoken.set(A.wouldHave(rule, of.fired));
      } catch (error) {
        setResult({ failure: failureOf(error, T.noAnswer) });
      }
    };
    return (
      <button type="button" aria-label={`${A.run}: ${ruleTitle(rule)}`} onClick={() => { if (!isRunning) void run(); }}>
        {isRunning ? A.running : A.run}
      </button>
    );
  }
  if ('failure' in result) return <span class="small wrap">{result.failure}</span>;
  const length = Math.max(1, result.to - result.from);
  const x = (at: number): number => ((at - result.from) / length) * 96;
  return (
    <span title={A.wouldHave(rule, result.fired)}>
      <svg class="dry" width="96" height="16" role="img" aria-label={A.wouldHave(rule, result.fired)}>
        <rect class="f-line" y="15" width="96" height="1" />
        {result.spans.map(({ from, to }) => (
          <rect key={from} class="f-text" x={x(from)} width={Math.max(3, x(to ?? result.to) - x(from))} height="15" />
        ))}
      </svg>{' '}
      {A.wouldHaveFired(result.fired)}
    </span>
  );
}

/** An objective in percent, as it was set: `99.999 %`. The digits that binary fractions add are left out. */
export function objectiveText(objective: number): string {
  return `${Number((objective * 100).toPrecision(8))}\u202f%`;
}

function Objectives({ of: { slos } }: { of: AlertsPage }): JSX.Element {
  const windows = slos[0]?.burn_rates ?? [];
  return (
    <Frame id="slos" title={A.slos} empty={slos.length === 0 ? A.noSlos : null}>
      {slos.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label={T.tableOf(A.slos)}>
          <table>
            <caption class="vh">{A.slos}</caption>
            <thead>
              <tr>
                <th scope="col">{A.objective}</th>
                <th scope="col" class="num">
                  {A.failedShare}
                </th>
                <th scope="col" class="num">
                  {A.budget}
                </th>
                {windows.map(({ window }) => (
                  <th key={window} scope="col" class="num w">
                    {A.burn(window)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {slos.map((slo) => (
                <tr key={slo.name}>
                  <th scope="row">
                    {slo.name} <small class="mute">{objectiveText(slo.objective)}</small>
                  </th>
                  <td class="num">{maybe(slo.failed, percent)}</td>
                  <td class="num">
                    {slo.budget_left !== null && slo.budget_left < 0 && <Glyph name="critical" tone="crit" label={STATE_WORDS.critical} />}{' '}
                    {slo.budget_left === null ? maybe(null, percent) : `${slo.budget_left < 0 ? '−' : ''}${joined(percent(Math.abs(slo.budget_left)))}`}
                  </td>
                  {slo.burn_rates.map(({ window, rate }) => (
                    <td key={window} class="num w">
                      {rate === null ? maybe(null, percent) : `${short(rate)} ×`}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Frame>
  );
}

