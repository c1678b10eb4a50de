/** The chart of one signal in large, and the same points as a table. */

import type { JSX } from 'preact';
import { page, setAsTable, setCard, shownSeries } from '../controller';
import { overviewPath } from '../api';
import type { Card, Sections, Series, SignalName } from '../contract';
import { clockOrDay, clockSeconds } from '../format';
import { times } from '../series';
import { useStore } from '../store';
import { CARD_TITLES, MISSING, T } from '../strings';
import type { PanelProps } from './cards';
import { rowsAt, type ChartModel } from './chart-model';
import { Chart, useChartModel } from './chart';
import { Glyph } from './glyph';

export function ChartPanel({ name, sections, now }: PanelProps & { name: SignalName }): JSX.Element {
  const state = useStore(page);
  const series = shownSeries(state);
  const card = sections.cards[name];
  const title = CARD_TITLES[name];
  const hasValues = series?.values[name].some((value) => value !== null) === true;
  return (
    <section class="panel" id="chart" aria-labelledby="chart-title">
      <header>
        <h2 id="chart-title">{title}</h2>
        {series !== null && <p class="w">{`${clockOrDay(series.start, now)} – ${clockOrDay(times(series).at(-1) ?? series.start, now)}`}</p>}
        <span class="fill" />
        <a class="small" href={overviewPath(state.range)} target="_blank" rel="noreferrer">
          {T.asJson}
        </a>
        <button class="icon" type="button" aria-pressed={state.asTable} aria-label={T.table} title={T.table} onClick={() => { setAsTable(!state.asTable); }}>
          <Glyph name="table" />
        </button>
        <button class="icon" type="button" aria-label={T.close} onClick={() => { setCard(null); }}>
          <Glyph name="close" />
        </button>
      </header>
      {series === null || !hasValues ? (
        <p class="body mute">{state.failure ?? series?.failed ?? (series === null ? T.loadingNote : (MISSING[card.missing ?? 'no_data']?.line ?? ''))}</p>
      ) : (
        <Points name={name} card={card} series={series} sections={sections} asTable={state.asTable} />
      )}
    </section>
  );
}

function Points({ name, card, series, sections, asTable }: { name: SignalName; card: Card; series: Series; sections: Sections; asTable: boolean }): JSX.Element {
  const model = useChartModel(name, card, series, sections);
  if (asTable) return <Table model={model} />;
  return (
    <div class="body">
      <Chart model={model} large height={260} />
    </div>
  );
}

/** At most 120 rows, the newest first: of longer ranges each so many steps. */
export function tableIndexes(length: number, most = 120): number[] {
  const every = Math.max(1, Math.ceil(length / most));
  const indexes: number[] = [];
  for (let i = length - 1; i >= 0; i -= every) indexes.push(i);
  return indexes;
}

function Table({ model }: { model: ChartModel }): JSX.Element {
  const hasBand = model.normal !== null;
  return (
    <div class="scroll tall" tabIndex={0} role="region" aria-label={T.tableOf(model.title)}>
      <table>
        <caption class="vh">{model.title}</caption>
        <thead>
          <tr>
            <th scope="col">{T.time}</th>
            <th scope="col" class="num">
              {T.value}
            </th>
            {hasBand && (
              <th scope="col" class="num">
                {T.normalColumn}
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {tableIndexes(model.times.length).map((i) => {
            const at = model.times[i] ?? 0;
            const rows = rowsAt(model, i);
            const normal = rows.find(([name]) => name === T.normalColumn);
            return (
              <tr key={at}>
                <th scope="row">
                  {model.to - model.from > 86_400_000 ? clockOrDay(at, model.to + 86_400_000) : clockSeconds(at)}
                </th>
                <td class="num">{rows[0]?.[1]}</td>
                {hasBand && <td class="num">{normal?.[1] ?? ''}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
