//! Which recipients need not get a mail again.

use std::collections::VecDeque;

/// The maximum number of mails that are remembered.
const MAX_MAILS: usize = 64;
/// A mail that somebody has is sent so many times more to recipients that are refused for now: within about 13 minutes.
pub(super) const MAX_ATTEMPTS: u32 = 10;

/// What became of the recipients of a mail that not all of them have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PartDelivery {
    /// The indexes of those that have it, or that were refused for good.
    pub(super) settled: Vec<usize>,
    /// Whether somebody has the mail.
    pub(super) has_it: bool,
    /// The number of attempts since somebody has it.
    pub(super) attempts: u32,
}

/// The latest mails that some recipients have and others not. They are forgotten with the process: then all get the mail again,
/// with the same `Message-ID`.
#[derive(Debug, Default)]
pub(super) struct PartDeliveries(VecDeque<(String, PartDelivery)>);

impl PartDeliveries {
    /// Counts an attempt, and returns what is known of the mail. It stays known: the attempt may be cancelled.
    pub(super) fn begin(&mut self, id: &str) -> PartDelivery {
        let found = self.0.iter_mut().find(|(other, _)| other == id);
        let Some((_, part)) = found else {
            return PartDelivery::default();
        };
        part.attempts = part.attempts.saturating_add(u32::from(part.has_it));
        part.clone()
    }

    /// Forgets a mail that is not sent again.
    pub(super) fn remove(&mut self, id: &str) {
        self.0.retain(|(other, _)| other != id);
    }

    pub(super) fn put(&mut self, id: &str, part: PartDelivery) {
        self.remove(id);
        if self.0.len() >= MAX_MAILS {
            self.0.pop_front();
        }
        self.0.push_back((id.to_owned(), part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_kept_until_it_is_removed() {
        let mut parts = PartDeliveries::default();
        for number in 0..1000 {
            let part = PartDelivery {
                settled: vec![number],
                has_it: true,
                attempts: 0,
            };
            parts.put(&number.to_string(), part);
        }
        assert_eq!(parts.0.len(), MAX_MAILS);
        assert_eq!(parts.begin("0"), PartDelivery::default());
        for attempts in [1, 2] {
            let part = parts.begin("999");
            assert_eq!((&*part.settled, part.attempts), (&[999][..], attempts));
        }
        parts.put("999", PartDelivery::default());
        assert_eq!(parts.0.len(), MAX_MAILS);
        parts.remove("999");
        assert_eq!(parts.begin("999"), PartDelivery::default());
    }
}
