//! The error type of this crate.

use std::error::Error as StdError;
use std::fmt;

/// An error from setting up, serving or shutting down a monitor.
///
/// Recording functions never return this type: records that they drop are counted. A configuration error lists every
/// problem that was found, one per line, with secrets redacted.
///
/// # Design
///
/// The type is opaque, so that a new cause is not a breaking change. Classify an error with the `is_*` methods.
/// `Display` prints this error with its problems, and [`source`](StdError::source) returns its cause. `Debug` prints both,
/// since that is what a `main` that returns the error shows. None of these texts is stable.
///
/// ```
/// let error = watchpost::Monitor::builder("").build().unwrap_err();
/// assert!(error.is_config());
/// assert_eq!(error.problems().len(), 1);
/// ```
pub struct Error(Box<ErrorParts>);

struct ErrorParts {
    kind: Category,
    message: String,
    problems: Vec<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    Config,
    Io,
    Runtime,
    Query,
    Reader,
    ErrorGroup,
    #[cfg(feature = "alerts")]
    Alert,
}

impl Error {
    /// Creates an error that lists every problem of a configuration.
    #[cold]
    pub(crate) fn config(problems: Vec<String>) -> Self {
        let message = match problems.len() {
            1 => "the configuration has 1 problem".to_owned(),
            n => format!("the configuration has {n} problems"),
        };
        Self(Box::new(ErrorParts {
            kind: Category::Config,
            message,
            problems,
            source: None,
        }))
    }

    /// Creates an error for an operation that failed: `doing` describes it, `source` is the cause.
    #[cold]
    pub(crate) fn io(doing: impl Into<String>, source: std::io::Error) -> Self {
        let message = doing.into();
        let source = Some(source.into());
        Self(Box::new(ErrorParts {
            kind: Category::Io,
            message,
            problems: Vec::new(),
            source,
        }))
    }

    /// Creates an error for a blocking call inside an asynchronous runtime.
    #[cold]
    pub(crate) fn inside_runtime(call: &str, instead: &str) -> Self {
        let message =
            format!("`{call}` would block this asynchronous runtime's thread: await `{instead}`");
        Self(Box::new(ErrorParts {
            kind: Category::Runtime,
            message,
            problems: Vec::new(),
            source: None,
        }))
    }

    /// Creates an error for a query that is invalid.
    #[cold]
    pub(crate) fn query(problem: &str) -> Self {
        Self(Box::new(ErrorParts {
            kind: Category::Query,
            message: format!("the query is invalid: {problem}"),
            problems: Vec::new(),
            source: None,
        }))
    }

    /// Creates an error for a query that is invalid, as its parser describes it.
    #[cold]
    pub(crate) fn invalid_query(problem: &dyn fmt::Display) -> Self {
        Self(Box::new(ErrorParts {
            kind: Category::Query,
            message: problem.to_string(),
            problems: Vec::new(),
            source: None,
        }))
    }

    /// Creates an error for a valid query whose result could not be read: `problem` is a whole sentence.
    #[cold]
    pub(crate) fn reader(problem: impl Into<String>) -> Self {
        Self(Box::new(ErrorParts {
            kind: Category::Reader,
            message: problem.into(),
            problems: Vec::new(),
            source: None,
        }))
    }

    /// Creates an error for a rule, a silence, an objective or a job that is invalid: `problem` is a whole sentence.
    #[cfg(feature = "alerts")]
    #[cold]
    pub(crate) fn alert(problem: &str) -> Self {
        Self(Box::new(ErrorParts {
            kind: Category::Alert,
            message: problem.to_owned(),
            problems: Vec::new(),
            source: None,
        }))
    }

    /// Creates an error for a change of an error group that is not possible: `problem` is a whole sentence.
    #[cold]
    pub(crate) fn error_group(problem: &str) -> Self {
        Self(Box::new(ErrorParts {
            kind: Category::ErrorGroup,
            message: problem.to_owned(),
            problems: Vec::new(),
            source: None,
        }))
    }

    /// Returns whether an error group does not exist, or cannot be changed as requested.
    pub fn is_error_group(&self) -> bool {
        self.0.kind == Category::ErrorGroup
    }

    /// Returns whether a rule, a silence, an objective or a background job is invalid, or one too many.
    #[cfg(feature = "alerts")]
    pub fn is_alert(&self) -> bool {
        self.0.kind == Category::Alert
    }

    /// Returns whether the result of a valid query could not be read, such as from a Prometheus server that does not
    /// answer. The same query may succeed later.
    pub fn is_reader(&self) -> bool {
        self.0.kind == Category::Reader
    }

    /// Returns whether a query is invalid, such as one of the history.
    pub fn is_query(&self) -> bool {
        self.0.kind == Category::Query
    }

    /// Returns whether the configuration is invalid; [`problems`](Self::problems) lists the reasons.
    pub fn is_config(&self) -> bool {
        self.0.kind == Category::Config
    }

    /// Returns whether an operating system call failed, such as starting a thread, binding a socket or opening a file.
    pub fn is_io(&self) -> bool {
        self.0.kind == Category::Io
    }

    /// Returns whether a blocking method was called on a thread of an asynchronous runtime, which it would have
    /// blocked.
    pub fn is_inside_runtime(&self) -> bool {
        self.0.kind == Category::Runtime
    }

    /// Returns the problems of an invalid configuration, each with its key, its redacted value, its source and the fix.
    /// Empty for other errors.
    pub fn problems(&self) -> &[String] {
        &self.0.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        self.0
            .problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `main` prints the `Debug` form of an error that it returns.
        fmt::Display::fmt(self, f)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

/// A `Result` whose error type defaults to this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
