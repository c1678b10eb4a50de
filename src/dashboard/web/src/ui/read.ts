/** Reads a document of the server for as long as its component is there, and again while the range is live. */

import { useEffect, useState } from 'preact/hooks';
import { RequestError } from '../api';
import { page, refused } from '../controller';
import type { RangeChoice } from '../range';
import { RANGE_WORDS, T } from '../strings';

export interface Read<D> {
  document: D | null;
  /** Why it could not be read. */
  failure: string | null;
  /** What the server answered then. */
  cause?: RequestError | null;
}

/** The sentence for a request that failed, `unanswered` if there was no response. A refusal closes the page. */
export function failureOf(error: unknown, unanswered: string): string {
  if (!(error instanceof RequestError)) return unanswered;
  if (error.isRefusal) refused();
  return error.message === '' ? unanswered : error.message;
}

/** What stands in the place of a sentence until the document is there. */
export function loadingText(range: RangeChoice): string {
  return T.loadingRange(range.kind === 'relative' ? RANGE_WORDS[range.name] : T.range.toLowerCase());
}

/** The history takes a snapshot so often. */
const EVERY = 10_000;

/**
 * `key` tells documents apart: another key is read at once, also while the page is paused, and so is another number of
 * `again` while it is not. A live document for which `repeats` is false is read once.
 */
export function useRead<D>(key: string, isLive: boolean, isPaused: boolean, read: () => Promise<D>, again = 0, repeats: (document: D) => boolean = () => true): Read<D> {
  const [result, setResult] = useState<Read<D> & { key: string }>({ key, document: null, failure: null });
  useEffect(() => {
    if (isPaused && result.key === key) return undefined;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const once = async (): Promise<void> => {
      let isRepeated = true;
      try {
        const document = await read();
        isRepeated = repeats(document);
        if (!isOver) setResult({ key, document, failure: null, cause: null });
      } catch (error) {
        if (isOver) return;
        if (error instanceof RequestError && error.isRefusal) {
          refused();
          return;
        }
        const failure = error instanceof RequestError && error.message !== '' ? error.message : T.loadFailed;
        // What was read before stays on screen.
        const cause = error instanceof RequestError ? error : null;
        setResult((before) => ({ key, document: before.key === key ? before.document : null, failure, cause }));
        // The same request would be refused again.
        if (cause?.status === 400) return;
      }
      const again = (isLive && !isPaused && isRepeated) || page.get().phase !== 'open';
      timer = again ? setTimeout(() => void once(), EVERY) : undefined;
    };
    void once();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key, isLive, isPaused, again]);
  return result.key === key ? result : { document: null, failure: null };
}
