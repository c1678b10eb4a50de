//! Templates of messages, in the manner of Drain (He et al., 2017): messages with the same number of words and the same first
//! words are compared, and one that is similar enough to a template joins it. Words in which they differ become `<*>`.

use std::collections::HashMap;
use std::time::SystemTime;

use super::cursor::LogCursor;
use super::file_search::SearchOutcome;
use super::found::SearchEnd;
use super::grammar::LogSeverity;
use super::line_head::{LineHead, level_of};
use super::visitor::{LineVisitor, time_of};
use crate::logs::line_fields::fields;

/// A word in which messages differ.
const ANY: &str = "<*>";
/// The maximum number of templates. Messages that begin another one are counted as others.
const MAX_TEMPLATES: usize = 1000;
/// The templates that a message is compared with.
const MAX_COMPARED: usize = 64;
/// The maximum number of words of a message. The rest is left out.
const MAX_WORDS: usize = 64;
/// A message joins a template if at least this share of the words is equal, in percent.
const SIMILAR: usize = 60;
/// The first words that must be equal.
const FIRST: usize = 2;

/// The templates of messages that a search has found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogPatterns {
    /// The templates, the most frequent first.
    pub patterns: Vec<LogPattern>,
    /// The records with a message of another template.
    pub others: u64,
    /// Why the search ended.
    pub end: SearchEnd,
    /// How far it got, see [`FoundLogs::reached`](super::FoundLogs::reached).
    pub reached: Option<SystemTime>,
    /// Files that could not be read completely, see [`FoundLogs::unreadable`](super::FoundLogs::unreadable).
    pub unreadable: u32,
}

/// A template of messages: their common words, with `<*>` where they differ.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogPattern {
    /// The template: `payment <*> refused`.
    pub template: String,
    /// The number of records.
    pub count: u64,
    /// The most severe level of these records.
    pub level: tracing::Level,
    /// The times of the first and the last of them.
    pub first: SystemTime,
    /// The time of the last one.
    pub last: SystemTime,
    /// The message of the newest one.
    pub example: String,
}

struct Template {
    words: Vec<String>,
    count: u64,
    severity: LogSeverity,
    first: u64,
    last: u64,
    example: String,
}

/// Finds templates.
#[derive(Default)]
pub(super) struct PatternFinder {
    templates: Vec<Template>,
    /// The templates by the number of words and the first words.
    by_beginning: HashMap<(usize, Vec<String>), Vec<usize>>,
    others: u64,
}

impl PatternFinder {
    fn add(&mut self, message: &str, head: LineHead) {
        let words: Vec<_> = message
            .split_whitespace()
            .take(MAX_WORDS)
            .map(masked)
            .collect();
        let beginning = (
            words.len(),
            words
                .iter()
                .take(FIRST)
                .map(|&word| word.to_owned())
                .collect(),
        );
        // A beginning is added only with a template: most messages of a stream of unique ones are others.
        let candidates = self
            .by_beginning
            .get(&beginning)
            .map_or(&[][..], Vec::as_slice);
        let mut best = None;
        for number in candidates.iter().copied() {
            let similarity = self
                .templates
                .get(number)
                .map_or(0, |it| it.similarity(&words));
            if best.is_none_or(|(most, _)| similarity > most) {
                best = Some((similarity, number));
            }
        }
        let similar = best.filter(|(percent, _)| *percent >= SIMILAR);
        if let Some(template) = similar.and_then(|(_, number)| self.templates.get_mut(number)) {
            template.join(&words, head);
        } else if self.templates.len() < MAX_TEMPLATES && candidates.len() < MAX_COMPARED {
            let number = self.templates.len();
            self.by_beginning.entry(beginning).or_default().push(number);
            self.templates.push(Template {
                words: words.into_iter().map(str::to_owned).collect(),
                count: 1,
                severity: head.severity,
                first: head.micros,
                last: head.micros,
                example: message.to_owned(),
            });
        } else {
            self.others += 1;
        }
    }

    pub(super) fn finish(self, limit: usize, outcome: &SearchOutcome) -> LogPatterns {
        let mut templates = self.templates;
        templates.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.words.cmp(&b.words)));
        let rest = templates.split_off(limit.min(templates.len()));
        let of_rest: u64 = rest.iter().map(|it| it.count).sum();
        let patterns = templates.into_iter().map(|it| LogPattern {
            template: it.words.join(" "),
            count: it.count,
            level: level_of(it.severity),
            first: time_of(it.first),
            last: time_of(it.last),
            example: it.example,
        });
        LogPatterns {
            patterns: patterns.collect(),
            others: self.others + of_rest,
            end: outcome.end,
            reached: outcome.progress.reached_time(),
            unreadable: outcome.progress.unreadable,
        }
    }
}

impl Template {
    /// How many of the words are equal, in percent. Values in both say nothing.
    fn similarity(&self, words: &[&str]) -> usize {
        let pairs = self.words.iter().zip(words);
        let (mut equal, mut compared) = (0, 0);
        for (word, other) in pairs.filter(|(word, other)| *word != ANY || **other != ANY) {
            equal += usize::from(word == other);
            compared += 1;
        }
        (100 * equal).checked_div(compared).unwrap_or(100)
    }

    fn join(&mut self, words: &[&str], head: LineHead) {
        for (word, other) in self.words.iter_mut().zip(words) {
            if word != other {
                ANY.clone_into(word);
            }
        }
        self.count += 1;
        self.severity = self.severity.max(head.severity);
        self.first = self.first.min(head.micros);
        self.last = self.last.max(head.micros);
    }
}

impl LineVisitor for PatternFinder {
    fn visit(&mut self, line: &str, head: LineHead, _cursor: LogCursor) {
        let mut all = fields(line);
        let message = all.find(|(key, _)| key == "message");
        self.add(
            message.as_ref().map_or("", |(_, value)| value.as_text()),
            head,
        );
    }
}

/// A word with a digit is a value.
fn masked(word: &str) -> &str {
    if word.bytes().any(|byte| byte.is_ascii_digit()) {
        ANY
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_some_words_share_a_template() {
        let mut finder = PatternFinder::default();
        for n in 0..300_u64 {
            let user = ["ann", "bob", "eve"][n as usize % 3];
            let (message, severity) = match n % 3 {
                0 => (
                    format!("payment of {n} EUR refused by {user}"),
                    LogSeverity::Error,
                ),
                1 => (
                    format!("payment of {n}.50 EUR refused by {user}"),
                    LogSeverity::Warn,
                ),
                _ => (
                    format!("user {user} logged in from 10.0.0.{n}"),
                    LogSeverity::Info,
                ),
            };
            let head = LineHead {
                micros: n,
                severity,
            };
            finder.add(&message, head);
        }
        finder.add(
            "",
            LineHead {
                micros: 0,
                severity: LogSeverity::Info,
            },
        );
        let found = finder.finish(10, &SearchOutcome::default());
        let rows: Vec<_> = found
            .patterns
            .iter()
            .map(|it| (&*it.template, it.count))
            .collect();
        let expected = [
            ("payment of <*> EUR refused by <*>", 200),
            ("user eve logged in from <*>", 100),
            ("", 1),
        ];
        assert_eq!(rows, expected);
        assert_eq!(found.patterns[0].level, tracing::Level::ERROR);
        assert_eq!(
            (found.patterns[0].first, found.patterns[0].last),
            (time_of(0), time_of(298))
        );
    }

    #[test]
    fn the_number_of_templates_is_bounded_and_every_message_is_counted() {
        let mut finder = PatternFinder::default();
        for n in 0..5000_u64 {
            let word: String = format!("{n}").bytes().map(|it| (it + 49) as char).collect();
            let message = format!("{word} {word} {word}");
            finder.add(
                &message,
                LineHead {
                    micros: n,
                    severity: LogSeverity::Info,
                },
            );
        }
        assert_eq!(finder.templates.len(), MAX_TEMPLATES);
        assert_eq!(finder.by_beginning.len(), MAX_TEMPLATES);
        let found = finder.finish(100, &SearchOutcome::default());
        let counted: u64 = found.patterns.iter().map(|it| it.count).sum();
        assert_eq!((found.patterns.len(), counted + found.others), (100, 5000));
    }
}
