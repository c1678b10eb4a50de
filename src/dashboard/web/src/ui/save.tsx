/** Buttons that save the values of a panel. */

import type { JSX } from 'preact';
import { fileName, toCsv, toJson, type PanelData } from '../panel-data';
import { TO } from '../strings-operations';

const save = (text: string, type: string, name: string): void => { saveFile(new Blob([text], { type }), name); };

export function saveFile(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The browser has taken the file by then.
  setTimeout(() => { URL.revokeObjectURL(address); }, 10_000);
}

export function Save({ title, data }: { title: string; data: () => PanelData }): JSX.Element {
  return (
    <span class="save w">
      <button type="button" class="ghost" aria-label={TO.saveAs(title, 'CSV')} onClick={() => { const it = data(); save(toCsv(it), 'text/csv', fileName(it.name, 'csv')); }}>
        CSV
      </button>
      <button type="button" class="ghost" aria-label={TO.saveAs(title, 'JSON')} onClick={() => { const it = data(); save(toJson(it), 'application/json', fileName(it.name, 'json')); }}>
        JSON
      </button>
    </span>
  );
}
