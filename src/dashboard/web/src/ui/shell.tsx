/** The frame around every page: pages, search, range, pause, the line of the day, own cost. It never moves. */

import type { JSX } from 'preact';
import { backlog, clock, logOut, page, setRange, shown, spoken, staleFor, togglePause } from '../controller';
import { errorsAddress } from '../error-places';
import { bytes, clockOrDay, clock as clockText, maybe, percent } from '../format';
import { logsAddress } from '../log-places';
import { callsAddress, databaseAddress } from '../operation-places';
import { alertsAddress, overviewAddress, placeOf, routesAddress, tracesAddress } from '../place';
import { DEFAULT_RANGE, RELATIVE } from '../range';
import { useStore } from '../store';
import { RANGE_NAMES, STATE_WORDS, T } from '../strings';
import { A } from '../strings-alerts';
import { E } from '../strings-errors';
import { L } from '../strings-logs';
import { TO } from '../strings-operations';
import { THEMES, setTheme, theme } from '../theme';
import { AlertsView } from './alerts';
import { Calls } from './calls';
import { Database } from './database';
import { DayLine } from './day-line';
import { ErrorView } from './error';
import { ErrorsView } from './errors';
import { Glyph } from './glyph';
import { tailWait } from './log-tail';
import { LogsView } from './logs';
import { Overview } from './overview';
import { RouteView } from './route';
import { Routes } from './routes';
import { Search } from './search';
import { StatementView } from './statement';
import { Tip } from './tip';
import { TraceView } from './trace';
import { Traces } from './traces';
import { PILLS } from './tone';

const PLACES = [
  ['services', T.servicesShort],
  ['running', T.running],
  ['traces', T.traces],
  ['errors', T.errors],
  ['logs', T.logs],
] as const;

function Side(): JSX.Element {
  const state = useStore(page);
  const chosen = useStore(theme);
  const { session } = state;
  const here = placeOf(location.pathname);
  const cost = shown(state)?.cost ?? null;
  const about = [session?.environment, session?.version].filter((part) => part !== null && part !== undefined).join(' · ');
  const costs = cost === null ? [] : [cost.cpu === null ? '' : T.costCpu(maybe(cost.cpu, percent)), cost.memory === null ? '' : maybe(cost.memory, bytes)];
  return (
    <aside class="side" id="side" popover="auto" aria-label={T.pagesAndSettings}>
      <p class="brand">
        <Glyph name="mark" />
        {T.product}
      </p>
      <p class="svc">
        {session?.service}
        <small>{about}</small>
      </p>
      <nav aria-label={T.pages}>
        <ul>
          <li>
            <a href={overviewAddress(state.range)} {...current(here === 'overview')}>
              {T.overview}
            </a>
          </li>
          <li>
            <a href={alertsAddress(state.range)} {...current(here === 'alerts')}>
              {A.alerts}
              <AlertCount />
            </a>
          </li>
          <li>
            <a href={errorsAddress(state.range)} {...current(here === 'errors' || here === 'error')}>
              {E.errors}
              <ErrorCount />
            </a>
          </li>
          <li>
            <a href={logsAddress(state.range)} {...current(here === 'logs')}>
              {L.logs}
            </a>
          </li>
        </ul>
        <ul>
          <li>
            <a href={routesAddress(state.range)} {...current(here === 'routes' || here === 'route')}>
              {T.routes}
            </a>
          </li>
          <li>
            <a href={databaseAddress(state.range)} {...current(here === 'database' || here === 'statement')}>
              {TO.database}
            </a>
          </li>
          <li>
            <a href={callsAddress(state.range)} {...current(here === 'calls')}>
              {TO.callsPage}
            </a>
          </li>
          <li>
            <a href={tracesAddress(state.range)} {...current(here === 'traces' || here === 'trace')}>
              {T.tracesPage}
            </a>
          </li>
        </ul>
        {here === 'overview' && (
          <ul aria-label={T.onThisPage}>
            {PLACES.map(([place, name]) => (
              <li key={place}>
                <a href={`#${place}`} onClick={closeMenu}>
                  {name}
                </a>
              </li>
            ))}
          </ul>
        )}
      </nav>
      <div class="foot">
        {cost !== null && (
          <div class="cost">
            <b>
              {cost.dropped > 0 && <Glyph name="warning" tone="warn" />} {T.cost}
            </b>
            <p>{costs.filter((part) => part !== '').join(' · ')}</p>
            <p>{cost.dropped === 0 ? T.nothingDropped : T.dropped(cost.dropped)}</p>
            {cost.drops.slice(0, 3).map((drop) => (
              <p key={drop.signal + drop.reason}>{T.droppedRow(drop.signal, drop.reason, drop.count)}</p>
            ))}
          </div>
        )}
        <div class="btns">
          <div class="seg" role="group" aria-label={T.theme}>
            {THEMES.map((name) => (
              <button key={name} type="button" aria-pressed={chosen === name} onClick={() => { setTheme(name); }}>
                {T.themes[name]}
              </button>
            ))}
          </div>
          <button class="ghost icon" type="button" aria-label={T.keysLabel} onClick={openHelp}>
            <kbd>?</kbd>
          </button>
        </div>
        {session?.can_log_out === true && (
          <button type="button" class="ghost" onClick={() => void logOut()}>
            {T.logOut} <span class="mute">({T.roles[session.role]})</span>
          </button>
        )}
      </div>
    </aside>
  );
}

/** How many alerts are open, with the glyph of the worst; a tick if all of them are acknowledged. */
function AlertCount(): JSX.Element | null {
  const alerts = shown(useStore(page))?.alerts;
  if (alerts === undefined) return null;
  if (alerts.open > 0) {
    const isCritical = alerts.open_critical > 0;
    return (
      <span class={isCritical ? 'tag s-crit' : 'tag s-warn'}>
        <Glyph name={isCritical ? 'critical' : 'warning'} label={isCritical ? STATE_WORDS.critical : STATE_WORDS.warning} />
        {alerts.open}
      </span>
    );
  }
  if (alerts.acknowledged === 0) return null;
  return (
    <span class="tag">
      <Glyph name="done" label={A.acknowledgedTitle} />
      {alerts.acknowledged}
    </span>
  );
}

/** How many errors are new; or else how many have occurred again. */
function ErrorCount(): JSX.Element | null {
  const groups = shown(useStore(page))?.groups;
  if (groups === undefined) return null;
  const isNew = groups.new > 0;
  if (!isNew && groups.regressed === 0) return null;
  return (
    <span class="tag">
      <Glyph name={isNew ? 'new' : 'back'} />
      {isNew ? E.newCount(groups.new) : E.regressedCount(groups.regressed)}
    </span>
  );
}

function current(is: boolean): { 'aria-current'?: 'page' } {
  return is ? { 'aria-current': 'page' } : {};
}

const CONTENTS = { overview: Overview, alerts: AlertsView, errors: ErrorsView, error: ErrorView, routes: Routes, route: RouteView, database: Database, statement: StatementView, calls: Calls, traces: Traces, trace: TraceView, logs: LogsView };

/** Closes the menu, which lies over the page where that is narrow. */
function closeMenu(): void {
  const side = document.getElementById('side');
  if (side?.matches(':popover-open') === true) side.hidePopover();
}

function openHelp(): void {
  const dialog = document.getElementById('help');
  if (dialog instanceof HTMLDialogElement) dialog.showModal();
}

function Pill(): JSX.Element {
  const state = useStore(page);
  const now = useStore(clock);
  const stale = staleFor(state, now);
  const verdict = state.document?.sections.verdict.state;
  if (stale !== null) {
    return (
      <p class="btn pill s-warn">
        <Glyph name="warning" />
        {STATE_WORDS.stale}
      </p>
    );
  }
  if (verdict === undefined) {
    return (
      <p class="btn pill">
        <Glyph name="pending" tone="wait" />
        {state.connection.status === 'connecting' ? T.connecting : STATE_WORDS.loading}
      </p>
    );
  }
  const { glyph, tone } = PILLS[verdict];
  const open = state.document?.sections.alerts.open ?? 0;
  return (
    <a class={`btn pill s-${tone}`} href={alertsAddress(state.range)}>
      <Glyph name={glyph} />
      {STATE_WORDS[verdict]}
      {open > 0 && <span class="w">{A.openShort(open)}</span>}
    </a>
  );
}

function Range(): JSX.Element {
  const { range } = useStore(page);
  const now = useStore(clock);
  const isLive = range.kind === 'relative';
  return (
    <>
      <button type="button" class="range" popovertarget="range">
        <span class="vh">{T.range}: </span>
        {isLive ? (
          <>
            <span class="w">
              {T.live} {T.last}{' '}
            </span>
            {RANGE_NAMES[range.name]}
          </>
        ) : (
          <span class="one">{`${clockOrDay(range.from, now)} – ${clockText(range.to)}`}</span>
        )}{' '}
        <Glyph name="down" />
      </button>
      <div class="pop" id="range" popover="auto" role="dialog" aria-label={T.range}>
        <div class="stack">
          <div class="seg">
            {RELATIVE.map((name) => (
              <button
                key={name}
                type="button"
                aria-pressed={isLive && range.name === name}
                popovertarget="range"
                popovertargetaction="hide"
                onClick={() => { setRange({ kind: 'relative', name }); }}
              >
                {RANGE_NAMES[name]}
              </button>
            ))}
          </div>
          {!isLive && (
            <button type="button" popovertarget="range" popovertargetaction="hide" onClick={() => { setRange(DEFAULT_RANGE); }}>
              {T.backToLive}
            </button>
          )}
          <p class="mute small">{T.rangeHelp}</p>
        </div>
      </div>
    </>
  );
}

function Pause(): JSX.Element {
  const state = useStore(page);
  const tail = useStore(tailWait);
  const updates = tail?.lines ?? backlog(state).updates;
  const isPaused = state.held !== null;
  return (
    <button class="pause" type="button" aria-pressed={isPaused} aria-label={isPaused ? T.resumeLabel(updates) : T.pauseAll} onClick={togglePause}>
      <Glyph name={isPaused ? 'play' : 'pause'} />
      <span class="w">{isPaused ? (updates === 0 ? T.paused : T.pausedWaiting(updates)) : T.pause}</span>
    </button>
  );
}

function PausedBar(): JSX.Element | null {
  const state = useStore(page);
  const tail = useStore(tailWait);
  if (state.held === null) return null;
  const { updates, errors } = backlog(state);
  return (
    <div class="wait">
      <Glyph name="pause" />
      <span>{tail === null ? T.pausedBar(state.held.at, updates, errors) : L.tailPaused(state.held.at, tail.lines, tail.errors)}</span>
      <button type="button" onClick={togglePause}>
        {T.resume} <kbd>p</kbd>
      </button>
    </div>
  );
}

function Help(): JSX.Element {
  return (
    <dialog id="help" aria-labelledby="help-title">
      <h2 id="help-title">{T.keysTitle}</h2>
      <dl class="keys">
        {T.keys.map(([name, keys]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <button type="button" onClick={(event) => { event.currentTarget.closest('dialog')?.close(); }}>
        {T.close}
      </button>
    </dialog>
  );
}

function Spoken(): JSX.Element {
  const text = useStore(spoken);
  return (
    <div class="vh" role="status">
      {text}
    </div>
  );
}

export function Shell(): JSX.Element {
  const Content = CONTENTS[placeOf(location.pathname)];
  return (
    <div class="frame">
      <a class="skip" href="#main">
        {T.skip}
      </a>
      <Side />
      <header class="top">
        <button class="menu icon" type="button" popovertarget="side" aria-label={T.menu}>
          <Glyph name="menu" />
        </button>
        <Pill />
        <Search />
        <span class="fill w" />
        <Range />
        <Pause />
      </header>
      <DayLine />
      <main id="main" tabIndex={-1}>
        <PausedBar />
        <Content />
      </main>
      <Spoken />
      <Help />
      <Tip />
    </div>
  );
}
