/** The names and results of the checks, one line each: `passed: NAME: WHAT WAS SEEN` or `failed: NAME: WHY`. */

export class Report {
  passed = 0;
  failed = 0;

  /** Runs a check. It returns what it has seen, or throws. */
  async check(name, run) {
    const begun = Date.now();
    try {
      const seen = await run();
      this.passed += 1;
      console.log(`passed: ${name}: ${oneLine(seen ?? 'as expected')} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
      return true;
    } catch (error) {
      this.failed += 1;
      console.log(`failed: ${name}: ${oneLine(error instanceof Error ? error.message : String(error))}`);
      return false;
    }
  }
}

function oneLine(text) {
  return String(text).replace(/\x1b\[[0-9;]*m/g, '').replace(/\s+/g, ' ').slice(0, 2000);
}

/** Throws with `text` unless `is` holds. */
export function expect(is, text) {
  if (!is) throw new Error(text);
}

export function expectEqual(seen, wanted, what) {
  const [a, b] = [JSON.stringify(seen), JSON.stringify(wanted)];
  expect(a === b, `${what}: on screen ${a}, counted ${b}`);
}

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Asks until the answer is neither null nor false, or throws with the last reason. */
export async function until(what, ask, ms = 20_000) {
  const deadline = Date.now() + ms;
  let why = '';
  for (;;) {
    try {
      const found = await ask();
      if (found !== null && found !== false && found !== undefined) return found;
      why = '';
    } catch (error) {
      why = `: ${error.message}`;
    }
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${ms / 1000} s${why}`);
    await sleep(100);
  }
}
