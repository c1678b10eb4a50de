import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { cardAddress, clock, page, shown, spoken, staleFor } from '../controller';
import type { Sections } from '../contract';
import { routeAddress } from '../place';
import { useStore } from '../store';
import { STATE_WORDS, T } from '../strings';
import { A } from '../strings-alerts';
import { sentence, type Sentence } from '../verdict';
import { ActionForm, Actions } from './alert-actions';
import { AlertList, AlertPanel, isOpen, worstAlert } from './alert-panel';
import { Cards, openCard } from './cards';
import { ChartPanel } from './chart-panel';
import { FirstRun } from './first-run';
import { Glyph } from './glyph';
import { Changes, Errors, Logs, Running, Services, Traces, Unusual } from './panels';
import { PILLS } from './tone';
import { Where } from './where';

/** The sentence, with links to the evidence of its numbers. */
export function Verdict({ of }: { of: Sentence }): JSX.Element {
  const { glyph, tone } = PILLS[of.state];
  return (
    <h1 class="verdict">
      <Glyph name={glyph} tone={tone} />
      <b class={of.state === 'critical' || of.state === 'warning' ? `s-${tone}` : ''}>{of.head}</b>
      {of.pieces.map(({ text, link }, i) => {
        if (link === undefined) return <span key={i}>{text}</span>;
        if ('row' in link) {
          return (
            <a key={i} href={`#${link.row}`}>
              {text}
            </a>
          );
        }
        if ('route' in link) {
          return (
            <a key={i} href={routeAddress(link.route, page.get().range)}>
              {text}
            </a>
          );
        }
        const { card } = link;
        return (
          <a key={i} href={cardAddress(card)} onClick={(event) => { openCard(event, card); }}>
            {text}
          </a>
        );
      })}
    </h1>
  );
}

function Under({ sections, now }: { sections: Sections; now: number }): JSX.Element {
  const state = useStore(page);
  const { connection, failure, gap, held, range } = state;
  const { since, state: verdict, uptime } = sections.verdict;
  const stale = staleFor(state, now);
  const parts: string[] = [];
  if (range.kind === 'absolute') parts.push(T.figuresOf(range.from, range.to, now));
  else if (stale === null && held === null && connection.heardAt !== null) parts.push(T.checked(Math.max(0, (Date.now() - connection.heardAt) / 1000)));
  if (verdict === 'waiting') {
    if (uptime !== null) parts.push(T.up(uptime));
    parts.push(T.ownRequests);
  } else if (since !== null && verdict === 'healthy') {
    parts.push(T.stateFor(STATE_WORDS.healthy, (now - since) / 1000));
  }
  if (range.kind !== 'absolute') parts.push(...alertParts(sections, now));
  if (connection.status === 'polling') parts.push(T.polling);
  if (failure !== null) parts.push(failure);
  // A notice of some seconds: what was left out is not coming back, and the page is whole again.
  if (gap !== null && Date.now() - gap.at < 60_000) parts.push(T.missed(gap.missed));
  return (
    <p class="sub">
      {stale !== null && (
        <span class="s-warn">
          <Glyph name="warning" /> {T.stale(stale)}
          {connection.retryAt !== null && `. ${T.connectingAgain(Math.max(0, (connection.retryAt - Date.now()) / 1000))}`}
        </span>
      )}
      {parts.map((part) => (
        <span key={part}>{part}</span>
      ))}
    </p>
  );
}

/** How many alerts are open and for how long, how many are acknowledged, and which fires next. */
function alertParts({ alerts: { alerts, rules, open: total, open_critical: critical, acknowledged } }: Sections, now: number): string[] {
  if (rules === 0) return [];
  const parts: string[] = [];
  const open = alerts.filter(isOpen);
  // The list has the first 20 alerts, the counts have all.
  for (const [severity, n] of [['critical', critical], ['warning', total - critical]] as const) {
    const of = open.filter((alert) => alert.severity === severity);
    const first = Math.min(...of.map((alert) => alert.fired_at ?? alert.since));
    if (n > 0) parts.push(A.openCount(n, A.severities[severity], of.length === 0 ? null : (now - first) / 1000));
  }
  if (total === 0) parts.push(A.noOpen);
  if (acknowledged > 0) parts.push(A.acknowledgedCount(acknowledged));
  const next = alerts.filter((alert) => alert.state === 'pending' && alert.severity !== 'info').sort((a, b) => (a.fires_at ?? 0) - (b.fires_at ?? 0))[0];
  if (next?.fires_at !== null && next !== undefined) parts.push(A.firesIn(next.rule, Math.max(0, next.fires_at - now) / 1000));
  return parts;
}

export function Overview(): JSX.Element {
  const state = useStore(page);
  const now = useStore(clock);
  const sections = shown(state);
  const verdict = sections?.verdict.state ?? null;
  const service = state.session?.service ?? '';
  const stale = staleFor(state, now) !== null;
  useEffect(() => {
    const word = stale ? STATE_WORDS.stale : verdict === null ? STATE_WORDS.loading : STATE_WORDS[verdict];
    document.title = [word, service, T.product].filter((part) => part !== '').join(' · ');
  }, [verdict, service, stale]);
  // A change of the state is spoken; the figures, which change each second, are not.
  const before = useRef(verdict);
  useEffect(() => {
    if (before.current !== null && verdict !== null && before.current !== verdict) spoken.set(STATE_WORDS[verdict]);
    before.current = verdict;
  }, [verdict]);
  if (sections === null) {
    return (
      <h1 class="verdict">
        <Glyph name="pending" tone="wait" />
        <b>{T.loadingNote}</b> {state.failure ?? ''}
      </h1>
    );
  }
  const isFirstRun = !sections.setup.has_requests;
  const props = { sections, now };
  const alert = state.range.kind === 'absolute' ? null : worstAlert(sections);
  return (
    <>
      <div>
        <Verdict of={sentence(sections, now)} />
        <Under sections={sections} now={now} />
      </div>
      {isFirstRun && <FirstRun setup={sections.setup} />}
      {state.card !== null ? (
        <div class="cols even">
          <div class="c8 stack">
            <ChartPanel name={state.card} {...props} />
            {sections.anomalies.length > 0 && <Unusual {...props} />}
          </div>
          <div class="c4">
            <Changes {...props} />
          </div>
        </div>
      ) : alert !== null ? (
        <div class="cols even">
          <div class="c8 stack">
            <AlertPanel alert={alert} {...props} form={<ActionForm alert={alert} />}>
              <Actions alert={alert} hasKeys />
            </AlertPanel>
          </div>
          <div class="c4 stack">
            <Changes {...props} />
            {sections.anomalies.length > 0 && <Unusual {...props} />}
          </div>
        </div>
      ) : (
        !isFirstRun && (
          <div class="cols even">
            <div class="c8">
              <Changes {...props} />
            </div>
            <div class="c4 stack">
              <AlertList {...props} />
              <Unusual {...props} />
            </div>
          </div>
        )
      )}
      <h2 class={isFirstRun ? '' : 'vh'}>{isFirstRun ? T.whatYouWillSee : T.signals}</h2>
      <Cards {...props} />
      <Where sections={sections} />
      <Services {...props} />
      <div class="cols even">
        <div class="c3">
          <Running {...props} />
        </div>
        <div class="c3">
          <Traces {...props} />
        </div>
        <div class="c3">
          <Errors {...props} />
        </div>
        <div class="c3">
          <Logs {...props} />
        </div>
      </div>
    </>
  );
}
