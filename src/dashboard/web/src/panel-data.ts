/** The values of a panel as CSV and as JSON. */

import type { TraceRow } from './contract';

export type Cell = string | number | boolean | null;

export interface PanelData {
  /** The begin of the file's name. */
  name: string;
  /** The names of the columns, with their units. */
  columns: string[];
  rows: Cell[][];
}

/** A spreadsheet would evaluate a text that begins so. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

function cell(value: Cell): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const text = FORMULA.test(value) ? "'" + value : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** RFC 4180, as `history::to_csv` writes it. */
export function toCsv({ columns, rows }: PanelData): string {
  return [columns, ...rows].map((row) => row.map(cell).join(',') + '\r\n').join('');
}

/** A list with an object for each row. */
export function toJson({ columns, rows }: PanelData): string {
  const objects = rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i] ?? null])));
  return JSON.stringify(objects, null, 1) + '\n';
}

/** The rows of curves: a time, and the value of each of them. */
export function curveData(name: string, start: number, stepMs: number, lines: { name: string; values: (number | null)[] }[]): PanelData {
  const steps = lines[0]?.values ?? [];
  const rows = steps.map((_, i): Cell[] => [new Date(start + (i + 1) * stepMs).toISOString(), ...lines.map(({ values }) => values[i] ?? null)]);
  return { name, columns: ['time', ...lines.map((line) => line.name)], rows };
}

/** Rows with these of their members as columns. */
export function objectData<T extends object>(name: string, keys: readonly (keyof T & string)[], rows: T[]): PanelData {
  const cellOf = (value: unknown): Cell => (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null);
  return { name, columns: [...keys], rows: rows.map((row) => keys.map((key) => cellOf(row[key]))) };
}

export const traceData = (name: string, traces: TraceRow[]): PanelData => objectData(name, ['at', 'trace_id', 'method', 'route', 'duration', 'status', 'failed', 'kept'], traces);

/** The name of a file: letters, digits and hyphens. */
export function fileName(name: string, extension: string): string {
  const plain = name.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
  return `${plain === '' ? 'panel' : plain.slice(0, 80)}.${extension}`;
}
