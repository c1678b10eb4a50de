//! The crate's error.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong while a monitor was set up, served or shut down.
///
/// The hot path never returns this type: what is dropped there is counted. An error of a bad
/// configuration lists every problem that was found, one a line, with secrets masked.
///
/// # Design
///
/// The type is opaque, so that a new cause is no breaking change: ask it with the predicates. Its
/// `Display` prints this level alone and [`source`](StdError::source) the level below; neither text
/// is stable.
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
}

impl Error {
    /// Every problem of a configuration at once.
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

    /// `doing` could not be done; `source` says why.
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

    /// A blocking call inside an asynchronous runtime.
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

    /// Whether the configuration was refused; [`problems`](Self::problems) lists why.
    pub fn is_config(&self) -> bool {
        self.0.kind == Category::Config
    }

    /// Whether the operating system refused something: a thread, a socket, a file.
    pub fn is_io(&self) -> bool {
        self.0.kind == Category::Io
    }

    /// Whether a blocking call was made where it would have blocked an asynchronous runtime.
    pub fn is_inside_runtime(&self) -> bool {
        self.0.kind == Category::Runtime
    }

    /// The problems of a refused configuration, each with its key, its masked value, where it came
    /// from and what to write instead. Empty for other errors.
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
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("problems", &self.0.problems)
            .field("source", &self.0.source)
            .finish()
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

/// A `Result` with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
