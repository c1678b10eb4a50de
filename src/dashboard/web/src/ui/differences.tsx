/** What differs between some kept traces and all. */

import type { JSX } from 'preact';
import { read } from '../api';
import type { Differences } from '../contract-traces';
import { maybe, percent } from '../format';
import type { RangeChoice } from '../range';
import { TT } from '../strings-traces';
import { differencesPath, type TraceFilter } from '../trace-filter';
import { Frame } from './panels';
import { useRead } from './read';

/** What differs between the traces of a filter and all. Without a filter, those that failed or were slow are selected. */
export function WhatDiffers({ filter, range, isHeld }: { filter: TraceFilter; range: RangeChoice; isHeld: boolean }): JSX.Element | null {
  const key = differencesPath(filter, range);
  const { document: found } = useRead(key, range.kind === 'relative', isHeld, () => read<Differences>(key));
  if (found === null || found.all === 0) return null;
  return <DifferencesPanel found={found} />;
}

/** Attributes by how much more frequent they are in the selected traces than in all. */
export function DifferencesPanel({ found }: { found: Differences }): JSX.Element {
  const { selected, all } = found;
  const isAll = selected === all;
  const nothing = selected === 0 ? (found.by_filter ? TT.noneMatches : TT.nothingSelected) : isAll ? TT.allSelected : TT.nothingDiffers;
  return (
    <Frame id="differs" title={TT.differs} {...(selected === 0 || isAll ? {} : { aside: TT.differsAside(selected, all, found.by_filter) })} empty={found.rows.length === 0 ? nothing : null}>
      <ul class="rows dif">
        {found.rows.map((row) => {
          const counts = TT.share(row.selected, selected, row.all, all);
          return (
            <li key={`${row.key} ${row.value}`} tabIndex={-1} data-row={`${row.key} ${row.value}`} title={`${row.key}: ${row.value}. ${counts}`}>
              <span class="one">
                {row.key} <b>{row.value}</b>
              </span>
              <b class="num">{maybe(row.share_selected, percent)}</b>
              <span class="num mute">{maybe(row.share_all, percent)}</span>
              <svg aria-hidden="true">
                <rect class="f-band" width="100%" height="6" y="1" rx="1" />
                <rect class="f-ink" width={`${row.share_selected * 100}%`} height="6" y="1" rx="1" />
                <rect class="f-text" x={`${Math.min(99.5, row.share_all * 100)}%`} width="2" height="8" />
              </svg>
              <span class="vh">{counts}</span>
            </li>
          );
        })}
      </ul>
    </Frame>
  );
}
