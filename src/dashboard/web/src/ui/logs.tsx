/** The page of logs: a search in the log lines, what they have in common, the lines around one, and new ones as they come. */

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LogHistogram, LogList } from '../contract-logs';
import { clock as clockStore, page, shown } from '../controller';
import { levelsOf, namesOf, sumsOf } from '../log-model';
import { LOG_SHOWS, histogramPath, linesPath, logsAddress, readView, writeView, type LogView } from '../log-places';
import { KNOWN_FIELDS } from '../log-query';
import { rangeQuery, type RangeChoice } from '../range';
import { useStore } from '../store';
import { T } from '../strings';
import { L, exactClock } from '../strings-logs';
import { rangeWords } from './errors';
import { LogAround } from './log-around';
import { LogExport } from './log-export';
import { LogFacets } from './log-facets';
import { LogHistogramPanel } from './log-histogram';
import { LogLevelBox } from './log-level';
import { LogLines } from './log-lines';
import { LogPatternsView } from './log-patterns';
import { useKept } from './log-read';
import { LogSearch } from './log-search';
import { LogTailView } from './log-tail';

export function LogsView(): JSX.Element {
  const state = useStore(page);
  const { range, held, session } = state;
  const [view, setView] = useState(() => readView(new URLSearchParams(location.search)));
  /** How often the button was pressed: the same search is made again. */
  const [asked, setAsked] = useState(0);
  const [hasOpen, setHasOpen] = useState(false);
  const isLines = view.show === 'lines';
  const path = linesPath(isLines ? view : { ...view, cursor: null }, range);
  const isLive = range.kind === 'relative';
  // New lines would push an open one away.
  const isHeld = held !== null || hasOpen;
  const { document: list, failure, cause, isOld } = useKept<LogList>(path, isLive && isLines && view.cursor === null, isHeld, asked);
  // What else is read follows a search that was carried out: one that is not valid is sent once.
  const [accepted, setAccepted] = useState<LogView | null>(null);
  useEffect(() => { if (!isOld) setAccepted(view); }, [list, isOld, view]);
  const counted = useKept<LogHistogram>(accepted === null ? null : histogramPath(accepted, range), isLive, held !== null, asked);
  useEffect(() => { document.title = [L.logs, session?.service ?? '', T.product].filter(Boolean).join(' · '); }, [session]);
  const go = (next: LogView): void => {
    const query = new URLSearchParams(location.search);
    writeView(query, next);
    const text = query.toString();
    history.pushState(null, '', location.pathname + (text === '' ? '' : '?' + text));
    setView(next);
    setHasOpen(false);
  };
  /** Another selection begins with its newest line. */
  const choose = (change: Partial<LogView>): void => { go({ ...view, cursor: null, ...change }); };
  useRangeChange(range, () => { if (view.cursor !== null) choose({}); });
  useEffect(() => {
    const back = (): void => {
      setView(readView(new URLSearchParams(location.search)));
      setHasOpen(false);
    };
    addEventListener('popstate', back);
    return () => { removeEventListener('popstate', back); };
  }, []);
  const problem = cause?.code === 'bad_query' && isOld ? cause.failure : null;
  const shownView = accepted ?? view;
  const filter = (text: string): void => { choose({ text, show: view.show === 'patterns' ? 'lines' : view.show }); };
  const rows = { view, range, filter, choose, onOpen: setHasOpen };
  return (
    <>
      <div class="head between">
        <div>
          <Head list={list} counted={counted.isOld ? null : counted.document} view={shownView} range={range} failure={failure} isBad={problem !== null} />
          <Notes list={list} failure={problem === null ? failure : null} path={path} />
        </div>
        <LogExport view={view} range={range} isOff={problem !== null} />
      </div>
      <LogSearch
        view={view}
        names={new Set([...KNOWN_FIELDS, ...namesOf(list?.lines ?? [])])}
        problem={problem}
        search={(change) => {
          setAsked((n) => n + 1);
          choose(change);
        }}
      />
      <LogLevelBox />
      {counted.document !== null && <LogHistogramPanel of={counted.document} view={shownView} markers={shown(state)?.markers ?? []} />}
      {list !== null && (
        <section class="panel" aria-labelledby="lines-title">
          <h2 id="lines-title" class="vh">
            {L.shows[view.show]}
          </h2>
          <div class="lg">
            <LogFacets view={shownView} range={range} counted={counted.document} isHeld={held !== null} asked={asked} filter={filter} choose={choose} />
            <div class="ml">
              <Tabs view={view} range={range} choose={choose} />
              {isOld && failure !== null && <p class="body pad mute small">{L.before}</p>}
              <Content view={view}>
                {isLines && <LogLines {...rows} list={list} go={(cursor) => { go({ ...view, cursor }); }} isRead={!isOld} />}
                {view.show === 'patterns' && <LogPatternsView view={shownView} range={range} isHeld={held !== null} asked={asked} choose={choose} />}
                {view.show === 'around' && view.line !== null && <LogAround {...rows} line={view.line} />}
                {view.show === 'tail' && <LogTailView key={`${view.text} ${view.level} ${view.exact_level}`} {...rows} />}
              </Content>
            </div>
          </div>
        </section>
      )}
    </>
  );
}

/** Calls `run` when the range is another one than at the last rendering. */
function useRangeChange(range: RangeChoice, run: () => void): void {
  const key = rangeQuery(range);
  const before = useRef(key);
  useEffect(() => {
    if (before.current === key) return;
    before.current = key;
    run();
  }, [key]);
}

/** What one view has open is closed in another. */
function Content({ view, children }: { view: LogView; children: ComponentChildren }): JSX.Element {
  return (
    <div id="lines" key={view.show}>
      {children}
    </div>
  );
}

interface HeadProps {
  list: LogList | null;
  counted: LogHistogram | null;
  view: LogView;
  range: RangeChoice;
  failure: string | null;
  isBad: boolean;
}

export function Head({ list, counted, view, range, failure, isBad }: HeadProps): JSX.Element {
  if (isBad || list === null) {
    return (
      <h1 class="verdict">
        <b>{isBad ? L.badHead : `${L.logs}.`}</b> {isBad ? '' : (failure ?? L.loading)}
      </h1>
    );
  }
  const sums = counted === null ? null : sumsOf(counted);
  const levels = levelsOf(view);
  const all = sums === null ? null : levels.reduce((sum, level) => sum + sums[level], 0);
  if (all === 0 && list.lines.length === 0 && list.next === null) {
    return (
      <h1 class="verdict">
        <b>{L.noneHead}</b> {view.text === '' && view.level === null && view.exact_level === null ? L.noneYet : L.noMatch}
      </h1>
    );
  }
  if (sums === null || all === null) {
    return (
      <h1 class="verdict">
        <b>{L.logs}</b>
        {L.inRange(rangeWords(range))}.
      </h1>
    );
  }
  const bad = [levels.includes('error') && sums.error > 0 ? L.errorsOf(sums.error) : '', levels.includes('warn') && sums.warn > 0 ? L.warningsOf(sums.warn) : ''].filter(Boolean);
  return (
    <h1 class="verdict">
      <b>{L.head(all, counted?.end !== 'complete')}</b>
      {L.inRange(rangeWords(range))}
      {L.among(levels.length > 1 ? bad : [])}
    </h1>
  );
}

/** Where the lines come from, and what was not read. */
export function Notes({ list, failure, path }: { list: LogList | null; failure: string | null; path: string }): JSX.Element {
  const now = useStore(clockStore);
  return (
    <p class="sub">
      {list !== null && failure !== null && <span>{failure}</span>}
      {list !== null && (
        <>
          <span>{L.from[list.source]}</span>
          <span>{L.lookedAt(list.looked_at)}</span>
          {list.unreadable > 0 && <span class="s-warn">{L.unreadable(list.unreadable)}</span>}
          {list.end === 'time' && <span class="s-warn">{L.timeOver(list.reached === null ? null : exactClock(list.reached, now))}</span>}
        </>
      )}
      <a href={path} target="_blank" rel="noreferrer">
        {T.asJson}
      </a>
    </p>
  );
}

function Tabs({ view, range, choose }: { view: LogView; range: RangeChoice; choose: (change: Partial<LogView>) => void }): JSX.Element {
  return (
    <div class="tabs" role="group" aria-label={L.view}>
      {LOG_SHOWS.filter((show) => show !== 'around' || view.line !== null).map((show) => (
        <a
          key={show}
          href={logsAddress(range, { ...view, show, cursor: null })}
          aria-current={view.show === show ? 'true' : undefined}
          onClick={(event) => {
            if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
            event.preventDefault();
            choose({ show });
          }}
        >
          {L.shows[show]}
        </a>
      ))}
    </div>
  );
}
