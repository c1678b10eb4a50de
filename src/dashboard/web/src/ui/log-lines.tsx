/** Log lines: a list of them, and all that is known of one that is open. All of it is text, whatever it contains. */

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { FieldValue, LogLine, LogList } from '../contract-logs';
import { clock as clockStore } from '../controller';
import { errorOfEvent } from '../error-places';
import { shortId } from '../format';
import { levelOf, rowFields, textField } from '../log-model';
import { logsAddress, type LogView } from '../log-places';
import { canSelect, excluded, fieldTerm, hasTerm, toggled } from '../log-query';
import { routeAddress, traceAddress, tracesAddress } from '../place';
import type { RangeChoice } from '../range';
import { useStore } from '../store';
import { L, exactClock } from '../strings-logs';
import { TT } from '../strings-traces';
import { Level } from './trace-signals';

export interface RowsProps {
  view: LogView;
  range: RangeChoice;
  /** Searches with another text. */
  filter: (text: string) => void;
  choose: (change: Partial<LogView>) => void;
  /** Says whether a line is open. */
  onOpen: (hasOpen: boolean) => void;
}

interface Props extends RowsProps {
  list: LogList;
  /** Goes to another page of the list. */
  go: (cursor: string | null) => void;
  /** Whether the list is that of the view, and not the one before. */
  isRead: boolean;
}

/** One page of the list, and the ways to older and newer lines. */
export function LogLines({ list, go, isRead, ...rows }: Props): JSX.Element {
  const { cursor, text, level, exact_level } = rows.view;
  const isFiltered = text !== '' || level !== null || exact_level !== null;
  // The beginnings of the pages with newer lines, as far as they were shown.
  const [newer, setNewer] = useState<(string | null)[]>([]);
  const turn = (to: string | null, before: (string | null)[]): void => {
    setNewer(before);
    go(to);
    document.getElementById('lines-title')?.scrollIntoView({ block: 'start' });
  };
  const { next } = list;
  return (
    <>
      {list.lines.length === 0 ? <p class="body pad mute">{next !== null ? L.noLinesYet : isFiltered ? L.noMatch : L.noLines}</p> : <LogRows {...rows} lines={list.lines} isOld={!isRead} />}
      <p class="body pad btns">
        {next !== null && (
          <button type="button" onClick={() => { turn(next, [...newer, cursor]); }}>
            {list.end === 'time' ? L.searchOn : L.older}
          </button>
        )}
        {cursor !== null && newer.length > 1 && (
          <button type="button" onClick={() => { turn(newer.at(-1) ?? null, newer.slice(0, -1)); }}>
            {L.newer}
          </button>
        )}
        {cursor !== null && (
          <button type="button" onClick={() => { turn(null, []); }}>
            {L.newest}
          </button>
        )}
        {next === null && list.lines.length > 0 && <span class="mute small">{L.allShown}</span>}
      </p>
    </>
  );
}

interface ListProps extends RowsProps {
  lines: LogLine[];
  /** The line that the list is about. */
  marked?: string;
  isOld?: boolean;
}

export function LogRows({ lines, marked, isOld = false, onOpen, ...rest }: ListProps): JSX.Element {
  const [open, setOpen] = useState<string | null>(marked ?? null);
  const isShown = open !== null && lines.some(({ cursor }) => cursor === open);
  useEffect(() => { onOpen(isShown); }, [isShown, lines]);
  const now = useStore(clockStore);
  return (
    <ol class="lines log" aria-busy={isOld}>
      {lines.map((line) => (
        <LineRow key={line.cursor} line={line} now={now} isMarked={line.cursor === marked} isOpen={line.cursor === open} toggle={() => { setOpen(open === line.cursor ? null : line.cursor); }} {...rest} />
      ))}
    </ol>
  );
}

interface RowProps extends Omit<RowsProps, 'onOpen'> {
  line: LogLine;
  now: number;
  isMarked: boolean;
  isOpen: boolean;
  toggle: () => void;
}

const short = (value: FieldValue): string => {
  const text = String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
};

function LineRow({ line, now, isMarked, isOpen, toggle, ...rest }: RowProps): JSX.Element {
  const trace = textField(line, 'trace_id');
  const target = textField(line, 'target') ?? textField(line, 'watchpost.record');
  return (
    <li class={[isOpen ? 'open' : '', isMarked ? 'sel' : ''].filter(Boolean).join(' ')} tabIndex={-1} data-row={line.cursor}>
      <div class="ln">
        <time class="mute" dateTime={new Date(line.at).toISOString()}>
          {exactClock(line.at, now)}
        </time>
        <Level name={levelOf(line.level)} />
        <button class="plain text m" type="button" aria-expanded={isOpen} data-open onClick={toggle}>
          {target !== null && <span class="mute">{target} </span>}
          {line.message === '' ? <span class="mute">{L.noMessage}</span> : line.message}
          {rowFields(line).map(([name, value]) => (
            <span key={name} class="mute">
              {' '}
              {name}={short(value)}
            </span>
          ))}
        </button>
        {trace === null ? (
          <span />
        ) : (
          <a href={traceAddress(trace, rest.range)} title={trace} aria-label={`${TT.trace} ${shortId(trace)}`}>
            {shortId(trace)}
          </a>
        )}
      </div>
      {isOpen && <OpenLine line={line} {...rest} />}
    </li>
  );
}

function OpenLine({ line, view, range, filter, choose }: Omit<RowsProps, 'onOpen'> & { line: LogLine }): JSX.Element {
  const trace = textField(line, 'trace_id');
  const event = textField(line, 'event_id');
  const [route, method] = [textField(line, 'http.route'), textField(line, 'http.request.method')];
  const isError = event !== null && Object.keys(line.fields).some((name) => name.startsWith('exception.'));
  return (
    <div class="opened">
      <p class="btns">
        {trace !== null && (
          <a class="btn" href={traceAddress(trace, range)}>
            {L.trace}
          </a>
        )}
        {isError && (
          <a class="btn" href={errorOfEvent(event, range)}>
            {L.error}
          </a>
        )}
        {route !== null && (
          <a class="btn" href={method === null ? tracesAddress(range, { route }) : routeAddress({ route, method }, range)}>
            {method === null ? L.routeTraces : L.route}
          </a>
        )}
        <a
          class="btn"
          href={logsAddress(range, { ...view, show: 'around', line: line.cursor, cursor: null })}
          onClick={(event) => {
            if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
            event.preventDefault();
            choose({ show: 'around', line: line.cursor });
          }}
        >
          {L.around}
        </a>
      </p>
      <dl class="kv">
        <div>
          <dt>timestamp</dt>
          <dd>{new Date(line.at).toISOString()}</dd>
        </div>
        <Field name="level" value={levelOf(line.level)} text={view.text} filter={filter} />
        <div>
          <dt>message</dt>
          <dd class="wrap">{line.message}</dd>
        </div>
        {Object.entries(line.fields).map(([name, value]) => (
          <Field key={name} name={name} value={value} text={view.text} filter={filter} />
        ))}
      </dl>
    </div>
  );
}

function Field({ name, value, text, filter }: { name: string; value: FieldValue; text: string; filter: (text: string) => void }): JSX.Element {
  const term = value !== null && canSelect(name, value) ? fieldTerm(name, value) : null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {term !== null && (
          <span class="fl">
            <button type="button" class="icon" aria-label={L.filterFor(name)} title={L.filterFor(name)} aria-pressed={hasTerm(text, term)} onClick={() => { filter(toggled(text, term)); }}>
              +
            </button>
            <button type="button" class="icon" aria-label={L.filterOut(name)} title={L.filterOut(name)} aria-pressed={hasTerm(text, `-${term}`)} onClick={() => { filter(hasTerm(text, `-${term}`) ? toggled(text, `-${term}`) : excluded(text, term)); }}>
              −
            </button>
          </span>
        )}
        <span class="wrap">{String(value)}</span>
      </dd>
    </div>
  );
}
