/** The lists of the page. Each one says what it would show while it is empty. */

import type { ComponentChildren, JSX } from 'preact';
import { SIGNALS, type Anomaly, type Change, type ErrorRow, type LogRow, type Service, type TraceRow } from '../contract';
import { errorAddress, errorOfEvent, errorsAddress, groupTitle } from '../error-places';
import { clockOrDay, count, duration, maybe, percent, rate, shortId, signalText } from '../format';
import { CARD_TITLES, CHANGE_TEXTS, SERVICE_KINDS, SERVICE_WORDS, STATE_WORDS, T } from '../strings';
import { ruleTitle } from '../strings-alerts';
import { E } from '../strings-errors';
import { openCard, type PanelProps } from './cards';
import { cardAddress, page } from '../controller';
import { logsAddress } from '../log-places';
import { callsAddress, databaseAddress } from '../operation-places';
import { alertsAddress, routeAddress, routesAddress, traceAddress, tracesAddress } from '../place';
import type { RangeChoice } from '../range';
import type { PanelData } from '../panel-data';
import { useStore } from '../store';
import { isWithinNormal } from '../verdict';
import { Glyph, type GlyphName } from './glyph';
import { Save } from './save';
import { StateStrip } from './strip';
import { glyphOf, toneOf } from './tone';

interface FrameProps {
  id: string;
  title: string;
  aside?: string;
  /** The page with all of it. */
  more?: { text: string; href: string };
  empty: string | null;
  /** The same as CSV and JSON. */
  data?: () => PanelData;
  children: ComponentChildren;
}

export function Frame({ id, title, aside, more, empty, data, children }: FrameProps): JSX.Element {
  return (
    <section class="panel" id={id} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{title}</h2>
        {aside !== undefined && <p>{aside}</p>}
        {data !== undefined && empty === null && (
          <>
            <span class="fill" />
            <Save title={title} data={data} />
          </>
        )}
        {more !== undefined && (
          <>
            <span class="fill" />
            <a class="small" href={more.href}>
              {more.text}
            </a>
          </>
        )}
      </header>
      {empty === null ? children : <p class="body mute small">{empty}</p>}
    </section>
  );
}

/** A row that `j` and `k` reach. */
export function Row({ id, children }: { id: string; children: ComponentChildren }): JSX.Element {
  return (
    <li tabIndex={-1} data-row={id}>
      {children}
    </li>
  );
}

const CHANGE_GLYPHS: Record<string, GlyphName> = {
  deploy: 'deploy',
  start: 'deploy',
  stop: 'off',
  mark: 'deploy',
  new_error: 'new',
  new_route: 'new',
  error_back: 'back',
  anomaly: 'odd',
  alert_end: 'done',
  gap: 'off',
};

function ChangeRow({ change, now }: { change: Change; now: number }): JSX.Element {
  const { range } = useStore(page);
  const known = CHANGE_GLYPHS[change.kind];
  const words = CHANGE_TEXTS[change.kind] ?? { before: '', after: change.state === null ? '' : `: ${STATE_WORDS[change.state].toLowerCase()}` };
  const replaced = change.kind === 'deploy' && change.before !== null ? ' ' + T.replaces(change.before) : words.after;
  const more = [change.text, change.count === null ? '' : T.countSince(change.count)].filter((text) => text !== '').join(' · ');
  const isRun = change.kind === 'start' || change.kind === 'stop';
  const isAlert = change.kind === 'alert' || change.kind === 'alert_end';
  const subject = isAlert ? ruleTitle(change.subject) : isRun && change.subject !== '' ? `: ${change.subject}` : change.subject;
  return (
    <Row id={`change-${change.at}-${change.subject}`}>
      <time class="mute" dateTime={new Date(change.at).toISOString()}>
        {clockOrDay(change.at, now)}
      </time>
      <Glyph name={known ?? glyphOf(change.state)} tone={change.kind === 'anomaly' ? 'odd' : known === undefined ? toneOf(change.state) : 'plain'} />
      <div class="wrap">
        {words.before}
        {isAlert ? (
          <b>
            <a href={alertsAddress(range)}>{subject}</a>
          </b>
        ) : change.error === null ? (
          <b>{subject}</b>
        ) : (
          <ErrorLink id={change.error} name={subject} />
        )}
        {replaced}
        {more !== '' && <small>{more}</small>}
      </div>
    </Row>
  );
}

function ErrorLink({ id, name }: { id: string; name: string }): JSX.Element {
  const { range } = useStore(page);
  return (
    <a href={errorAddress(id, range)}>
      <b>{name}</b>
    </a>
  );
}

export function Changes({ sections, now }: PanelProps): JSX.Element {
  return (
    <Frame id="changes" title={T.whatChanged} aside={T.newestFirst} empty={sections.changes.length === 0 ? T.nothingChanged : null}>
      <ol class="rows ev">
        {sections.changes.slice(0, 8).map((change) => (
          <ChangeRow key={`${change.at} ${change.kind} ${change.subject}`} change={change} now={now} />
        ))}
      </ol>
    </Frame>
  );
}

/** The title of a signal that has a card, or the name of another metric. */
export function signalTitle(name: string): string {
  const known = SIGNALS.find((signal) => signal === name);
  return known === undefined ? name : CARD_TITLES[known];
}

export function Unusual({ sections, now }: PanelProps): JSX.Element {
  const knowsNormal = SIGNALS.some((name) => sections.cards[name].normal !== null);
  const empty = sections.anomalies.length > 0 ? null : knowsNormal ? T.nothingUnusual : T.noNormalYet;
  // Of each episode the oddest, which is the first; the others are listed beside it.
  const episodes = sections.anomalies.filter((anomaly, i, all) => all.findIndex((other) => other.episode === anomaly.episode) === i);
  return (
    <Frame id="unusual" title={T.unusual} empty={empty}>
      <ul class="rows two">
        {episodes.slice(0, 4).map((anomaly) => {
          const name = SIGNALS.find((signal) => signal === anomaly.signal);
          const span = `${clockOrDay(anomaly.from, now)} – ${anomaly.to === null ? T.nowMark : clockOrDay(anomaly.to, now)}`;
          return (
            <Row key={anomaly.id} id={anomaly.id}>
              <p>
                <Glyph name="odd" tone="odd" label={STATE_WORDS.odd} />{' '}
                {name === undefined ? (
                  <AnomalyName anomaly={anomaly} />
                ) : (
                  <a href={cardAddress(name)} onClick={(event) => { openCard(event, name); }}>
                    {CARD_TITLES[name]}
                  </a>
                )}
              </p>
              <span class="nw mute small">{span}</span>
              <p class="mute small wide wrap">
                {name === undefined || isWithinNormal(anomaly.value, anomaly.normal) ? anomaly.text : `${signalText(name, anomaly.value)} · ${T.normal(signalText(name, anomaly.normal.low), signalText(name, anomaly.normal.high))}`}
              </p>
              {anomaly.also.length > 0 && <p class="mute small wide">{T.alsoOdd(anomaly.also.map(signalTitle).join(', '))}</p>}
            </Row>
          );
        })}
      </ul>
    </Frame>
  );
}

/** The figure of an anomaly that has no card, with a link to its route. */
function AnomalyName({ anomaly }: { anomaly: Anomaly }): JSX.Element {
  const { range } = useStore(page);
  if (anomaly.route === null) return <>{anomaly.signal}</>;
  return <a href={routeAddress(anomaly.route, range)}>{anomaly.signal}</a>;
}

function serviceFacts(service: Service, now: number): string {
  const facts: string[] = [];
  if (service.rate !== null) facts.push(maybe(service.rate, rate));
  if (service.p95 !== null) facts.push(`p95 ${maybe(service.p95, duration)}`);
  if (service.error_rate !== null) facts.push(service.error_rate === 0 ? T.noErrorsShort : T.errorsOf(maybe(service.error_rate, percent)));
  if (service.used !== null && service.max !== null) facts.push(T.connectionsOf(count(service.used), count(service.max)));
  if (service.limit_used !== null) facts.push(T.limitUsed(maybe(service.limit_used, percent), service.limit ?? ''));
  if (service.delivered_at !== null) facts.push(T.deliveredAgo(Math.max(0, now - service.delivered_at) / 1000));
  if (service.queued !== null && service.dropped !== null) facts.push(T.queuedDropped(service.queued, service.dropped));
  return facts.join(' · ');
}

/** The page with all that is known of a service. Sinks have none. */
const SERVICE_PAGES: Record<string, (range: RangeChoice) => string> = { self: routesAddress, pool: databaseAddress, database: databaseAddress, external: callsAddress };

export function Services({ sections, now }: PanelProps): JSX.Element {
  const { range } = useStore(page);
  return (
    <>
      <div class="head">
        <h2 id="services" tabIndex={-1}>
          {T.services}
        </h2>
      </div>
      {sections.services.length === 0 ? (
        <p class="mute small">{T.noServices}</p>
      ) : (
        <div class="grid three svcs">
          {sections.services.map((service) => {
            const word = SERVICE_WORDS[service.word] ?? service.word;
            const isQuiet = service.state === 'ok' || service.state === null;
            const place = SERVICE_PAGES[service.kind];
            return (
              <div key={service.kind + service.name} class={isQuiet ? 'quiet' : ''} data-service={service.name}>
                <h3>
                  <span class="one">{place === undefined ? service.name : <a href={place(range)}>{service.name}</a>}</span>
                  <span class={`tag ${isQuiet ? 'mute' : `s-${toneOf(service.state)}`}`}>
                    <Glyph name={glyphOf(service.state)} tone={toneOf(service.state)} />
                    {word}
                  </span>
                </h3>
                <p class="mute small">{service.text === '' ? (SERVICE_KINDS[service.kind] ?? service.kind) : service.text}</p>
                {service.strip !== null && <StateStrip states={service.strip} label={T.lastHour(service.name, word)} />}
                <p class="small mute">{serviceFacts(service, now)}</p>
              </div>
            );
          })}
        </div>
      )}
    </>
  );
}

function Method({ name }: { name: string | null }): JSX.Element | null {
  return name === null ? null : <span class="meth">{name}</span>;
}

/** A route, which links to its page if its method is known. */
function RouteLink({ method, route }: { method: string | null; route: string }): JSX.Element {
  const { range } = useStore(page);
  if (method === null) return <>{route}</>;
  return (
    <>
      <Method name={method} /> <a href={routeAddress({ method, route }, range)}>{route}</a>
    </>
  );
}

export function Running({ sections }: PanelProps): JSX.Element {
  const { count: all, requests } = sections.running;
  return (
    <Frame id="running" title={T.running} aside={T.runningCount(all)} empty={requests.length === 0 ? T.nothingRuns : null}>
      <ul class="rows two">
        {requests.map((request, i) => (
          <Row key={request.trace_id ?? i} id={request.trace_id ?? `running-${i}`}>
            <p title={request.route}>
              <Method name={request.method} /> {request.route}
            </p>
            <span class="nw">{maybe(request.running_for, duration)}</span>
            {request.polled_for !== null && request.polled_for > 0.05 && (
              <p class="mute small">{T.blocks(maybe(request.polled_for, duration))}</p>
            )}
            {request.trace_id !== null && (
              <p class="mute small">
                <TraceLink id={request.trace_id} />
              </p>
            )}
          </Row>
        ))}
      </ul>
    </Frame>
  );
}

/** The short ID of a trace, which links to its page. */
function TraceLink({ id }: { id: string }): JSX.Element {
  const { range } = useStore(page);
  return (
    <a href={traceAddress(id, range)} title={id}>
      {shortId(id)}
    </a>
  );
}

/** `now` shows the time as well, where there is room. */
export function TraceItem({ trace, now }: { trace: TraceRow; now?: number }): JSX.Element {
  return (
    <Row id={trace.trace_id}>
      <p title={trace.route}>
        <RouteLink method={trace.method} route={trace.route} />
      </p>
      <span class="nw">{maybe(trace.duration, duration)}</span>
      <p class="mute small" title={trace.trace_id}>
        {trace.failed && <Glyph name="critical" tone="crit" label={STATE_WORDS.critical} />}{' '}
        {[now === undefined ? '' : clockOrDay(trace.at, now), trace.status === null ? '' : trace.status.toString(), T.kept(trace.kept), '']
          .filter((text, i, all) => text !== '' || i === all.length - 1)
          .join(' · ')}
        <TraceLink id={trace.trace_id} />
      </p>
    </Row>
  );
}

export function Traces({ sections }: PanelProps): JSX.Element {
  const { range } = useStore(page);
  return (
    <Frame id="traces" title={T.traces} more={{ text: T.searchTraces, href: tracesAddress(range) }} empty={sections.traces.length === 0 ? T.noTraces : null}>
      <ul class="rows two">
        {sections.traces.slice(0, 5).map((trace) => (
          <TraceItem key={trace.trace_id} trace={trace} />
        ))}
      </ul>
    </Frame>
  );
}

export function ErrorItem({ error, now }: { error: ErrorRow; now: number }): JSX.Element {
  const { range } = useStore(page);
  return (
    <Row id={`error-${error.id}`}>
      <p title={`${error.type}: ${error.message}`}>
        {error.mark !== null && <Glyph name={error.mark} label={T.marks[error.mark]} />} <a href={errorAddress(error.id, range)}>{groupTitle(error)}</a>
      </p>
      <span class="nw">{count(error.count)}</span>
      <p class="mute small">
        {clockOrDay(error.last_at, now)}
        {error.trace_id !== null && (
          <>
            {' · '}
            <TraceLink id={error.trace_id} />
          </>
        )}
        {error.location + error.route !== '' && ` · ${error.location === '' ? error.route : error.location}`}
      </p>
    </Row>
  );
}

export function Errors({ sections, now }: PanelProps): JSX.Element {
  const { range } = useStore(page);
  return (
    <Frame id="errors" title={T.errors} more={{ text: T.inbox, href: errorsAddress(range) }} empty={sections.errors.length === 0 ? T.noErrors : null}>
      <ul class="rows two">
        {sections.errors.slice(0, 5).map((error) => (
          <ErrorItem key={error.id} error={error} now={now} />
        ))}
      </ul>
    </Frame>
  );
}

export function LogItem({ log, now }: { log: LogRow; now: number }): JSX.Element {
  const { range } = useStore(page);
  const glyph = log.level === 'error' ? 'critical' : log.level === 'warn' ? 'warning' : null;
  return (
    <Row id={`log-${log.at}-${log.message}`}>
      <p title={log.message}>
        {glyph !== null && <Glyph name={glyph} tone={toneOf(glyph)} />} {log.message}
      </p>
      <span class="mute nw">{log.level}</span>
      <p class="mute small">
        {clockOrDay(log.at, now)}
        {log.trace_id !== null && (
          <>
            {' · '}
            <TraceLink id={log.trace_id} />
          </>
        )}
        {log.event_id !== null && (
          <>
            {' · '}
            <a href={errorOfEvent(log.event_id, range)}>{E.error}</a>
          </>
        )}
        {log.target !== '' && ` · ${log.target}`}
      </p>
    </Row>
  );
}

export function Logs({ sections, now }: PanelProps): JSX.Element {
  const { range } = useStore(page);
  return (
    <Frame id="logs" title={T.logs} more={{ text: T.searchTraces, href: logsAddress(range) }} empty={sections.logs.length === 0 ? T.noLogs : null}>
      <ul class="rows two">
        {sections.logs.slice(0, 5).map((log, i) => (
          <LogItem key={`${log.at} ${i}`} log={log} now={now} />
        ))}
      </ul>
    </Frame>
  );
}
