/** Which log records are kept, and the form with which an operator changes it for a while. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api, read } from '../api';
import type { KeptLevel } from '../contract-logs';
import { page, spoken } from '../controller';
import { clockOrDay } from '../format';
import { useStore } from '../store';
import { A } from '../strings-alerts';
import { L } from '../strings-logs';
import { storeName, storedName } from './alert-actions';
import { failureOf, useRead } from './read';

/** Closed at first, and read when it is opened. */
export function LogLevelBox(): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  return (
    <details class="filter-box" onToggle={(event) => { setOpen(event.currentTarget.open); }}>
      <summary>{L.kept}</summary>
      {isOpen && <LogLevelPanel />}
    </details>
  );
}

export function LogLevelPanel(): JSX.Element {
  const { session, held } = useStore(page);
  const [changed, setChanged] = useState(0);
  const { document: kept, failure } = useRead('log-level', true, held !== null, () => read<KeptLevel>('data/v1/log-level'), changed);
  if (kept === null) return <p class="mute small">{failure ?? L.loading}</p>;
  const again = (): void => { setChanged((n) => n + 1); };
  return (
    <>
      <p>
        <code>{kept.level}</code> {kept.until === null ? L.untilChanged : L.keptUntil(clockOrDay(kept.until, kept.at))}
        {kept.until !== null && <code>{kept.lasting}</code>}
      </p>
      {session?.role === 'operator' ? <Form key={kept.level} kept={kept} again={again} /> : <p class="note-line">{L.levelViewerNote}</p>}
    </>
  );
}

function Form({ kept, again }: { kept: KeptLevel; again: () => void }): JSX.Element {
  const [level, setLevel] = useState(kept.level);
  const [seconds, setSeconds] = useState(600);
  const [comment, setComment] = useState('');
  const [by, setBy] = useState(storedName);
  const [failure, setFailure] = useState<string | null>(null);
  const send = async (wanted: { level: string; seconds: number } | null): Promise<void> => {
    try {
      await api.setLogLevel({ ...wanted, by, comment });
      storeName(by);
      spoken.set(wanted === null ? L.levelEnded : L.levelSet);
      setFailure(null);
      again();
    } catch (error) {
      setFailure(failureOf(error, A.failed));
    }
  };
  return (
    <form
      class="filters"
      aria-label={L.kept}
      onSubmit={(event) => {
        event.preventDefault();
        void send({ level, seconds });
      }}
    >
      <label class="grow">
        {L.directives}
        <input class="mono" required maxLength={4096} autocomplete="off" spellcheck={false} value={level} onInput={(event) => { setLevel(event.currentTarget.value); }} />
      </label>
      <label>
        {L.levelFor}
        <select value={seconds} onChange={(event) => { setSeconds(Number(event.currentTarget.value)); }}>
          {L.levelTimes.map(([length, text]) => (
            <option key={length} value={length}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        {A.comment}
        <input maxLength={160} value={comment} onInput={(event) => { setComment(event.currentTarget.value); }} />
      </label>
      <label>
        {A.by}
        <input maxLength={60} autocomplete="name" value={by} onInput={(event) => { setBy(event.currentTarget.value); }} />
      </label>
      <p class="btns">
        <button class="primary" type="submit">
          {L.setLevel}
        </button>
        {kept.until !== null && (
          <button type="button" onClick={() => void send(null)}>
            {L.endLevel}
          </button>
        )}
      </p>
      {failure !== null && (
        <p class="s-crit" role="alert">
          {failure}
        </p>
      )}
    </form>
  );
}
