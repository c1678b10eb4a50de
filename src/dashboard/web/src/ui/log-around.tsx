/** The lines before and after one. */

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { LogContext } from '../contract-logs';
import { AROUND, contextPath } from '../log-places';
import { T } from '../strings';
import { L } from '../strings-logs';
import { LogRows, type RowsProps } from './log-lines';
import { useKept } from './log-read';

export function LogAround({ line, ...rows }: RowsProps & { line: string }): JSX.Element {
  const { document: found, failure } = useKept<LogContext>(contextPath(line), false, false);
  useEffect(() => { document.querySelector('.log > .sel')?.scrollIntoView({ block: 'center' }); }, [found, line]);
  if (found === null) return <p class="body pad mute">{failure ?? T.loadingNote}</p>;
  if (!found.lines.some(({ cursor }) => cursor === line)) return <p class="body pad mute">{L.gone}</p>;
  return (
    <>
      <p class="body pad mute small">{L.aroundNote(AROUND)}</p>
      <LogRows key={line} {...rows} lines={[...found.lines].reverse()} marked={line} />
    </>
  );
}
