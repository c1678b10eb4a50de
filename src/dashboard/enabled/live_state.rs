//! The state that live clients receive: sections of JSON, each with the number of its last change.

use bytes::Bytes;

use super::figures::LiveFigures;
use super::json::{self, ObjectWriter};

/// The longest time between two messages to a live client, in milliseconds.
pub(super) const HEARTBEAT_MS: u64 = 5000;
/// A state that is older, in milliseconds, is not passed off as the present one.
const MAX_AGE_MS: u64 = 10_000;

/// A section of the document, as it is at one time.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) text: String,
    /// What must differ for the section to count as changed, where that is not its whole text.
    pub(super) compared: Option<String>,
}

/// The state at one time. A publisher makes one for all clients.
#[derive(Debug)]
pub(super) struct LiveState {
    pub(super) epoch: String,
    /// The number of changes so far; 0 before the first state.
    pub(super) seq: u64,
    /// Milliseconds since the Unix epoch.
    pub(super) at: u64,
    /// Each section with the number of its last change.
    sections: Vec<(u64, Section)>,
    /// The change from the state before, as a message.
    delta: Bytes,
    /// What the sections were written from.
    pub(super) figures: LiveFigures,
    /// Whether the publisher has ended.
    pub(super) has_ended: bool,
}

impl LiveState {
    /// The state before anything was computed.
    pub(super) fn empty(epoch: String) -> Self {
        Self {
            epoch,
            seq: 0,
            at: 0,
            sections: Vec::new(),
            delta: Bytes::new(),
            figures: LiveFigures::default(),
            has_ended: false,
        }
    }

    /// The state that follows this one.
    pub(super) fn next(&self, at: u64, sections: Vec<Section>, figures: LiveFigures) -> Self {
        let is_same = |section: &Section| {
            let mut before = self.sections.iter();
            before.any(|(_, other)| {
                other.name == section.name && other.compared_text() == section.compared_text()
            })
        };
        let has_changed = self.sections.is_empty() || !sections.iter().all(is_same);
        let seq = self.seq + u64::from(has_changed);
        let numbered = sections.into_iter().map(|section| {
            let before = self.sections.iter().find(|it| it.1.name == section.name);
            match before.filter(|_| is_same(&section)) {
                Some(before) => before.clone(),
                None => (seq, section),
            }
        });
        let mut next = Self {
            epoch: self.epoch.clone(),
            seq,
            at,
            sections: numbered.collect(),
            delta: Bytes::new(),
            figures,
            has_ended: self.has_ended,
        };
        next.delta = next.delta_since(seq.saturating_sub(1));
        next
    }

    /// The last state of a publisher that has ended.
    pub(super) fn ended(epoch: String) -> Self {
        Self {
            has_ended: true,
            ..Self::empty(epoch)
        }
    }

    /// The message with all sections.
    pub(super) fn hello(&self) -> Bytes {
        let hello = json::object(|it| {
            it.text("type", "hello");
            it.text("epoch", &self.epoch);
            it.integer("seq", self.seq);
            it.integer("at", self.at);
            it.integer("heartbeat_ms", HEARTBEAT_MS);
            it.object("sections", |it| self.put_sections(it, |_, _| true));
        });
        hello.into()
    }

    /// The message with the sections that have changed since a number.
    pub(super) fn changes_since(&self, seq: u64) -> Bytes {
        // The common case, made once for all clients.
        if seq + 1 == self.seq {
            return self.delta.clone();
        }
        self.delta_since(seq)
    }

    fn delta_since(&self, seq: u64) -> Bytes {
        let delta = json::object(|it| {
            it.text("type", "delta");
            it.integer("from", seq);
            it.integer("seq", self.seq);
            it.integer("at", self.at);
            it.object("sections", |it| {
                self.put_sections(it, |changed, _| changed > seq);
            });
        });
        delta.into()
    }

    /// Whether something was computed, and lately. It is not if the computation hangs, or after the monitor has ended.
    pub(super) fn is_current(&self, now: u64) -> bool {
        self.seq > 0 && !self.has_ended && now.saturating_sub(self.at) <= MAX_AGE_MS
    }

    pub(super) fn heartbeat(&self) -> Bytes {
        let heartbeat = json::object(|it| {
            it.text("type", "heartbeat");
            it.integer("seq", self.seq);
            it.integer("at", self.at);
        });
        heartbeat.into()
    }

    /// The message that says how many changes a client has not received one by one.
    pub(super) fn gap(&self, missed: u64) -> Bytes {
        let gap = json::object(|it| {
            it.text("type", "gap");
            it.integer("missed", missed);
            it.integer("at", self.at);
        });
        gap.into()
    }

    /// What a client that holds the number `after` of the process `epoch` has to know.
    pub(super) fn poll(&self, epoch: Option<&str>, after: Option<u64>) -> String {
        let held = after.filter(|after| *after <= self.seq && epoch == Some(self.epoch.as_str()));
        let message = match held {
            None => self.hello(),
            Some(after) if after == self.seq => self.heartbeat(),
            Some(after) => self.changes_since(after),
        };
        json::object(|it| {
            it.list("messages", |list| {
                list.raw(std::str::from_utf8(&message).unwrap_or("null"));
            });
        })
    }

    /// Writes the sections that are wanted by the number of their last change and their name.
    pub(super) fn put_sections(
        &self,
        it: &mut ObjectWriter<'_>,
        is_wanted: impl Fn(u64, &str) -> bool,
    ) {
        for (changed, section) in &self.sections {
            if is_wanted(*changed, section.name) {
                it.raw(section.name, &section.text);
            }
        }
    }
}

impl Section {
    fn compared_text(&self) -> &str {
        self.compared.as_deref().unwrap_or(&self.text)
    }
}

/// The message that says why a connection ends.
pub(super) fn bye(reason: &str) -> Bytes {
    let bye = json::object(|it| {
        it.text("type", "bye");
        it.text("reason", reason);
    });
    bye.into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn section(name: &'static str, text: &str) -> Section {
        Section {
            name,
            text: text.to_owned(),
            compared: None,
        }
    }

    fn read(message: &[u8]) -> Value {
        serde_json::from_slice(message).unwrap()
    }

    #[test]
    fn a_client_receives_what_has_changed_since_it_was_told() {
        let empty = LiveState::empty("e".to_owned());
        let figures = LiveFigures::default;
        let one = empty.next(1, vec![section("a", "1"), section("b", "1")], figures());
        assert_eq!(one.seq, 1);
        assert_eq!(read(&one.hello())["sections"], json!({"a": 1, "b": 1}));
        let two = one.next(2, vec![section("a", "2"), section("b", "1")], figures());
        let three = two.next(3, vec![section("a", "2"), section("b", "3")], figures());
        let same = three.next(4, vec![section("a", "2"), section("b", "3")], figures());
        assert_eq!((two.seq, three.seq, same.seq), (2, 3, 3));
        assert_eq!(read(&same.changes_since(2))["sections"], json!({"b": 3}));
        assert_eq!(
            read(&three.changes_since(2)),
            json!({"type": "delta", "from": 2, "seq": 3, "at": 3, "sections": {"b": 3}})
        );
        assert_eq!(
            read(&three.changes_since(1))["sections"],
            json!({"a": 2, "b": 3})
        );
        let first = |text: String| read(text.as_bytes())["messages"][0]["type"].clone();
        assert_eq!(first(three.poll(Some("e"), Some(3))), "heartbeat");
        assert_eq!(first(three.poll(Some("e"), Some(1))), "delta");
        assert_eq!(first(three.poll(Some("other"), Some(1))), "hello");
        assert_eq!(first(three.poll(Some("e"), Some(9))), "hello");
        assert_eq!(first(three.poll(None, None)), "hello");
    }

    #[test]
    fn what_is_not_compared_changes_nothing() {
        let with_age = |age: &str| Section {
            compared: Some(String::new()),
            ..section("a", age)
        };
        let one =
            LiveState::empty(String::new()).next(1, vec![with_age("1")], LiveFigures::default());
        let two = one.next(2, vec![with_age("2")], LiveFigures::default());
        assert_eq!(two.seq, 1);
    }
}
