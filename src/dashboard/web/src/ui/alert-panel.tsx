/** The worst alert with the charts of what it is about, and the list of alerts beside what changed. */

import type { ComponentChildren, JSX } from 'preact';
import { page, shownSeries } from '../controller';
import type { Sections, SignalName } from '../contract';
import type { Alert } from '../contract-alerts';
import { signalText } from '../format';
import { alertsAddress, routeAddress, tableAddress } from '../place';
import { useStore } from '../store';
import { CARD_TITLES, STATE_WORDS, T } from '../strings';
import { A, ruleTitle } from '../strings-alerts';
import type { PanelProps } from './cards';
import { Evidence, ruleId } from './alert-evidence';
import { Chart, useChartModel } from './chart';
import { Glyph } from './glyph';
import { Frame, Row, signalTitle } from './panels';
import { glyphOf, toneOf } from './tone';

export const fires = ({ state }: Alert): boolean => state === 'firing' || state === 'recovering';
export const isHidden = (alert: Alert): boolean => alert.silenced_by.length > 0 || alert.inhibited_by !== null;
/** What hides it: a silence, or the alert of another rule. */
const hiddenText = ({ silenced_by, inhibited_by }: Alert): string => (silenced_by.length > 0 ? A.silenced : inhibited_by === null ? '' : A.hiddenBy(inhibited_by));
/** Whether it fires, and nobody has acknowledged or silenced it. */
export const isOpen = (alert: Alert): boolean => fires(alert) && !isHidden(alert) && alert.acknowledged === null && alert.severity !== 'info';

/** The worst alert that makes the verdict. */
export function worstAlert({ alerts: { alerts } }: Sections): Alert | null {
  const all = alerts.filter((alert) => fires(alert) && !isHidden(alert) && alert.severity !== 'info');
  const open = all.filter(isOpen);
  const of = open.length > 0 ? open : all.filter((alert) => alert.severity === 'critical');
  return of.find((alert) => alert.severity === 'critical') ?? of[0] ?? null;
}

export function alertTone({ severity }: Alert): string {
  return severity === 'info' ? 'plain' : toneOf(severity);
}

export function AlertGlyph({ alert }: { alert: Alert }): JSX.Element {
  if (alert.state === 'pending') return <Glyph name="pending" label={alert.state} />;
  if (isHidden(alert)) return <Glyph name="off" label={hiddenText(alert)} />;
  if (alert.state === 'resolved') return <Glyph name="done" label={alert.state} />;
  return alert.severity === 'info' ? <Glyph name="pending" label={A.severities.info} /> : <Glyph name={glyphOf(alert.severity)} tone={toneOf(alert.severity)} label={STATE_WORDS[alert.severity]} />;
}

/** The value of an alert in the unit of its card, if that is known. */
export function alertValue(alert: Alert): string {
  if (alert.value === null) return '';
  return alert.card === 'error_rate' || alert.card === 'response_time' ? signalText(alert.card, alert.value) : '';
}

/** "service · /orders", the labels of an alert. */
export function labelText(alert: Alert): string {
  return alert.labels.map(({ value }) => value).join(' · ');
}

/** The cards that the alerts of the verdict are about, that of `first` in front; at most two. */
function cardsOf({ alerts: { alerts } }: Sections, first: Alert): SignalName[] {
  const others = alerts.filter((alert) => (fires(alert) || alert.state === 'pending') && !isHidden(alert));
  const all = [first, ...others].flatMap(({ card }) => (card === null ? [] : [card]));
  return [...new Set(all)].slice(0, 2);
}

interface PanelParts {
  alert: Alert;
  /** The limit of the rule, as a sentence. */
  note?: string;
  /** The form that is open below the head. */
  form?: ComponentChildren;
  /** What can be done about it. */
  children?: ComponentChildren;
}

export function AlertPanel({ alert, sections, now, note = '', form, children }: PanelProps & PanelParts): JSX.Element {
  const { range } = useStore(page);
  const tone = alertTone(alert);
  const cards = cardsOf(sections, alert);
  return (
    <section class={`panel ${tone}`} id="alert" aria-labelledby="alert-title">
      <header class="wraps">
        <h2 id="alert-title" class={`tag s-${tone}`}>
          <AlertGlyph alert={alert} />
          <a href={`${alertsAddress(range)}#${encodeURIComponent(ruleId(alert.rule))}`}>{ruleTitle(alert.rule)}</a>
        </h2>
        <p>{[labelText(alert), A.firesSince(alert.fired_at ?? alert.since, now)].filter(Boolean).join(' · ')}</p>
        <span class="fill" />
        {children}
      </header>
      {form}
      <div class="body">
        <p>{[alert.summary.replace(/\.$/, ''), note].filter(Boolean).join('. ')}</p>
        <Acknowledged alert={alert} now={now} />
        {cards.map((name) => (
          <AlertChart key={name} name={name} sections={sections} />
        ))}
        {cards.length > 0 && <Legend />}
        <AlsoOdd alert={alert} sections={sections} />
        <Evidence alert={alert} sections={sections} />
      </div>
    </section>
  );
}

/** What else left its normal range in the time of the alert. */
function AlsoOdd({ alert, sections: { anomalies } }: { alert: Alert; sections: Sections }): JSX.Element | null {
  const { range } = useStore(page);
  const end = alert.resolved_at ?? Infinity;
  const all = anomalies.filter((anomaly) => anomaly.from <= end && (anomaly.to === null || anomaly.to >= alert.began) && anomaly.signal !== alert.card);
  if (all.length === 0) return null;
  return (
    <p class="two wrap">
      {A.alsoOdd}
      {all.slice(0, 4).map((anomaly, i) => (
        <span key={anomaly.id}>
          {i > 0 && ', '}
          {anomaly.route === null ? signalTitle(anomaly.signal) : <a href={routeAddress(anomaly.route, range)}>{anomaly.signal}</a>}
        </span>
      ))}
      .
    </p>
  );
}

export function Acknowledged({ alert, now }: { alert: Alert; now: number }): JSX.Element | null {
  if (alert.acknowledged === null) return null;
  const { by, at, comment } = alert.acknowledged;
  return (
    <p class="mute small wrap">
      <Glyph name="done" /> {A.acknowledgedBy(by, at, now, comment)}
    </p>
  );
}

function AlertChart({ name, sections }: { name: SignalName; sections: Sections }): JSX.Element | null {
  const state = useStore(page);
  const series = shownSeries(state);
  const hasValues = series?.values[name].some((value) => value !== null) === true;
  if (series === null || !hasValues) return <p class="mute small">{series === null ? T.loadingNote : T.lineSoon}</p>;
  return (
    <>
      <h3 class="mute">
        <a href={tableAddress(name, state.range)} title={T.table}>
          {CARD_TITLES[name]}
        </a>
      </h3>
      <WithModel name={name} series={series} sections={sections} />
    </>
  );
}

function WithModel({ name, series, sections }: { name: SignalName; series: NonNullable<ReturnType<typeof shownSeries>>; sections: Sections }): JSX.Element {
  const model = useChartModel(name, sections.cards[name], series, sections);
  return <Chart model={model} large height={190} />;
}

function Legend(): JSX.Element {
  return (
    <ul class="legend">
      <li>
        <svg width="20" height="10" aria-hidden="true">
          <rect class="f-band" width="20" height="10" />
        </svg>
        {A.legendNormal}
      </li>
      <li>
        <Glyph name="odd" tone="odd" />
        {A.legendOdd}
      </li>
      <li>
        <svg width="20" height="10" aria-hidden="true">
          <path class="hatch" d="M0 10L10 0M5 10L15 0M10 10L20 0" />
        </svg>
        {A.legendPending}
      </li>
      <li>
        <svg width="20" height="10" aria-hidden="true">
          <rect class="f-crit" width="20" height="10" />
        </svg>
        {A.legendFiring}
      </li>
    </ul>
  );
}

/** What fires, what waits, and how many rules are quiet. */
export function AlertList({ sections, now }: PanelProps): JSX.Element {
  const { range } = useStore(page);
  const { alerts, rules, spans } = sections.alerts;
  const current = alerts.filter((alert) => alert.state !== 'resolved');
  const busy = new Set(current.map(({ rule }) => rule)).size;
  const last = spans.findLast((span) => span.state === 'firing' && span.severity !== null && span.to !== null);
  const quiet = rules === 0 ? A.notBuilt : busy === 0 ? A.quiet(rules) : A.moreQuiet(Math.max(0, rules - busy));
  const then = last?.to === null || last === undefined ? '' : ` ${A.last(last.rule, last.from, (last.to - last.from) / 1000, now)}`;
  return (
    <Frame id="alerts" title={A.alerts} more={{ text: A.rules, href: alertsAddress(range) }} empty={null}>
      <ul class="rows two">
        {current.slice(0, 5).map((alert) => (
          <Row key={alert.id} id={`alert-${alert.id}`}>
            <p>
              <AlertGlyph alert={alert} /> {[ruleTitle(alert.rule), labelText(alert)].filter(Boolean).join(', ')}
            </p>
            <span class="nw">{alertValue(alert)}</span>
            {alert.acknowledged !== null ? (
              <div class="wide">
                <Acknowledged alert={alert} now={now} />
              </div>
            ) : (
              <p class="mute small wide wrap">{[alert.summary, hiddenText(alert), alert.fires_at === null ? '' : A.pending(alert.fires_at)].filter(Boolean).join(' · ')}</p>
            )}
          </Row>
        ))}
      </ul>
      <p class={current.length === 0 ? 'body mute small' : 'body mute small after'}>{quiet + then}</p>
    </Frame>
  );
}
