/** The inbox of errors: what is new, spiking or regressed, and one group beside the list. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { read } from '../api';
import type { Marker } from '../contract';
import { INBOX_STATES, type ErrorInbox, type ErrorPage, type GroupRow } from '../contract-errors';
import { clock as clockStore, page, shown } from '../controller';
import { ERROR_KINDS, INBOX_ORDERS, errorAddress, errorPath, errorsAddress, groupTitle, inboxPath, isInboxFiltered, readInbox, typeName, writeInbox, type InboxView } from '../error-places';
import { count, joined, percent } from '../format';
import { traceAddress } from '../place';
import type { RangeChoice } from '../range';
import { parameter, setParameter } from '../sorting';
import { useStore } from '../store';
import { RANGE_WORDS, T, capital } from '../strings';
import { E, markOf } from '../strings-errors';
import { changes } from './alert-actions';
import { GroupActions, GroupForm, MergeButton, groupForm } from './error-actions';
import { Causes, Crumbs, EventBars, Facts, Mark, Stack, StateTag, ago, useErrorsTick, type ErrorsTick } from './error-parts';
import { TryIt } from './first-run';
import { useRead } from './read';
import { Save } from './save';

export function ErrorsView(): JSX.Element {
  const state = useStore(page);
  const now = useStore(clockStore);
  const changed = useStore(changes);
  const { tick, waited } = useErrorsTick();
  const { range, held, session } = state;
  const [view, setView] = useState(() => readInbox(new URLSearchParams(location.search)));
  const [chosen, setChosen] = useState(() => parameter('id'));
  const path = inboxPath(view, range);
  const { document: list, failure } = useRead(path, range.kind === 'relative', held !== null, waited(() => read<ErrorInbox>(path)), changed + tick);
  // While another state or filter is read, the page stays.
  const [before, setBefore] = useState<ErrorInbox | null>(null);
  useEffect(() => { if (list !== null) setBefore(list); }, [list]);
  useEffect(() => { document.title = [E.errors, session?.service ?? '', T.product].filter(Boolean).join(' · '); }, [session]);
  useEffect(() => {
    const back = (): void => {
      setView(readInbox(new URLSearchParams(location.search)));
      setChosen(parameter('id'));
    };
    addEventListener('popstate', back);
    return () => { removeEventListener('popstate', back); };
  }, []);
  const choose = (next: InboxView): void => {
    const query = new URLSearchParams(location.search);
    writeInbox(query, next);
    query.delete('id');
    const text = query.toString();
    history.pushState(null, '', location.pathname + (text === '' ? '' : '?' + text));
    setView(next);
    setChosen(null);
    groupForm.set(null);
  };
  const select = (id: string): void => {
    setParameter('id', id);
    setChosen(id);
    groupForm.set(null);
  };
  const of = list ?? (failure === null ? before : null);
  const rows = of?.groups ?? [];
  const isBeside = useIsWide() && rows.length > 0;
  const selected = rows.find(({ id }) => id === chosen) ?? rows[0];
  const markers = shown(state)?.markers ?? [];
  return (
    <>
      <div>
        <Head of={of} failure={failure} range={range} />
        <Notes of={of} failure={failure} path={path} />
      </div>
      {of !== null && of.known > 0 && (
        <>
          <Tabs of={of} view={view} range={range} choose={choose} />
          <Filters of={of} view={view} choose={choose} />
        </>
      )}
      {of !== null && of.known === 0 && (
        <div class="cols">
          <div class="c6">
            <TryIt />
          </div>
        </div>
      )}
      {of !== null && of.known > 0 && (
        <div class="cols">
          <div class={isBeside ? 'c7' : 'c12'}>
            <Inbox of={of} view={view} range={range} now={now} markers={markers} selected={isBeside ? (selected?.id ?? null) : null} select={select} choose={choose} />
          </div>
          {isBeside && selected !== undefined && (
            <div class="c5">
              <Beside key={selected.id} row={selected} markers={markers} again={changed + tick} waited={waited} />
            </div>
          )}
        </div>
      )}
    </>
  );
}

/** Whether a group has room beside the list. */
function useIsWide(): boolean {
  const [query] = useState(() => matchMedia('(min-width: 1241px)'));
  const [isWide, setIsWide] = useState(query.matches);
  useEffect(() => {
    const change = (): void => { setIsWide(query.matches); };
    query.addEventListener('change', change);
    return () => { query.removeEventListener('change', change); };
  }, [query]);
  return isWide;
}

export function rangeWords(range: RangeChoice): string {
  return range.kind === 'relative' ? E.the(RANGE_WORDS[range.name]) : E.thisRange;
}

export function Head({ of, failure, range }: { of: ErrorInbox | null; failure: string | null; range: RangeChoice }): JSX.Element {
  if (of === null) {
    return (
      <h1 class="verdict">
        <b>{E.errors}.</b> {failure ?? `${E.loading}.`}
      </h1>
    );
  }
  if (of.known === 0) {
    return (
      <h1 class="verdict">
        <b>{E.noErrorHead}</b> {E.firstUse}
      </h1>
    );
  }
  const { counts } = of;
  const head = counts.new > 0 ? E.newHead(counts.new) : counts.open > 0 ? E.openHead(counts.open) : E.noneHead;
  const top = [...of.groups].sort((a, b) => b.in_range - a.in_range)[0];
  return (
    <h1 class="verdict">
      <b>{head}</b>{' '}
      {top === undefined || top.in_range === 0 || of.events === 0 ? (
        E.allOf(of.events, rangeWords(range))
      ) : (
        <>
          <a href={errorAddress(top.id, range)}>{typeName(top.type) === '' ? top.message.slice(0, 80) : typeName(top.type)}</a>
          {E.topShare(joined(percent(top.in_range / of.events)), rangeWords(range))}
          {E.topUsers(top.users)}
        </>
      )}
    </h1>
  );
}

function Notes({ of, failure, path }: { of: ErrorInbox | null; failure: string | null; path: string }): JSX.Element {
  return (
    <p class="sub">
      {of !== null && failure !== null && <span>{failure}</span>}
      {of !== null && <StorageNote storage={of.storage} />}
      {of?.is_cut === true && <span>{E.cut}</span>}
      {of !== null && of.count > of.groups.length && <span>{E.shownOf(of.groups.length, of.count)}</span>}
      <a href={path} target="_blank" rel="noreferrer">
        {T.asJson}
      </a>
    </p>
  );
}

export function StorageNote({ storage }: { storage: ErrorInbox['storage'] }): JSX.Element | null {
  switch (storage) {
    case 'memory':
      return <span>{E.memory}</span>;
    case 'loading':
      return <span>{E.reading}</span>;
    case 'failing':
      return <span class="s-warn">{E.failing}</span>;
    case 'stored':
      return null;
  }
}

function Tabs({ of, view, range, choose }: { of: ErrorInbox; view: InboxView; range: RangeChoice; choose: (view: InboxView) => void }): JSX.Element {
  return (
    <div class="tabs" role="group" aria-label={E.stateFilter}>
      {INBOX_STATES.map((state) => (
        <a
          key={state}
          href={errorsAddress(range, { ...view, state })}
          aria-current={view.state === state ? 'true' : undefined}
          onClick={(event) => {
            if (isPlain(event)) {
              event.preventDefault();
              choose({ ...view, state });
            }
          }}
        >
          {E.states[state]} <b>{count(of.counts[state])}</b>
        </a>
      ))}
    </div>
  );
}

function isPlain(event: MouseEvent): boolean {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

/** `null` and the empty route are different values of a select. */
const OUTSIDE = '\u0000';

function Filters({ of, view, choose }: { of: ErrorInbox; view: InboxView; choose: (view: InboxView) => void }): JSX.Element {
  const [text, setText] = useState(view.text ?? '');
  useEffect(() => { setText(view.text ?? ''); }, [view.text]);
  const isWide = matchMedia('(min-width: 641px)').matches;
  const withChosen = (names: string[], chosen: string | null): string[] => (chosen === null || names.includes(chosen) ? names : [chosen, ...names]);
  const select = (name: 'route' | 'release' | 'kind', title: string, options: [string, string][]): JSX.Element => {
    const value = view[name] === '' ? OUTSIDE : (view[name] ?? '');
    return (
      <label class="short">
        {title}
        <select value={value} onChange={(event) => {
          const chosen = event.currentTarget.value;
          choose({ ...view, [name]: chosen === '' ? null : chosen === OUTSIDE ? '' : chosen });
        }}>
          <option value="" selected={value === ''}>{E.any}</option>
          {options.map(([key, label]) => (
            <option key={key} value={key} selected={value === key}>
              {label}
            </option>
          ))}
        </select>
      </label>
    );
  };
  return (
    <details class="filter-box" open={isWide || isInboxFiltered(view)}>
      <summary>{E.filter}</summary>
      <form
        class="filters"
        aria-label={E.filter}
        onSubmit={(event) => {
          event.preventDefault();
          choose({ ...view, text: text.trim() === '' ? null : text.trim() });
        }}
      >
        <label class="grow">
          {E.text}
          <input type="search" maxLength={200} autocomplete="off" spellcheck={false} value={text} onInput={(event) => { setText(event.currentTarget.value); }} />
        </label>
        {select('route', E.route, withChosen(of.routes, view.route).map((name) => (name === '' ? [OUTSIDE, E.outside] : [name, name])))}
        {select('release', E.release, withChosen(of.releases, view.release).filter(Boolean).map((name) => [name, name]))}
        {select('kind', E.kind, ERROR_KINDS.map((name) => [name, E.kinds[name]]))}
        <p class="btns">
          <button type="submit">{E.search}</button>
          {isInboxFiltered(view) && (
            <button type="button" onClick={() => { choose({ ...view, route: null, release: null, kind: null, text: null }); }}>
              {E.clear}
            </button>
          )}
        </p>
      </form>
    </details>
  );
}

interface InboxProps {
  of: ErrorInbox;
  view: InboxView;
  range: RangeChoice;
  now: number;
  markers: Marker[];
  /** The group beside the list. `null`: there is no room for one. */
  selected: string | null;
  select: (id: string) => void;
  choose: (view: InboxView) => void;
}

const COLUMNS = ['id', 'state', 'is_new', 'is_spiking', 'kind', 'type', 'message', 'location', 'route', 'events', 'events_in_range', 'users', 'first_at', 'last_at', 'trace_id'];
const cells = (row: GroupRow): (string | number | boolean | null)[] => [
  row.id, row.state.name, row.is_new, row.is_spiking, row.kind, row.type, row.message, row.location, row.route, row.count, row.in_range, row.users,
  new Date(row.first_at).toISOString(), new Date(row.last_at).toISOString(), row.trace_id,
];

export function Inbox({ of, view, range, now, markers, selected, select, choose }: InboxProps): JSX.Element {
  const words = range.kind === 'relative' ? RANGE_WORDS[range.name] : E.thisRange;
  const title = E.states[view.state];
  return (
    <section class="panel" id="inbox" aria-labelledby="inbox-title">
      <header class="wraps">
        <h2 id="inbox-title">{title}</h2>
        <p class="w">{`${words}, ${E.orderNotes[view.sort]}`}</p>
        <span class="fill" />
        <label class="sorting">
          <span class="vh">{E.sort}</span>
          <select value={view.sort} onChange={(event) => { choose({ ...view, sort: INBOX_ORDERS.find((name) => name === event.currentTarget.value) ?? 'change' }); }}>
            {INBOX_ORDERS.map((name) => (
              <option key={name} value={name} selected={view.sort === name}>
                {E.orders[name]}
              </option>
            ))}
          </select>
        </label>
        {of.groups.length > 0 && <Save title={E.errors} data={() => ({ name: `errors-${view.state}`, columns: COLUMNS, rows: of.groups.map(cells) })} />}
      </header>
      {of.groups.length === 0 ? (
        <div class="body">
          <p class="mute">{isInboxFiltered(view) ? E.noMatch : E.emptyState[view.state]}</p>
        </div>
      ) : (
        <ul class="inbox">
          <li class="th" aria-hidden="true">
            <span />
            <span>{E.error}</span>
            <span class="w">{capital(words)}</span>
            <span class="num">{E.events}</span>
            <span class="num w">{E.users}</span>
            <span class="num w">{E.last}</span>
          </li>
          {of.groups.map((row) => (
            <InboxRow key={row.id} row={row} of={of} range={range} words={words} now={now} markers={markers} isSelected={row.id === selected} canSelect={selected !== null} select={select} />
          ))}
        </ul>
      )}
    </section>
  );
}

interface RowProps {
  row: GroupRow;
  of: ErrorInbox;
  range: RangeChoice;
  words: string;
  now: number;
  markers: Marker[];
  isSelected: boolean;
  canSelect: boolean;
  select: (id: string) => void;
}

function InboxRow({ row, of, range, words, now, markers, isSelected, canSelect, select }: RowProps): JSX.Element {
  const mark = markOf(row);
  const title = groupTitle(row);
  const again = row.state.name === 'regressed' && row.last_resolution !== null ? E.resolvedIn(row.last_resolution) : '';
  return (
    <li class={isSelected ? 'sel' : ''} tabIndex={-1} data-row={`error-${row.id}`}>
      <span>
        <Mark group={row} />
      </span>
      <div>
        <p class="one" title={`${row.type}: ${row.message}`}>
          <a
            href={errorAddress(row.id, range)}
            aria-current={isSelected ? 'true' : undefined}
            onClick={(event) => {
              // The first click shows it beside the list, the second one opens its page.
              if (!canSelect || isSelected || !isPlain(event)) return;
              event.preventDefault();
              select(row.id);
            }}
          >
            {title}
          </a>
        </p>
        <p class="one mute small">
          {mark !== null && (
            <>
              <b>{E.states[mark]}</b> ·{' '}
            </>
          )}
          {[row.culprit ?? row.location, again].filter(Boolean).join(' · ')}
        </p>
      </div>
      <span class="w">
        <EventBars values={row.curve} start={of.start} stepMs={of.step_ms} markers={markers} label={E.eventsIn(row.in_range, words)} />
      </span>
      <span class="num" title={E.allEvents(row.count)}>
        {count(row.in_range)}
      </span>
      <span class="num mute w">{count(row.users)}</span>
      <span class="num mute w">{ago(row.last_at, now)}</span>
    </li>
  );
}

/** The group beside the list. */
function Beside({ row, markers, again, waited }: { row: GroupRow; markers: Marker[]; again: number; waited: ErrorsTick['waited'] }): JSX.Element {
  const { range, held } = useStore(page);
  const now = useStore(clockStore);
  const path = errorPath({ id: row.id }, range);
  const { document: of, failure } = useRead(path, range.kind === 'relative', held !== null, waited(() => read<ErrorPage>(path)), again);
  const group = of?.group ?? null;
  const trace = group?.trace_id ?? row.trace_id;
  return (
    <section class="panel" id="detail" aria-labelledby="detail-title">
      <header class="wraps">
        <h2 id="detail-title" class="wrap">
          <a href={errorAddress(row.id, range)}>{typeName(row.type) === '' ? E.kinds[row.kind] : typeName(row.type)}</a>
        </h2>
        <StateTag group={group ?? row} running={of?.release ?? null} now={now} />
        <span class="fill" />
        <GroupActions group={group ?? row} />
      </header>
      <GroupForm group={group ?? row} running={of?.release ?? null} />
      <div class="body stack">
        <p class="wrap">{row.message}</p>
        {group === null ? (
          <p class="mute">{failure ?? (of === null ? T.loadingNote : E.notFound)}</p>
        ) : (
          <>
            <Facts group={group} markers={markers} now={now} />
            <Causes sample={group.sample} />
            <div>
              <h3>{E.stack}</h3>
              <Stack sample={group.sample} />
            </div>
            <div>
              <h3>{E.breadcrumbs}</h3>
              <Crumbs crumbs={group.sample?.breadcrumbs ?? []} most={8} />
            </div>
          </>
        )}
        <p class="btns">
          <a class="btn" href={errorAddress(row.id, range)}>
            {E.openPage}
          </a>
          {trace !== null && (
            <>
              <a class="btn" href={traceAddress(trace, range)}>
                {E.latestTrace}
              </a>
              <a class="btn" href={`${traceAddress(trace, range)}#lines`}>
                {E.itsLines}
              </a>
            </>
          )}
          <MergeButton group={row} />
        </p>
      </div>
    </section>
  );
}
