/** New log lines as they are written. While the page is paused, it counts them. */

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { RequestError, read } from '../api';
import type { LogTail } from '../contract-logs';
import { page } from '../controller';
import { NO_LINES, released, withLines } from '../live/tail';
import { tailPath, type LogView } from '../log-places';
import { Store, useStore } from '../store';
import { T } from '../strings';
import { L } from '../strings-logs';
import { LogRows, type RowsProps } from './log-lines';
import { failureOf } from './read';

/** What waits while the tail is paused. `null` while there is none. */
export const tailWait = new Store<{ lines: number; errors: number } | null>(null);

const EVERY = 1_000;
const AGAIN = 5_000;
/** While there is more, the next response is asked for sooner. */
const SOON = 150;
/** After so many responses that all had more, it begins anew with the newest lines. */
const MOST_BEHIND = 20;
const FIRST_LINES = 100;
const LINES = 500;

interface Tail {
  lines: typeof NO_LINES;
  failure: string | null;
  isRead: boolean;
  /** Whether lines came faster than they were read. */
  isTooFast: boolean;
}

function useTail(view: LogView, isPaused: boolean): Tail {
  const [tail, setTail] = useState<Tail>({ lines: NO_LINES, failure: null, isRead: false, isTooFast: false });
  const paused = useRef(isPaused);
  paused.current = isPaused;
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let cursor: string | null = null;
    let behind = 0;
    const once = async (): Promise<void> => {
      let wait = EVERY;
      try {
        // A page that nobody sees reads nothing, and continues where it was.
        if (!document.hidden) {
          const found: LogTail = await read<LogTail>(tailPath(view, cursor, cursor === null ? FIRST_LINES : LINES));
          if (isOver) return;
          cursor = found.next;
          behind = found.has_more ? behind + 1 : 0;
          const isTooFast = behind > MOST_BEHIND;
          if (isTooFast) [cursor, behind] = [null, 0];
          if (found.has_more) wait = SOON;
          setTail((before) => ({ lines: withLines(before.lines, found, paused.current), failure: null, isRead: true, isTooFast: before.isTooFast || isTooFast }));
        }
      } catch (error) {
        if (isOver) return;
        const failure = failureOf(error, T.loadFailed);
        setTail((before) => ({ ...before, failure }));
        if (error instanceof RequestError && error.status === 400) return;
        wait = AGAIN;
      }
      timer = setTimeout(() => void once(), wait);
    };
    void once();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, []);
  useEffect(() => {
    if (!isPaused) setTail((before) => (before.lines.waiting === 0 ? before : { ...before, lines: released(before.lines) }));
  }, [isPaused]);
  return tail;
}

export function LogTailView(props: RowsProps): JSX.Element {
  const { held } = useStore(page);
  const [hasOpen, setHasOpen] = useState(false);
  // New lines would push an open one away.
  const isPaused = held !== null || hasOpen;
  const { lines: of, failure, isRead, isTooFast } = useTail(props.view, isPaused);
  useEffect(() => { tailWait.set(held === null ? null : { lines: of.waiting, errors: of.errors }); }, [held, of]);
  useEffect(() => () => { tailWait.set(null); }, []);
  return (
    <>
      <p class="body pad mute small" role="status">
        {failure ?? (isRead ? L.tailNote : T.loadingNote)} {isTooFast ? L.tooFast : of.skipped > 0 && L.skipped(of.skipped)}
        {hasOpen && held === null && of.waiting > 0 && L.waitsForOpen(of.waiting)}
      </p>
      {of.lines.length === 0 ? isRead && <p class="body mute">{L.tailWaits}</p> : <LogRows {...props} lines={of.lines} onOpen={setHasOpen} />}
    </>
  );
}
