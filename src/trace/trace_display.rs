//! The text form of a kept trace: its spans as an indented tree.

use std::fmt::{self, Display, Formatter, Write as _};

use rustc_hash::{FxHashMap, FxHashSet};

use super::attribute_value::AttributeValue;
use super::decode::Span;
use super::kept_trace::KeptTrace;
use super::span_record::SpanStatus;
use crate::model::{SpanId, prefix};
use crate::semconv;

/// The maximum number of lines of spans and events.
const MAX_LINES: usize = 200;
/// The maximum length of a name or a message, in bytes.
const MAX_TEXT: usize = 120;
/// The depth from which on spans are not indented further.
const MAX_DEPTH: usize = 20;

/// Writes the spans as an indented tree, each with its duration and, unless it completed, how it ended.
///
/// The first line has the trace ID and the reason why the trace was kept. How a span ended is its outcome, or `error`,
/// and then the status message or the type of the error. Lines with a dash are the events of the span above them.
///
/// ```text
/// e7f8643b45843fff22ddf060b1f05c53 (error)
///   POST /orders 30.2ms error: 500
///     - loading the order
///     SELECT orders 4.1ms
///     UPDATE orders 2.3ms error: 40001
///     GET /v1/charges/{id} 20.1ms cancelled
/// ```
///
/// At most 200 spans and events are written; a last line has the number of the others. Names and messages are cut after
/// 120 bytes, and their control characters are written as spaces, so that each span is one line.
impl Display for KeptTrace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.trace_id, self.kept)?;
        let children = children(&self.spans);
        let mut lines = Lines {
            f,
            written: 0,
            left_out: 0,
        };
        let mut seen = vec![false; self.spans.len()];
        // The top of the tree first. Then all spans again: parents that form a circle are reached from no top.
        let top = top_level(&self.spans).chain(0..self.spans.len());
        for start in top {
            // A list in place of recursion, since a trace may be deeper than a thread's stack allows.
            let mut waiting = vec![(start, 1)];
            while let Some((index, depth)) = waiting.pop() {
                let (Some(span), Some(seen)) = (self.spans.get(index), seen.get_mut(index)) else {
                    continue;
                };
                if std::mem::replace(seen, true) {
                    continue;
                }
                lines.span(span, depth)?;
                let below = children.get(&span.span_id).into_iter().flatten();
                waiting.extend(below.map(|child| (*child, depth + 1)));
            }
        }
        lines.end()
    }
}

/// The positions of the spans by their parent, the last one first.
fn children(spans: &[Span]) -> FxHashMap<SpanId, Vec<usize>> {
    let mut children: FxHashMap<SpanId, Vec<usize>> = FxHashMap::default();
    for (index, span) in spans.iter().enumerate().rev() {
        if !span.is_root && span.parent_span_id != SpanId::NIL {
            let siblings = children.entry(span.parent_span_id);
            siblings.or_default().push(index);
        }
    }
    children
}

/// The positions of the spans without a parent in this trace: the roots, and spans whose parent was dropped.
fn top_level(spans: &[Span]) -> impl Iterator<Item = usize> {
    let ids: FxHashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let is_top = move |span: &Span| span.is_root || !ids.contains(&span.parent_span_id);
    let all = spans.iter().enumerate();
    all.filter_map(move |(index, span)| is_top(span).then_some(index))
}

/// Writes lines up to the maximum, and counts the others.
struct Lines<'a, 'f> {
    f: &'a mut Formatter<'f>,
    written: usize,
    left_out: usize,
}

impl Lines<'_, '_> {
    fn span(&mut self, span: &Span, depth: usize) -> fmt::Result {
        let indent = 2 * depth.min(MAX_DEPTH);
        if self.has_room() {
            write!(self.f, "\n{:indent$}", "")?;
            self.text(&span.name)?;
            write!(self.f, " {:.1?}", span.duration)?;
            let (word, detail) = end_of(span);
            if !word.is_empty() {
                write!(self.f, " {word}")?;
            }
            if !detail.is_empty() {
                self.f.write_str(": ")?;
                self.text(detail)?;
            }
        }
        for event in &span.events {
            if self.has_room() {
                write!(self.f, "\n{:indent$}  - ", "")?;
                self.text(&event.name)?;
            }
        }
        Ok(())
    }

    fn has_room(&mut self) -> bool {
        let has_room = self.written < MAX_LINES;
        let counter = if has_room {
            &mut self.written
        } else {
            &mut self.left_out
        };
        *counter += 1;
        has_room
    }

    /// Writes a text that may be long or have several lines.
    fn text(&mut self, text: &str) -> fmt::Result {
        let shown = prefix(text, MAX_TEXT);
        for character in shown.chars() {
            let is_control = character.is_control();
            self.f
                .write_char(if is_control { ' ' } else { character })?;
        }
        self.f
            .write_str(if shown.len() < text.len() { "…" } else { "" })
    }

    fn end(self) -> fmt::Result {
        match self.left_out {
            0 => Ok(()),
            more => write!(self.f, "\n  … {more} more"),
        }
    }
}

/// How a span ended: its outcome or `error`, and what is known of the error. Both are empty if it completed.
fn end_of(span: &Span) -> (&str, &str) {
    let attribute = |key: &str| {
        let mut attributes = span.attributes.iter();
        let found = attributes.find_map(|(have, value)| match value {
            AttributeValue::Str(text) if have == key => Some(text.as_str()),
            _ => None,
        });
        found.unwrap_or_default()
    };
    let outcome = match attribute(semconv::WATCHPOST_OUTCOME) {
        "completed" => "",
        outcome => outcome,
    };
    if span.status != SpanStatus::Error {
        return (outcome, "");
    }
    let detail = match span.status_message.as_str() {
        "" => attribute(semconv::ERROR_TYPE),
        message => message,
    };
    match outcome {
        "" => ("error", detail),
        // The type of the error may be the outcome, which needs no second mention.
        same if same == detail => (outcome, ""),
        _ => (outcome, detail),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::model::{KeepReason, TraceId};
    use crate::trace::decode::SpanEvent;
    use crate::trace::span_record::SpanKind;

    /// A span of 1 ms; `parent` 0 makes it the root.
    fn span(id: u64, parent: u64, name: &str) -> Span {
        Span {
            trace_id: TraceId::from_u128(1),
            span_id: SpanId::from_u64(id),
            parent_span_id: SpanId::from_u64(parent),
            is_root: parent == 0,
            parent_is_remote: false,
            name: name.to_owned(),
            kind: SpanKind::Internal,
            status: SpanStatus::Unset,
            status_message: String::new(),
            start: UNIX_EPOCH,
            duration: Duration::from_millis(1),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            scope: String::new(),
            left_out: 0,
        }
    }

    fn ended(
        mut span: Span,
        status: SpanStatus,
        message: &str,
        attributes: &[(&str, &str)],
    ) -> Span {
        span.status = status;
        span.status_message = message.to_owned();
        let attributes = attributes.iter();
        let owned = attributes.map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        span.attributes = owned
            .map(|(key, text)| (key, AttributeValue::Str(text)))
            .collect();
        span
    }

    fn with_event(mut span: Span, name: &str) -> Span {
        span.events.push(SpanEvent {
            at: UNIX_EPOCH,
            name: name.to_owned(),
            attributes: Vec::new(),
        });
        span
    }

    fn print(spans: Vec<Span>) -> String {
        let trace = KeptTrace {
            trace_id: TraceId::from_u128(0xabc),
            kept: KeepReason::Error,
            start: UNIX_EPOCH,
            duration: Duration::from_millis(1),
            spans,
        };
        trace.to_string()
    }

    #[test]
    fn spans_are_a_tree_with_durations_events_and_ends() {
        use SpanStatus::{Error, Unset};

        let outcome = |outcome| (semconv::WATCHPOST_OUTCOME, outcome);
        let kind = |kind| (semconv::ERROR_TYPE, kind);
        let text = print(vec![
            with_event(
                ended(span(1, 0, "POST /orders"), Error, "", &[kind("500")]),
                "loading",
            ),
            span(2, 1, "pack"),
            ended(span(3, 2, "send"), Error, "no van", &[kind("&str")]),
            ended(span(4, 1, "mail"), Unset, "", &[outcome("cancelled")]),
            ended(
                span(5, 1, "pay"),
                Error,
                "",
                &[outcome("timeout"), kind("timeout")],
            ),
            ended(
                span(6, 1, "ask"),
                Error,
                "",
                &[outcome("failed"), kind("reset")],
            ),
            ended(span(7, 2, "print"), Unset, "", &[outcome("completed")]),
        ]);
        let expected = "00000000000000000000000000000abc (error)
  POST /orders 1.0ms error: 500
    - loading
    pack 1.0ms
      send 1.0ms error: no van
      print 1.0ms
    mail 1.0ms cancelled
    pay 1.0ms timeout
    ask 1.0ms failed: reset";
        assert_eq!(text, expected);
    }

    #[test]
    fn every_span_is_printed_once_whatever_its_parent_is() {
        let text = print(vec![
            span(1, 0, "root"),
            span(2, 99, "without a parent"),
            span(3, 4, "in a circle"),
            span(4, 3, "closes it"),
            span(5, 5, "its own parent"),
            span(0, 0, "without an ID"),
        ]);
        let expected = "00000000000000000000000000000abc (error)
  root 1.0ms
  without a parent 1.0ms
  without an ID 1.0ms
  in a circle 1.0ms
    closes it 1.0ms
  its own parent 1.0ms";
        assert_eq!(text, expected);
        assert_eq!(
            print(Vec::new()),
            "00000000000000000000000000000abc (error)"
        );
    }

    #[test]
    fn the_text_is_bounded() {
        let long = "ä".repeat(1000);
        let chain = (1..=10_000).map(|id| span(id, id - 1, &format!("{long}\n{id}")));
        let text = print(chain.collect());
        assert_eq!(text.lines().count(), 1 + MAX_LINES + 1);
        assert!(
            text.ends_with("\n  … 9800 more"),
            "{}",
            &text[text.len() - 80..]
        );
        assert!(text.lines().all(|line| line.len() < 200), "{text}");

        let text = print(vec![span(1, 0, "two\nlines\tand\u{1b}[31m")]);
        assert!(text.ends_with("\n  two lines and [31m 1.0ms"), "{text:?}");
    }
}
