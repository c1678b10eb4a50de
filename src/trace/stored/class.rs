use crate::model::KeepReason;

/// Traces whose files are removed together. Each class has its own files: when the limit is reached, the class with most bytes
/// gives way, so that many samples do not take the room of a few failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TraceClass {
    /// Tail sampling kept them because something failed.
    Failed,
    /// Tail sampling kept them because they were slow.
    Slow,
    /// Head sampling selected them.
    Sampled,
}

impl TraceClass {
    /// Every class, in the order of [`index`](Self::index).
    pub(super) const ALL: [Self; 3] = [Self::Failed, Self::Slow, Self::Sampled];

    pub(super) fn of(kept: KeepReason) -> Self {
        use KeepReason::{Captured, Error, Head, Panic, Parent, Slow, Timeout};

        match kept {
            Panic | Timeout | Error | Captured => Self::Failed,
            Slow => Self::Slow,
            Parent | Head => Self::Sampled,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The end of the name of each file. The first version of the format had one class for all.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Failed => "",
            Self::Slow => "-slow",
            Self::Sampled => "-sampled",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_their_index_and_names_of_their_own() {
        for (index, class) in TraceClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            let others = TraceClass::ALL.into_iter().filter(|other| *other != class);
            assert!(
                others
                    .into_iter()
                    .all(|other| other.suffix() != class.suffix())
            );
        }
    }
}
