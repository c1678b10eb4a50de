import { Store } from './store';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'watchpost-theme';

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    // Storage may be forbidden.
    return 'system';
  }
}

export const theme = new Store<Theme>(stored());

function show(value: Theme): void {
  if (value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = value;
}

export function setTheme(value: Theme): void {
  show(value);
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // The choice then lasts as long as the page.
  }
  theme.set(value);
}

export const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

/** Whether the page is dark now. */
export function isDark(): boolean {
  const chosen = theme.get();
  return chosen === 'system' ? systemIsDark.matches : chosen === 'dark';
}

export function toggleTheme(): void {
  setTheme(isDark() ? 'light' : 'dark');
}

show(theme.get());
