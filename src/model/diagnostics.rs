use std::collections::VecDeque;
use std::sync::Mutex;

use super::{lock, lock_for_status};
use crate::redact;

/// The maximum number of notices that are kept.
const MAX_NOTICES: usize = 256;

/// The notices of this crate about itself. Each is kept once, and their number is bounded.
///
/// They are never `tracing` events: a layer that listens to everything would then record itself. The worker writes new
/// ones to the console, and `MonitorGuard::report` lists all.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics(Mutex<NoticeList>);

#[derive(Debug, Default)]
struct NoticeList {
    all: Vec<String>,
    /// The notices that the worker has not written yet.
    unwritten: VecDeque<String>,
    left_out: u64,
}

impl Diagnostics {
    /// Starts with these notices.
    pub(crate) fn of(notices: Vec<String>) -> Self {
        let diagnostics = Self::default();
        for notice in notices {
            diagnostics.report(notice);
        }
        diagnostics
    }

    /// Reports a notice, unless the same one was reported before. A notice names the problem and what to change. It is
    /// redacted, because it may quote an error or a setting.
    #[cold]
    pub(crate) fn report(&self, notice: impl Into<String>) {
        let notice = redact::text(&notice.into()).into_owned();
        let mut inner = lock(&self.0);
        if inner.all.contains(&notice) {
            return;
        }
        if inner.all.len() == MAX_NOTICES {
            inner.left_out = inner.left_out.saturating_add(1);
            return;
        }
        inner.all.push(notice.clone());
        inner.unwritten.push_back(notice);
    }

    /// All notices so far. Empty in a child made by `fork` if a thread of the parent held the lock.
    pub(crate) fn notices(&self) -> Vec<String> {
        lock_for_status(&self.0).map_or_else(Vec::new, |inner| inner.all.clone())
    }

    /// Takes the notices that have not been written yet.
    pub(crate) fn take_unwritten(&self) -> Vec<String> {
        let mut inner = lock(&self.0);
        std::mem::take(&mut inner.unwritten).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_holds_no_secret() {
        let diagnostics = Diagnostics::default();
        diagnostics.report("the receiver https://u:hush@h/x?key=hush refused: password=hush");
        let said = diagnostics.notices().concat();
        assert!(
            !said.contains("hush") && said.contains("/x?key=REDACTED"),
            "{said}"
        );
    }

    #[test]
    fn a_notice_is_kept_once_and_the_list_is_bounded() {
        let diagnostics = Diagnostics::default();
        for n in 0..1000 {
            diagnostics.report(format!("notice {}", n % 300));
        }
        assert_eq!(diagnostics.notices().len(), MAX_NOTICES);
        assert_eq!(diagnostics.take_unwritten().len(), MAX_NOTICES);
        assert!(diagnostics.take_unwritten().is_empty());
    }
}
