//! The one error type that crosses the boundary between host and plugin.

use std::fmt;

/// `Result` with the SDK's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong; decides the host's exit code and what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A configuration value is unknown, ill-typed or out of range: the user's to mend (exit code 2).
    Configuration,
    /// A file or tensor is missing, malformed or inconsistent (exit code 1).
    Data,
    /// The metric has no value on this input, for instance one class only; never reported as NaN.
    Undefined,
    /// The operation is not offered.
    Unsupported,
    /// The user asked to stop.
    Cancelled,
    /// Anything else that failed.
    Failed,
}

/// An error as a user reads it: what went wrong, what led to it, and what to do next.
///
/// Messages are lower case without a full stop, with literals in backticks. The parts are plain text so that they
/// cross a C boundary unchanged.
///
/// ```
/// use metricopt_sdk::{Error, ErrorKind};
///
/// let error = Error::data("`train.csv` line 7: expected 14 columns, found 13")
///     .hint("check the line for a missing separator")
///     .context("reading the training data");
/// assert_eq!(error.kind(), ErrorKind::Data);
/// assert_eq!(
///     error.to_string(),
///     "reading the training data: `train.csv` line 7: expected 14 columns, found 13"
/// );
/// assert_eq!(error.hints(), ["check the line for a missing separator"]);
/// ```
#[derive(Clone, Debug, thiserror::Error)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    backtrace: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            backtrace: None,
        }
    }

    /// A configuration value is unknown, ill-typed or out of range.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    /// A file or tensor is missing, malformed or inconsistent.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// The metric has no value on this input.
    pub fn undefined(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Undefined, message)
    }

    /// The operation is not offered.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// The user asked to stop.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// Anything else that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// Adds what the user can do next; shown on a line of its own.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Adds what led to it, with all that led to that; each is shown on a line of its own.
    ///
    /// ```
    /// use metricopt_sdk::Error;
    ///
    /// let failed = std::fs::read("/no/such/file").unwrap_err();
    /// let error = Error::data("cannot read the class weights").caused_by(&failed);
    /// assert!(error.causes()[0].contains("No such file"));
    /// ```
    #[must_use]
    pub fn caused_by(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let chain = std::iter::successors(Some(cause), |cause| cause.source());
        self.causes.extend(chain.map(ToString::to_string));
        self
    }

    /// Replaces the parts that came over a C boundary as text.
    pub(crate) fn with_parts(
        mut self,
        causes: Vec<String>,
        hints: Vec<String>,
        backtrace: Option<String>,
    ) -> Self {
        self.causes = causes;
        self.hints = hints;
        self.backtrace = backtrace;
        self
    }

    /// What led to it, from the near to the far.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Where it panicked, if it did and `RUST_BACKTRACE` asked for it.
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do next, in the order added.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

#[cfg(feature = "torch")]
impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        // libtorch appends its C++ stack after the first line; a user can do nothing with it.
        let message = error.to_string();
        let first = message.lines().next().unwrap_or("unknown error").to_owned();
        Self::failed(format!("libtorch: {first}"))
    }
}
