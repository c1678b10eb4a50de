//! Which recipients need not get a mail again.

use std::collections::VecDeque;

/// The maximum number of mails that are remembered.
const MAX_MAILS: usize = 64;
/// A mail is sent so many times to recipients that are refused for now: within about 13 minutes.
pub(super) const MAX_ATTEMPTS: u32 = 10;

/// What became of the recipients of a mail that not all of them have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PartDelivery {
    /// The indexes of those that have it, or that were refused for good.
    pub(super) settled: Vec<usize>,
    /// Whether somebody has the mail.
    pub(super) has_it: bool,
    /// The number of attempts.
    pub(super) attempts: u32,
}

/// The latest mails that some recipients have and others not. They are forgotten with the process: then all get the mail again,
/// with the same `Message-ID`.
#[derive(Debug, Default)]
pub(super) struct PartDeliveries(VecDeque<(String, PartDelivery)>);

impl PartDeliveries {
    /// Takes what is known of a mail.
    pub(super) fn take(&mut self, id: &str) -> PartDelivery {
        let found = self.0.iter().position(|(other, _)| other == id);
        let found = found.and_then(|at| self.0.remove(at));
        found.map(|(_, part)| part).unwrap_or_default()
    }

    pub(super) fn put(&mut self, id: &str, part: PartDelivery) {
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
    fn what_is_remembered_is_bounded_and_taken_once() {
        let mut parts = PartDeliveries::default();
        for number in 0..1000 {
            let part = PartDelivery {
                settled: vec![number],
                has_it: true,
                attempts: 1,
            };
            parts.put(&number.to_string(), part);
        }
        assert_eq!(parts.0.len(), MAX_MAILS);
        assert_eq!(parts.take("0"), PartDelivery::default());
        assert_eq!(parts.take("999").settled, [999]);
        assert_eq!(parts.take("999"), PartDelivery::default());
    }
}
