/** What the lines have in common: the values of fields with their numbers. A click filters for one. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { LOG_LEVELS, type LogFacet, type LogHistogram } from '../contract-logs';
import { count } from '../format';
import { levelsOf, sumsOf } from '../log-model';
import { facetPath, type LogView } from '../log-places';
import { KNOWN_FIELDS, canSelect, fieldTerm, hasTerm, toggled } from '../log-query';
import type { RangeChoice } from '../range';
import { T } from '../strings';
import { L, compactCount } from '../strings-logs';
import { useKept } from './log-read';
import { Level } from './trace-signals';

interface Props {
  view: LogView;
  range: RangeChoice;
  counted: LogHistogram | null;
  isHeld: boolean;
  /** Another number reads all of them again. They are not live: each is a search of its own. */
  asked: number;
  filter: (text: string) => void;
  choose: (change: Partial<LogView>) => void;
}

const FIELDS = ['target', 'http.route'];

export function LogFacets({ view, range, counted, isHeld, asked, filter, choose }: Props): JSX.Element {
  const [isOpen, setIsOpen] = useState(() => matchMedia('(min-width: 641px)').matches);
  const fields = [...new Set([...FIELDS, ...(view.by === null ? [] : [view.by])])];
  return (
    <details class="facets" open={isOpen} onToggle={(event) => { setIsOpen(event.currentTarget.open); }}>
      <summary>{L.filter}</summary>
      {isOpen && (
        <>
          <Levels view={view} counted={counted} choose={choose} />
          {fields.map((field) => (
            <Facet key={field} field={field} view={view} range={range} isHeld={isHeld} asked={asked} filter={filter} />
          ))}
          <form
            class="by"
            onSubmit={(event) => {
              event.preventDefault();
              const name = new FormData(event.currentTarget).get('by');
              choose({ by: typeof name === 'string' && name.trim() !== '' ? name.trim() : null });
            }}
          >
            <label class="small mute" for="by">
              {L.otherField}
            </label>
            <input id="by" name="by" key={view.by} defaultValue={view.by ?? ''} list="by-names" maxLength={200} autocomplete="off" spellcheck={false} />
            <datalist id="by-names">
              {KNOWN_FIELDS.map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
            <button type="submit">{L.countField}</button>
          </form>
        </>
      )}
    </details>
  );
}

/** The numbers of all levels, also of those that are not chosen. */
function Levels({ view, counted, choose }: Pick<Props, 'view' | 'counted' | 'choose'>): JSX.Element | null {
  if (counted === null) return null;
  const sums = sumsOf(counted);
  const shown = [...LOG_LEVELS].reverse().filter((level) => sums[level] > 0 || view.exact_level === level);
  if (shown.length === 0) return null;
  const chosen = levelsOf(view);
  const isAll = chosen.length === LOG_LEVELS.length;
  const most = Math.max(1, ...Object.values(sums));
  return (
    <div class="fs" role="group" aria-label={L.level}>
      <h3>{L.level}</h3>
      {shown.map((level) => (
        <Value key={level} name={<Level name={level} />} count={sums[level]} most={most} isPressed={!isAll && chosen.includes(level)} press={() => { choose({ level: null, exact_level: view.exact_level === level ? null : level }); }} />
      ))}
    </div>
  );
}

function Facet({ field, view, range, isHeld, asked, filter }: Pick<Props, 'view' | 'range' | 'isHeld' | 'asked' | 'filter'> & { field: string }): JSX.Element {
  const { document: found, failure } = useKept<LogFacet>(facetPath(field, view, range), false, isHeld, asked);
  const title = L.facets[field] ?? field;
  const rest = found === null ? [] : [found.others > 0 ? L.others(found.others) : '', found.missing > 0 && found.values.length > 0 ? L.missing(found.missing) : '', found.end === 'complete' ? '' : L.notAll].filter(Boolean);
  const most = Math.max(1, ...(found?.values ?? []).map((it) => it.count));
  return (
    <div class="fs" role="group" aria-label={title}>
      <h3 class="wrap">{title}</h3>
      {found === null ? (
        <p class="mute small">{failure ?? T.loadingNote}</p>
      ) : found.values.length === 0 ? (
        <p class="mute small">{L.noValue}</p>
      ) : (
        found.values.map(({ value, count: times }) => {
          const term = canSelect(field, value) ? fieldTerm(field, valueOf(field, value)) : null;
          return (
            <Value key={value} name={value === '' ? <i class="mute">{L.noneOf}</i> : value} title={value} count={times} most={most} {...(term === null ? {} : { isPressed: hasTerm(view.text, term), press: () => { filter(toggled(view.text, term)); } })} />
          );
        })
      )}
      {rest.length > 0 && <p class="mute small">{rest.join(' · ')}</p>}
    </div>
  );
}

/** The values of a facet are texts; those of the levels are written as the language of searches has them. */
function valueOf(field: string, value: string): string {
  return field === 'level' ? value.toLowerCase() : value;
}

interface ValueProps {
  name: JSX.Element | string;
  title?: string;
  count: number;
  most: number;
  isPressed?: boolean;
  press?: () => void;
}

function Value({ name, title, count: times, most, isPressed, press }: ValueProps): JSX.Element {
  const content = (
    <>
      <span class="one">{name}</span>
      <span class="mute" title={count(times)}>
        {compactCount(times)}
      </span>
      <svg aria-hidden="true">
        <rect class="f-line" width={`${(times / most) * 100}%`} height="2" />
      </svg>
    </>
  );
  if (press === undefined) {
    return (
      <p class="fv" title={title}>
        {content}
      </p>
    );
  }
  return (
    <button class="fv" type="button" title={title} aria-pressed={isPressed} onClick={press}>
      {content}
    </button>
  );
}
