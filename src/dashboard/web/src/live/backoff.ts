const FIRST = 500;
const LONGEST = 15_000;

/**
 * The time before attempt `failures`, in milliseconds: doubled with each failure, and spread by `random` (0 to 1) over its
 * upper half, so that the pages of one server do not come back in the same moment.
 */
export function backoff(failures: number, random: number): number {
  const full = Math.min(LONGEST, FIRST * 2 ** Math.max(0, Math.min(20, failures - 1)));
  return Math.round(full * (0.5 + random / 2));
}
