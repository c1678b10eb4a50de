/** A table in a panel: its columns, what is too wide for a phone, and the same values as CSV and JSON. */

import type { ComponentChildren, JSX } from 'preact';
import type { PanelData } from '../panel-data';
import { Save } from './save';

export interface Column {
  name: string;
  /** A number, so on the right. */
  isNumber?: boolean;
  /** Left out on a phone. */
  isWide?: boolean;
}

interface TablePanelProps {
  id: string;
  title: string;
  aside?: string;
  /** What is shown without rows. */
  empty: string | null;
  columns: Column[];
  data: () => PanelData;
  /** Controls in the header. */
  tools?: ComponentChildren;
  children: ComponentChildren;
}

export function TablePanel({ id, title, aside, empty, columns, data, tools, children }: TablePanelProps): JSX.Element {
  return (
    <section class="panel" id={id} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{title}</h2>
        {aside !== undefined && <p class="w">{aside}</p>}
        <span class="fill" />
        {tools}
        {empty === null && <Save title={title} data={data} />}
      </header>
      {empty !== null ? (
        <p class="body mute small">{empty}</p>
      ) : (
        <div class="scroll">
          <table class="routes">
            <caption class="vh">{title}</caption>
            <thead>
              <tr>
                {columns.map((column) => (
                  <th key={column.name} scope="col" class={classOf(column)}>
                    {column.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

export function classOf({ isNumber = false, isWide = false }: Column): string {
  return [isNumber ? 'num' : '', isWide ? 'w' : ''].filter(Boolean).join(' ');
}
