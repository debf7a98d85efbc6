//! Rules of expressions: what must be FEEL, what must parse, what a static value must look like.
//!
//! Static timers are evaluated here, so that a mistyped one is refused instead of becoming an
//! incident. Whether their due time can be represented is tried from [`REFERENCE_TIME`], because
//! the engine may not look at a clock.

use jiff::tz::TimeZone;

use super::Check;
use crate::ids::Timestamp;
use crate::model::element_type::Tag;
use crate::model::expression::{Code, Expr};
use crate::model::parse::{Xml, child_content, content};
use crate::schedule::{Cycle, Interval, ScheduleError, date};

/// 2040-01-01: a due time that overflows from here is refused.
const REFERENCE_TIME: Timestamp = Timestamp(2_208_988_800_000);

const RESERVED: [&str; 11] = [
    "null", "true", "false", "function", "if", "then", "else", "for", "between", "instance", "of",
];

impl<'a> Check<'_, 'a> {
    /// Parses an attribute; a static value is handed back.
    fn parsed(&mut self, source: &str) -> Option<Expr> {
        match Expr::parse(source) {
            Ok(expr) => Some(expr),
            Err(error) => {
                self.error(format!(
                    "failed to parse expression '{}': {error}",
                    source.strip_prefix('=').unwrap_or(source)
                ));
                None
            }
        }
    }

    /// An attribute that may be absent, static or FEEL.
    pub(super) fn optional_expression(&mut self, source: Option<&str>) {
        if let Some(source) = source {
            self.parsed(source);
        }
    }

    /// An attribute that may be static or FEEL.
    pub(super) fn expression(&mut self, source: Option<&str>) {
        if source.is_none() {
            self.error("Expected expression but not found.");
        }
        self.optional_expression(source);
    }

    /// An attribute that may be absent, otherwise FEEL.
    pub(super) fn feel(&mut self, source: Option<&str>) {
        let Some(source) = source else { return };
        if self.parsed(source).is_some_and(|expr| expr.is_static()) {
            self.error(format!(
                "Expected expression but found static value '{source}'. An expression must start \
                 with '=' (e.g. '={source}')."
            ));
        }
    }

    /// An attribute that must be there and FEEL.
    pub(super) fn mandatory_feel(&mut self, source: Option<&str>) {
        if source.is_none() {
            self.error("Expected expression but not found.");
        }
        self.feel(source);
    }

    /// A static value that must look like something.
    pub(super) fn static_value(
        &mut self,
        source: Option<&str>,
        accepted: impl Fn(&Expr) -> bool,
        description: &str,
    ) {
        let Some(source) = source else { return };
        let Some(expr) = self.parsed(source) else {
            return;
        };
        if expr.is_static() && !accepted(&expr) {
            self.error(format!(
                "Expected static value to {description}, but found '{source}'."
            ));
        }
    }

    /// The target of a mapping.
    pub(super) fn path(&mut self, path: Option<&str>) {
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            return self.error("Expected path expression but not found.");
        };
        let name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !path.split('.').all(name) {
            self.error(format!(
                "Expected path expression '{path}' but doesn't match the pattern \
                 '[a-zA-Z_][a-zA-Z0-9_]*(\\.[a-zA-Z_][a-zA-Z0-9_]*)*'."
            ));
        }
        if RESERVED.contains(&path) {
            self.error(format!(
                "Expected path expression '{path}' but is one of the reserved words ({}).",
                RESERVED.join(", ")
            ));
        }
    }

    pub(super) fn condition_expression(&mut self, node: Xml<'a>) {
        self.mandatory_feel(Some(&content(node)));
    }

    pub(super) fn condition(&mut self, node: Xml<'a>) {
        let condition = content(node);
        if condition.is_empty() {
            return self.error("Attribute 'condition' must be present and not empty");
        }
        self.feel(Some(&condition));
    }

    /// The name of a message or signal that starts a process: a string without any variable.
    pub(super) fn constant_name(&mut self, name: &str, kind: &str) {
        let Ok(expr) = Expr::parse(name) else { return };
        if let Code::Number(_) = expr.code {
            self.error(format!(
                "Expected constant expression of type String for {kind} name '{name}', but was \
                 NUMBER"
            ));
        }
    }

    /// A timer whose value is static.
    pub(super) fn timer_value(&mut self, definition: Xml<'a>) {
        debug_assert_eq!(Tag::of(definition), Some(Tag::TimerEvent));
        let [duration, cycle, date] =
            ["timeDuration", "timeCycle", "timeDate"].map(|name| child_content(definition, name));
        let (kind, source, accepted) = match (duration, cycle, date) {
            (Some(duration), _, _) => ("duration", duration, "one of '[DURATION, PERIOD, STRING]'"),
            (None, Some(cycle), _) => ("cycle", cycle, "'STRING'"),
            (None, None, Some(date)) => ("date", date, "one of '[DATE_TIME, STRING]'"),
            (None, None, None) => return,
        };
        let Ok(expr) = Expr::parse(&source) else {
            return;
        };
        let problem = match expr.code {
            Code::Feel(_) => return,
            Code::Number(_) => Some(format!(
                "Expected result of the expression '{source}' to be {accepted}, but was 'NUMBER'."
            )),
            Code::Text => timer_problem(kind, &source),
        };
        if let Some(problem) = problem {
            self.error(format!("Invalid timer {kind} expression ({problem})"));
        }
    }
}

/// What is wrong with a static timer.
fn timer_problem(kind: &str, source: &str) -> Option<String> {
    let zone = TimeZone::UTC;
    let (result, format) = match kind {
        "duration" => {
            let due = Interval::parse(source).and_then(|i| i.due(REFERENCE_TIME, &zone).map(drop));
            (due, "duration")
        }
        "date" => (date(source).map(drop), "date-time"),
        _ => {
            let first = Cycle::parse(source).and_then(|c| c.first(REFERENCE_TIME, &zone).map(drop));
            return first.err().map(|error| error.to_string());
        }
    };
    match result {
        Ok(()) => None,
        Err(ScheduleError::Overflow) => Some(ScheduleError::Overflow.to_string()),
        Err(ScheduleError::Invalid(_)) => Some(format!(
            "Invalid {format} format '{source}' for expression '{source}'"
        )),
    }
}
