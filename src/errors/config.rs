/// When a captured error takes a backtrace along, which costs ten times the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Backtraces {
    /// For the first five errors of one type at one place, and for all where `RUST_LIB_BACKTRACE` or
    /// `RUST_BACKTRACE` is set and not `0`.
    #[default]
    First,
    /// For every one.
    All,
    /// For none.
    Off,
}

/// What is captured with an error, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ErrorsConfig {
    /// When a backtrace is taken.
    pub backtraces: Backtraces,
}

impl ErrorsConfig {
    /// When a backtrace is taken. Default: [`Backtraces::First`].
    #[must_use]
    pub fn backtraces(mut self, backtraces: Backtraces) -> Self {
        self.backtraces = backtraces;
        self
    }
}
