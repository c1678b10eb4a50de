/** A table of routes, and a small curve for each. */

import type { ComponentChildren, JSX } from 'preact';
import type { RouteRow } from '../contract-routes';
import { duration, maybe, percent, rate } from '../format';
import { routeAddress } from '../place';
import type { RangeChoice } from '../range';
import { T } from '../strings';
import { highest, path } from './plot-model';

interface Column {
  name: string;
  /** In a narrow window too. */
  isNarrow: boolean;
  /** In a list beside other panels too. */
  isShort: boolean;
  isBefore?: boolean;
  cell: (row: RouteRow) => ComponentChildren;
}

const COLUMNS: Column[] = [
  { name: T.reqPerSecond, isNarrow: false, isShort: true, cell: (row) => maybe(row.rate, (value) => rate(value).value) },
  { name: T.errors, isNarrow: true, isShort: true, cell: (row) => (row.errors === 0 ? '0' : maybe(row.error_rate, percent)) },
  { name: 'p50', isNarrow: false, isShort: false, cell: (row) => maybe(row.p50, duration) },
  { name: 'p95', isNarrow: true, isShort: true, cell: (row) => maybe(row.p95, duration) },
  { name: 'p99', isNarrow: false, isShort: false, cell: (row) => maybe(row.p99, duration) },
  { name: T.before, isNarrow: false, isShort: true, isBefore: true, cell: (row) => maybe(row.before?.p95, duration) },
  { name: T.p95Curve, isNarrow: false, isShort: true, cell: (row) => <Curve values={row.p95_curve} /> },
  { name: T.shareOfErrors, isNarrow: false, isShort: true, cell: (row) => (row.error_share === null ? '' : maybe(row.error_share, percent)) },
  { name: T.shareOfTime, isNarrow: false, isShort: false, cell: (row) => maybe(row.time_share, percent) },
];

/** `isShort` leaves out columns that a list beside other panels has no room for. */
export function RouteTable({ rows, range, isShort = false }: { rows: RouteRow[]; range: RangeChoice; isShort?: boolean }): JSX.Element {
  const columns = COLUMNS.filter((column) => !isShort || column.isShort);
  return (
    <div class="scroll">
      <table class="routes">
        <caption class="vh">{T.routes}</caption>
        <thead>
          <tr>
            <th scope="col">{T.route}</th>
            {columns.map(({ name, isNarrow }) => (
              <th key={name} scope="col" class={isNarrow ? 'num' : 'num w'}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.method + row.route} tabIndex={-1} data-row={`${row.method} ${row.route}`}>
              <th scope="row">
                <a href={routeAddress(row, range)}>
                  <span class="meth">{row.method}</span> {row.route}
                </a>
              </th>
              {columns.map(({ name, isNarrow, isBefore, cell }) => (
                <td key={name} class={`num${isNarrow ? '' : ' w'}${isBefore ? ' mute' : ''}`}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A small line from 0. Its last value is in the column of the p95. */
function Curve({ values }: { values: (number | null)[] }): JSX.Element {
  const most = highest([values], false) || 1;
  return (
    <svg class="curve" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
      <path class="line l-p95" d={path(values, (i) => ((i + 0.5) / Math.max(1, values.length)) * 100, (value) => 19 - (value / most) * 17)} />
    </svg>
  );
}

