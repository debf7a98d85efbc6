//! Why settings are refused, in words that name the setting, its value and where it stood.
//!
//! Values that may hold a password are hidden before they get here. A refusal ends the start: a
//! broker never runs on a part of its settings.

use std::fmt;

/// Why settings could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    /// The file is not there, not readable, or too large.
    #[error("configuration file {path}: {reason}")]
    File {
        /// Its path.
        path: String,
        /// What went wrong, with line and column where known.
        reason: String,
    },
    /// A key that no row has.
    #[error("{origin}: unknown setting '{key}'")]
    Unknown {
        /// Where it stood.
        origin: Origin,
        /// The key.
        key: String,
    },
    /// Two names of one setting disagree.
    #[error("{origin}: '{first}' and '{second}' are the same setting ({name}) but differ")]
    Conflict {
        /// Where they stood.
        origin: Origin,
        /// One name.
        first: String,
        /// The other.
        second: String,
        /// The name in the table.
        name: &'static str,
    },
    /// What should be there from the start is not said as it should be.
    #[error("settings below security.initialization: {0}")]
    Initialization(String),
    /// The listeners of all user tasks are not said as they should be.
    #[error("settings below cluster.global-listeners: {0}")]
    Listeners(String),
    /// An argument of an exporter that does not fit.
    #[error("setting '{key}' is '{value}' ({origin}) but must be {expected}")]
    Argument {
        /// Its name as written.
        key: String,
        /// The value.
        value: String,
        /// Where it came from.
        origin: Origin,
        /// Form or range.
        expected: String,
    },
    /// A value that does not fit.
    #[error("setting '{name}' is '{value}' ({origin}) but must be {expected}")]
    Invalid {
        /// The name in the table.
        name: &'static str,
        /// The value.
        value: String,
        /// Where it came from.
        origin: Origin,
        /// Form or range.
        expected: String,
    },
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// The table.
    Default,
    /// The configuration file.
    File(String),
    /// The environment.
    Environment,
    /// The command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "configuration file {path}"),
            Self::Environment => f.write_str("environment"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}
