/** Where something is wrong: the routes that moved most since it began, and what its traces have in common. */

import type { JSX } from 'preact';
import { api, read } from '../api';
import type { Sections } from '../contract';
import type { Differences } from '../contract-traces';
import { clock, page } from '../controller';
import { clockOrDay } from '../format';
import { ordered } from '../movement';
import { routesAddress } from '../place';
import { rangeQuery, SHORTEST, type RangeChoice } from '../range';
import { useStore } from '../store';
import { T } from '../strings';
import { differencesPath, NO_FILTER } from '../trace-filter';
import { DifferencesPanel } from './differences';
import { Frame } from './panels';
import { loadingText, useRead } from './read';
import { RouteTable } from './route-table';

const MOST = 5;
const DAY = 24 * 60 * 60_000;

/** From the begin of what is wrong to the end of this minute; a day at most. */
export function timeSince(since: number, now: number): RangeChoice {
  const to = Math.ceil(now / SHORTEST) * SHORTEST;
  return { kind: 'absolute', from: Math.max(Math.min(since, to - SHORTEST), to - DAY), to };
}

export function Where({ sections }: { sections: Sections }): JSX.Element | null {
  const { state, since } = sections.verdict;
  return state === 'critical' || state === 'warning' ? <Evidence since={since} /> : null;
}

function Evidence({ since }: { since: number | null }): JSX.Element {
  const { range, held } = useStore(page);
  const now = useStore(clock);
  // A time that was chosen is kept.
  const begin = range.kind === 'absolute' ? null : since;
  const current = (): RangeChoice => (begin === null ? range : timeSince(begin, clock.get()));
  const key = begin === null ? rangeQuery(range) : `since ${begin}`;
  const isLive = range.kind === 'relative';
  const { document: list, failure } = useRead(key, isLive, held !== null, () => api.routes(current()));
  const { document: found } = useRead(key, isLive, held !== null, () => read<Differences>(differencesPath(NO_FILTER, current())));
  const rows = list === null ? [] : ordered(list.routes, 'movement').slice(0, MOST);
  const empty = rows.length > 0 ? null : (failure ?? list?.failed ?? (list === null ? loadingText(range) : T.noRequestsInRange));
  return (
    <div class="cols even">
      <div class="c8">
        <Frame
          id="where"
          title={T.where}
          aside={begin === null ? T.orderNotes.movement : T.movedSince(clockOrDay(begin, now))}
          {...(list === null || list.count === 0 ? {} : { more: { text: T.allRoutes(list.count), href: routesAddress(current()) } })}
          empty={empty}
        >
          <RouteTable rows={rows} range={current()} isShort />
        </Frame>
      </div>
      <div class="c4">{found !== null && found.all > 0 && <DifferencesPanel found={found} />}</div>
    </div>
  );
}
