/** Screenshots, small enough to be kept. */

import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from './report.mjs';

const MOST = 150_000;

/** Stores the page as WebP, at most `most` pixels of its height, 2,400 where it is wide, 5,000 where it is narrow, and returns the size. */
export async function shoot(page, folder, name, most = Infinity) {
  const session = await page.context().newCDPSession(page);
  try {
    const { width } = page.viewportSize();
    const height = Math.min(most, width > 1000 ? 2_400 : 5_000, await page.evaluate(() => document.documentElement.scrollHeight));
    const file = join(folder, `${name}.webp`);
    for (const quality of [85, 70, 50, 30]) {
      const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality, captureBeyondViewport: true, clip: { x: 0, y: 0, width, height, scale: 1 } });
      writeFileSync(file, Buffer.from(data, 'base64'));
      if (statSync(file).size <= MOST) break;
    }
    const { size } = statSync(file);
    expect(size <= MOST, `the screenshot ${name} has ${size} bytes`);
    return size;
  } finally {
    await session.detach();
  }
}
