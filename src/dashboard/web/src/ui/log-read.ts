/** Reads documents of log lines. */

import { useEffect, useState } from 'preact/hooks';
import type { SearchEnd } from '../contract-logs';
import { read } from '../api';
import { useRead, type Read } from './read';

/**
 * Reads a document; nothing while `path` is null. What was read before stays until the next one is there. A search that took all
 * of its time is not made again by itself: it would keep the service busy for as long as somebody looks.
 */
export function useKept<D extends object>(path: string | null, isLive: boolean, isPaused: boolean, again = 0): Read<D> & { isOld: boolean } {
  const key = path ?? '';
  const { document: found, failure, cause = null } = useRead<D>(key, isLive, isPaused || path === null, () => read<D>(key), again, (of) => (of as { end?: SearchEnd }).end !== 'time');
  const [before, setBefore] = useState<D | null>(null);
  useEffect(() => { if (found !== null) setBefore(found); }, [found]);
  return { document: found ?? before, failure, cause, isOld: found === null };
}
