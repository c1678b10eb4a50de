/** Saves the lines of a search as files, each with up to 10,000 of them. */

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { readLogFile } from '../api';
import { spoken } from '../controller';
import { exportPath, type LogView } from '../log-places';
import type { RangeChoice } from '../range';
import { T } from '../strings';
import { L } from '../strings-logs';
import { failureOf } from './read';
import { saveFile } from './save';

export function LogExport({ view, range, isOff }: { view: LogView; range: RangeChoice; isOff: boolean }): JSX.Element {
  const [isBusy, setIsBusy] = useState(false);
  const [said, setSaid] = useState('');
  const [next, setNext] = useState<string | null>(null);
  const [files, setFiles] = useState(0);
  const path = exportPath(view, range, null);
  const current = useRef(path);
  current.current = path;
  // Another search has other files.
  useEffect(() => {
    setSaid('');
    setNext(null);
    setFiles(0);
  }, [path]);
  const save = async (cursor: string | null): Promise<void> => {
    if (isBusy) return;
    setIsBusy(true);
    setSaid('');
    try {
      const file = await readLogFile(exportPath(view, range, cursor));
      if (current.current !== path) return;
      const lines = (await file.content.text()).split('\n').length - 1;
      const number = cursor === null ? 1 : files + 1;
      saveFile(file.content, number === 1 ? 'logs.ndjson' : `logs-${number}.ndjson`);
      setFiles(number);
      setNext(file.next);
      const text = file.end === 'time' ? L.savedTime(lines) : file.next === null ? L.saved(lines) : L.savedPart(lines);
      setSaid(text);
      spoken.set(text);
    } catch (error) {
      setSaid(failureOf(error, T.noAnswer));
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <div class="btns">
      {(isBusy || said !== '') && <span class="mute small">{isBusy ? L.saving : said}</span>}
      {next !== null && (
        <button type="button" aria-disabled={isBusy} onClick={() => void save(next)}>
          {L.saveRest}
        </button>
      )}
      {!isOff && (
        <button type="button" aria-label={L.saveLabel} aria-disabled={isBusy} onClick={() => void save(null)}>
          {L.save}
        </button>
      )}
    </div>
  );
}
