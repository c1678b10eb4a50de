/** Reads documents of log lines. */

import { useEffect, useState } from 'preact/hooks';
import { read } from '../api';
import { useRead, type Read } from './read';

/** Reads a document; nothing while `path` is null. What was read before stays until the next one is there. */
export function useKept<D>(path: string | null, isLive: boolean, isPaused: boolean, again = 0): Read<D> & { isOld: boolean } {
  const key = path ?? '';
  const { document: found, failure, cause = null } = useRead<D>(key, isLive, isPaused || path === null, () => read<D>(key), again);
  const [before, setBefore] = useState<D | null>(null);
  useEffect(() => { if (found !== null) setBefore(found); }, [found]);
  return { document: found ?? before, failure, cause, isOld: found === null };
}
