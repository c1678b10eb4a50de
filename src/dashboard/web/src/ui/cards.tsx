/** The eight signals. */

import type { JSX } from 'preact';
import { page, cardAddress, setCard, setRange, shownSeries, staleFor } from '../controller';
import { CARD_NAMES, SIGNALS, type Card, type HealthCard, type HealthCheck, type Sections, type Series, type SignalName } from '../contract';
import { joined, percent, signal, signalText, clock as clockText, DASH } from '../format';
import { useStore } from '../store';
import { CARD_TITLES, MISSING, RANGE_WORDS, STATE_WORDS, T } from '../strings';
import { A } from '../strings-alerts';
import { cardLine } from './card-lines';
import { Chart, useChartModel } from './chart';
import { Glyph } from './glyph';
import { Rail, StateStrip } from './strip';
import { glyphOf, toneOf } from './tone';

export interface PanelProps {
  sections: Sections;
  now: number;
}

export function Cards({ sections, now }: PanelProps): JSX.Element {
  return (
    <div class="grid" role="group" aria-label={T.eightSignals}>
      {CARD_NAMES.map((name) =>
        name === 'health' ? (
          <Health key={name} card={sections.cards.health} sections={sections} />
        ) : (
          <Signal key={name} name={name} sections={sections} now={now} />
        ),
      )}
    </div>
  );
}

function Health({ card, sections }: { card: HealthCard; sections: Sections }): JSX.Element {
  const { state, uptime } = sections.verdict;
  const value = state === 'waiting' ? (card.state === 'critical' ? T.notReady : T.ready) : STATE_WORDS[state];
  const strip = sections.services.find((service) => service.kind === 'self')?.strip ?? null;
  const checks = card.total === 0 ? T.noChecks : T.readyOf(card.passing, card.total);
  const tone = card.state === 'critical' ? 'crit' : card.state === 'warning' ? 'warn' : '';
  return (
    <section class={`card ${tone}`}>
      <h3 class="t">
        <span>{CARD_TITLES.health}</span>
        {tone !== '' && <Tag state={card.state} />}
      </h3>
      <p class="v">{value}</p>
      <p class="d">{uptime === null ? checks : `${checks} · ${T.up(uptime)}`}</p>
      <ul class="checks">
        {card.checks.slice(0, 4).map((check) => (
          <li key={check.kind + check.name} title={check.text}>
            <Glyph name={glyphOf(check.state)} tone={toneOf(check.state)} label={check.state === null ? STATE_WORDS.waiting : STATE_WORDS[check.state]} />
            <span class="one">
              {check.kind === 'alerts' ? alertCheck(check) : (T.checkNames[check.kind] ?? check.name)}
              {check.used === null ? '' : ' ' + joined(percent(check.used))}
            </span>
          </li>
        ))}
      </ul>
      {strip !== null && <StateStrip states={strip} label={T.lastHour(CARD_TITLES.health, value)} />}
    </section>
  );
}

/** "No critical alert", or how many of the worst kind fire. */
function alertCheck({ state, text }: HealthCheck): string {
  return state === null || state === 'ok' ? A.none : A.ofState(STATE_WORDS[state].toLowerCase(), Number(text));
}

function Tag({ state }: { state: 'ok' | 'warning' | 'critical' | 'odd' }): JSX.Element {
  return (
    <span class={`tag s-${toneOf(state)}`}>
      <Glyph name={glyphOf(state)} />
      <span class="tw">{STATE_WORDS[state]}</span>
    </span>
  );
}

/** Opens a card's chart without loading the page again; the address is a real one for a new window. */
export function openCard(event: MouseEvent, name: SignalName | null): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  setCard(name);
  if (name !== null) requestAnimationFrame(() => document.getElementById('chart')?.scrollIntoView({ block: 'nearest' }));
}

function Signal({ name, sections, now }: PanelProps & { name: SignalName }): JSX.Element {
  const state = useStore(page);
  const card: Card = sections.cards[name];
  const series = shownSeries(state);
  const stale = staleFor(state, now);
  const colour = card.state === 'warning' ? 'warn' : card.state === 'critical' ? 'crit' : '';
  const { connection } = state;
  return (
    <section class={`card ${colour} ${stale === null ? '' : 'stale'}`} data-card={name}>
      <h3 class="t">
        <a href={cardAddress(name)} aria-label={T.openChart(CARD_TITLES[name])} onClick={(event) => { openCard(event, name); }}>
          {CARD_TITLES[name]}
        </a>
        {stale !== null ? (
          <span class="tag s-warn">
            <Glyph name="warning" />
            <span class="tw">{T.stale(stale)}</span>
          </span>
        ) : typeof series?.failed === 'string' ? (
          <span class="tag s-warn">
            <Glyph name="warning" />
            <span class="tw">{T.noHistory}</span>
          </span>
        ) : (
          card.state !== null && card.state !== 'ok' && <Tag state={card.state} />
        )}
      </h3>
      <p class="v">
        <Value name={name} sections={sections} />
      </p>
      <p class="d">
        {stale !== null && connection.heardAt !== null
          ? T.asOf(connection.heardAt)
          : typeof series?.failed === 'string' && card.value !== null
            ? T.liveOnly(series.failed)
            : cardLine(sections.cards, name, now)}
      </p>
      <Body name={name} sections={sections} now={now} />
    </section>
  );
}

function Value({ name, sections }: { name: SignalName; sections: Sections }): JSX.Element {
  const card: Card = sections.cards[name];
  if (card.value === null) return <>{DASH}</>;
  const { value, unit } = signal(name, card.value);
  const max = name === 'connections' ? sections.cards.connections.max : null;
  const after = max === null ? unit : `/ ${signalText('connections', max)}`;
  return (
    <>
      {card.error === null ? '' : '~ '}
      {value}
      {after !== '' && <small>{'\u202f' + after}</small>}
    </>
  );
}

function Body({ name, sections, now }: PanelProps & { name: SignalName }): JSX.Element {
  const state = useStore(page);
  const { failure, range } = state;
  const series = shownSeries(state);
  const card: Card = sections.cards[name];
  if (series === null) {
    const words = range.kind === 'relative' ? RANGE_WORDS[range.name] : `${clockText(range.from)} – ${clockText(range.to)}`;
    return <Note text={failure ?? T.loadingRange(words)} />;
  }
  const hasValues = series.values[name].some((value) => value !== null);
  if (series.failed !== null) return <Note text={T.historyGone} />;
  if (!hasValues) return <Missing name={name} card={card} now={now} />;
  const gap = series.gaps.at(-1);
  return (
    <>
      <Sparkline name={name} card={card} series={series} sections={sections} />
      <Rail name={name} card={card} />
      {gap !== undefined && <p class="gap-note small mute">{`${T.noDataBetween(gap.from, gap.to, now)}: ${T.gapReasons[gap.reason] ?? gap.reason}`}</p>}
    </>
  );
}

/** Draws again only when its line changes, not with each new value of the card. */
function Sparkline({ name, card, series, sections }: { name: SignalName; card: Card; series: Series; sections: Sections }): JSX.Element {
  const model = useChartModel(name, card, series, sections);
  return <Chart model={model} height={name === 'users' ? 66 : 44} />;
}

function Missing({ name, card, now }: { name: SignalName; card: Card; now: number }): JSX.Element {
  const at = card.last_at;
  if (at !== null) {
    const around = { kind: 'absolute', from: at - 1_800_000, to: at + 1_800_000 } as const;
    return (
      <p class="note">
        <button type="button" class="plain" onClick={() => { setRange(around); }}>
          {T.goTo(at, now)}
        </button>
      </p>
    );
  }
  const limits = T.lines(
    card.warning === null ? null : signalText(name, card.warning),
    card.critical === null ? null : signalText(name, card.critical),
  );
  if (card.value !== null) return <Note text={T.lineSoon} />;
  const isFirst = name === SIGNALS[0];
  return <Note text={card.missing === 'no_requests' && !isFirst ? limits : (MISSING[card.missing ?? 'no_data']?.note ?? '')} />;
}

function Note({ text }: { text: string }): JSX.Element {
  return (
    <p class="note">
      <span>{text}</span>
    </p>
  );
}
