use std::collections::VecDeque;
use std::sync::Mutex;

use super::{lock, lock_for_status};
use crate::redact;

/// Diagnostics kept for `report()`.
const KEPT: usize = 256;

/// What this crate has to say about itself: each sentence once, bounded, never from a `tracing` event of
/// its own, so that nothing that listens to everything hears itself.
///
/// The worker writes what is new to the console; `MonitorGuard::report` lists all.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    said: Vec<String>,
    unwritten: VecDeque<String>,
    left_out: u64,
}

impl Diagnostics {
    /// Sentences to begin with.
    pub(crate) fn of(sentences: Vec<String>) -> Self {
        let diagnostics = Self::default();
        for sentence in sentences {
            diagnostics.report(sentence);
        }
        diagnostics
    }

    /// Says a sentence, unless it was said before. A sentence says what is wrong and what to write. It is scrubbed: it
    /// may quote an error or a setting.
    #[cold]
    pub(crate) fn report(&self, sentence: impl Into<String>) {
        let sentence = redact::text(&sentence.into()).into_owned();
        let mut inner = lock(&self.0);
        if inner.said.contains(&sentence) {
            return;
        }
        if inner.said.len() == KEPT {
            inner.left_out = inner.left_out.saturating_add(1);
            return;
        }
        inner.said.push(sentence.clone());
        inner.unwritten.push_back(sentence);
    }

    /// All sentences so far. None in a child made by `fork` whose parent was at them.
    pub(crate) fn notices(&self) -> Vec<String> {
        lock_for_status(&self.0).map_or_else(Vec::new, |inner| inner.said.clone())
    }

    /// The sentences that nobody has taken yet.
    pub(crate) fn take_unwritten(&self) -> Vec<String> {
        let mut inner = lock(&self.0);
        std::mem::take(&mut inner.unwritten).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_holds_no_secret() {
        let diagnostics = Diagnostics::default();
        diagnostics.report("the receiver https://u:hush@h/x?key=hush refused: password=hush");
        let said = diagnostics.notices().concat();
        assert!(
            !said.contains("hush") && said.contains("/x?key=REDACTED"),
            "{said}"
        );
    }

    #[test]
    fn a_sentence_is_said_once_and_the_list_is_bounded() {
        let diagnostics = Diagnostics::default();
        for n in 0..1000 {
            diagnostics.report(format!("sentence {}", n % 300));
        }
        assert_eq!(diagnostics.notices().len(), KEPT);
        assert_eq!(diagnostics.take_unwritten().len(), KEPT);
        assert!(diagnostics.take_unwritten().is_empty());
    }
}
