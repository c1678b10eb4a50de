/** The log lines, errors and attributes of a trace. All of it is text, whatever it contains. */

import type { JSX } from 'preact';
import type { Pair, TraceError, TraceLine } from '../contract-traces';
import { page } from '../controller';
import { errorAddress, errorOfEvent } from '../error-places';
import { duration, maybe } from '../format';
import { useStore } from '../store';
import { E } from '../strings-errors';
import { TT } from '../strings-traces';
import { Glyph } from './glyph';
import { toneOf } from './tone';

/** A time from the start of the trace. */
export function offset(us: number): string {
  return (us < 0 ? '−' : '+') + maybe(Math.abs(us) / 1e6, duration);
}

export function Pairs({ pairs }: { pairs: Pair[] }): JSX.Element {
  return (
    <dl class="kv">
      {pairs.map(({ key, value }) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The name of a level, with the glyph of a bad one. */
export function Level({ name }: { name: string }): JSX.Element {
  const glyph = name === 'error' || name === 'fatal' ? 'critical' : name === 'warn' ? 'warning' : null;
  const tone = glyph === null ? 'mute' : `s-${toneOf(glyph)}`;
  return (
    <span class={`tag ${tone}`}>
      {glyph !== null && <Glyph name={glyph} />}
      {name}
    </span>
  );
}

/** Fields that say more than the message. Those of a captured error are in its panel. */
function shownFields(line: TraceLine): Pair[] {
  return line.fields.filter(({ key }) => !/^(exception\.|code\.|event_id$|error\.group)/.test(key)).slice(0, 8);
}

/** The line of a captured error leads to its group. */
function EventLink({ line: { fields } }: { line: TraceLine }): JSX.Element | null {
  const { range } = useStore(page);
  const event = fields.find(({ key }) => key === 'event_id')?.value;
  if (event === undefined || !fields.some(({ key }) => key.startsWith('exception.'))) return null;
  return (
    <>
      {' '}
      <a href={errorOfEvent(event, range)}>{E.error}</a>
    </>
  );
}

/** `choose` selects the span of a line. */
export function LineList({ lines, choose }: { lines: TraceLine[]; choose?: (span: string) => void }): JSX.Element {
  return (
    <ol class="lines">
      {lines.map((line, i) => {
        const { span_id: span } = line;
        return (
          <li key={`${line.at_us} ${i}`} title={[line.target, ...line.fields.map(({ key, value }) => `${key}=${value}`)].join(' ')}>
            <span class="mute">{offset(line.at_us)}</span>
            <Level name={line.level} />
            <span class="wrap">
              {span === null || choose === undefined ? (
                line.message
              ) : (
                <button class="plain text" type="button" onClick={() => { choose(span); }}>
                  {line.message}
                </button>
              )}
              <EventLink line={line} />
              {shownFields(line).map(({ key, value }) => (
                <span key={key} class="mute">
                  {' '}
                  {key}={value.length > 80 ? value.slice(0, 80) + '…' : value}
                </span>
              ))}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

export function ErrorList({ errors }: { errors: TraceError[] }): JSX.Element {
  const { range } = useStore(page);
  return (
    <ul class="rows">
      {errors.map((error) => (
        <li key={error.id + error.at_us}>
          {error.causes.map((cause, i) => (
            <p key={i} class="wrap">
              {i === 0 && <Glyph name="critical" tone="crit" label={TT.failedLabel} />} {i === 0 ? (
                <a href={errorAddress(error.id, range)}>
                  <b>{cause.type}</b>
                </a>
              ) : (
                <b>{cause.type}</b>
              )}
              : {cause.message}
            </p>
          ))}
          <p class="mute small wrap">
            {offset(error.at_us)} {TT.at} {error.location}
          </p>
          {error.frames.length === 0 ? (
            <p class="mute small">{TT.noStack}</p>
          ) : (
            <details>
              <summary class="small">{TT.stack}</summary>
              <ol class="stack-frames">
                {error.frames.map((frame, i) => (
                  <li key={i} class={frame.in_app ? '' : 'mute'}>
                    {frame.function}
                    {frame.file !== '' && <small> {`${frame.file}:${frame.line}`}</small>}
                  </li>
                ))}
              </ol>
            </details>
          )}
        </li>
      ))}
    </ul>
  );
}
