//! Rules of expressions: what must be FEEL, what must parse, what a static value must look like.
//!
//! Static timers, and all values of events that start processes (which see no variables), are
//! evaluated here, so that a mistyped one is refused instead of becoming an incident. Whether their due time can be represented is tried from [`REFERENCE_TIME`], because
//! the engine may not look at a clock.

use jiff::tz::TimeZone;

use super::Check;
use crate::feel::{Environment, Expression, NoVariables, ResultType, WARNINGS_LEAD, warnings_text};
use crate::ids::Timestamp;
use crate::model::expression::{Code, Expr};
use crate::model::parse::{Xml, child_content, content};
use crate::schedule::{Cycle, Interval, ScheduleError, date};

/// 2040-01-01: a due time that overflows from here is refused.
const REFERENCE_TIME: Timestamp = Timestamp(2_208_988_800_000);

/// Steps an evaluation at deployment may take.
const STEP_BUDGET: u32 = 100_000;

const RESERVED: [&str; 11] = [
    "null", "true", "false", "function", "if", "then", "else", "for", "between", "instance", "of",
];

impl<'a> Check<'_, 'a> {
    /// Parses an attribute; a static value is handed back.
    fn parsed(&mut self, source: &str) -> Option<Expr> {
        match Expr::parse(source) {
            Ok(expr) => Some(expr),
            Err(error) => {
                self.expression_error(error.to_string());
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

    /// An attribute whose expression the reference reads only when it is needed, and this engine at
    /// once.
    pub(super) fn readable(&mut self, source: Option<&str>) {
        if let Some(Err(error)) = source.map(Expr::parse) {
            self.error(error.to_string());
        }
    }

    /// An attribute that may be static or FEEL.
    pub(super) fn expression(&mut self, source: Option<&str>) {
        if source.is_none() {
            self.expression_error("Expected expression but not found.");
        }
        self.optional_expression(source);
    }

    /// An attribute that may be absent, otherwise FEEL.
    pub(super) fn feel(&mut self, source: Option<&str>) {
        let Some(source) = source else { return };
        if self.parsed(source).is_some_and(|expr| expr.is_static()) {
            self.expression_error(format!(
                "Expected expression but found static value '{source}'. An expression must start \
                 with '=' (e.g. '={source}')."
            ));
        }
    }

    /// An attribute that must be there and FEEL.
    pub(super) fn mandatory_feel(&mut self, source: Option<&str>) {
        if source.is_none() {
            self.expression_error("Expected expression but not found.");
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
            self.expression_error(format!(
                "Expected static value to {description}, but found '{source}'."
            ));
        }
    }

    /// The target of a mapping.
    pub(super) fn path(&mut self, path: Option<&str>) {
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            return self.expression_error("Expected path expression but not found.");
        };
        let name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !path.split('.').all(name) {
            self.expression_error(format!(
                "Expected path expression '{path}' but doesn't match the pattern \
                 '[a-zA-Z_][a-zA-Z0-9_]*(\\.[a-zA-Z_][a-zA-Z0-9_]*)*'."
            ));
        }
        if RESERVED.contains(&path) {
            self.expression_error(format!(
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
            return self.expression_error("Attribute 'condition' must be present and not empty");
        }
        self.feel(Some(&condition));
    }

    /// The name of a message or signal that starts a process: a string without any variable.
    pub(super) fn constant_name(&mut self, name: &str, kind: &str) {
        let Ok(expr) = Expr::parse(name) else { return };
        let found = match &expr.code {
            Code::Text => return,
            Code::Number(_) => ResultType::Number,
            Code::Feel(feel) => match Constant::of(feel) {
                Ok(constant) => constant.result_type,
                Err(problem) => {
                    let problem = problem.split(WARNINGS_LEAD).next().unwrap_or_default();
                    return self.expression_error(format!(
                        "Expected constant expression but found '{name}', which could not be \
                         evaluated without context: {problem}"
                    ));
                }
            },
        };
        if found != ResultType::String {
            self.expression_error(format!(
                "Expected constant expression of type String for {kind} name '{name}', but was \
                 {found}"
            ));
        }
    }

    /// A timer whose value is static, or that starts a process.
    pub(super) fn timer_value(&mut self, definition: Xml<'a>, starts_process: bool) {
        let [duration, cycle, date] =
            ["timeDuration", "timeCycle", "timeDate"].map(|name| child_content(definition, name));
        let (kind, source) = match (duration, cycle, date) {
            (Some(duration), _, _) => (TimerKind::Duration, duration),
            (None, Some(cycle), _) => (TimerKind::Cycle, cycle),
            (None, None, Some(date)) => (TimerKind::Date, date),
            (None, None, None) => return,
        };
        let Ok(expr) = Expr::parse(&source) else {
            return;
        };
        let problem = match &expr.code {
            Code::Text => kind.problem(&source, &source),
            Code::Number(_) => Some(kind.wrong_type(&source, ResultType::Number, "")),
            Code::Feel(feel) if starts_process => match Constant::of(feel) {
                Ok(constant) => kind.problem_of(feel.source(), &constant),
                Err(problem) => Some(problem),
            },
            Code::Feel(_) => None,
        };
        if let Some(problem) = problem {
            self.expression_error(format!(
                "Invalid timer {} expression ({problem})",
                kind.name()
            ));
        }
    }
}

/// The value of an expression that sees no variables.
struct Constant {
    result_type: ResultType,
    text: Option<String>,
    /// What to add to a message about it.
    warnings: String,
}

impl Constant {
    fn of(expression: &Expression) -> Result<Self, String> {
        let environment = Environment {
            variables: &NoVariables,
            now_millis: REFERENCE_TIME.0,
            zone: "UTC",
            random_seed: 0,
            step_budget: STEP_BUDGET,
        };
        let evaluation = expression
            .evaluate(&environment)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            result_type: evaluation.value.result_type(),
            text: evaluation.value.as_str().map(str::to_owned),
            warnings: warnings_text(&evaluation.warnings),
        })
    }
}

/// The three forms of a timer.
#[derive(Clone, Copy)]
enum TimerKind {
    Duration,
    Cycle,
    Date,
}

impl TimerKind {
    fn name(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Cycle => "cycle",
            Self::Date => "date",
        }
    }

    fn wrong_type(self, source: &str, found: ResultType, warnings: &str) -> String {
        let accepted = match self {
            Self::Duration => "one of '[DURATION, PERIOD, STRING]'",
            Self::Cycle => "'STRING'",
            Self::Date => "one of '[DATE_TIME, STRING]'",
        };
        format!(
            "Expected result of the expression '{source}' to be {accepted}, but was '{found}'.\
             {warnings}"
        )
    }

    /// What is wrong with a value.
    fn problem_of(self, source: &str, value: &Constant) -> Option<String> {
        if let Some(text) = &value.text {
            return self.problem(text, source);
        }
        let accepted = match self {
            Self::Duration => {
                matches!(value.result_type, ResultType::Duration | ResultType::Period)
            }
            Self::Cycle => false,
            Self::Date => value.result_type == ResultType::DateTime,
        };
        (!accepted).then(|| self.wrong_type(source, value.result_type, &value.warnings))
    }

    /// What is wrong with a text.
    fn problem(self, text: &str, source: &str) -> Option<String> {
        let zone = TimeZone::UTC;
        let (result, format) = match self {
            Self::Duration => {
                let due =
                    Interval::parse(text).and_then(|i| i.due(REFERENCE_TIME, &zone).map(drop));
                (due, "duration")
            }
            Self::Date => (date(text).map(drop), "date-time"),
            Self::Cycle => {
                let first =
                    Cycle::parse(text).and_then(|c| c.first(REFERENCE_TIME, &zone).map(drop));
                return first.err().map(|error| error.to_string());
            }
        };
        match result {
            Ok(()) => None,
            Err(ScheduleError::Overflow) => Some(ScheduleError::Overflow.to_string()),
            Err(ScheduleError::Invalid(_)) => Some(format!(
                "Invalid {format} format '{text}' for expression '{source}'."
            )),
        }
    }
}
