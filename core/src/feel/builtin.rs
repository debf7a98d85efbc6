//! The registry of built-in functions: name, parameters, code.
//!
//! A name may have several forms with different parameters; the first that fits the number or the
//! names of the arguments is taken, when the expression is compiled. Each file of the folder owns
//! one group and lists it as `FUNCTIONS`. The code of a function looks at its arguments by pattern
//! and gives [`Refusal::Arguments`] for anything it does not expect, null included.
//!
//! Nothing here reads a clock or draws entropy: both come with the evaluation.

mod boolean;
mod context;
mod convert;
mod engine;
mod list;
mod number;
mod pattern;
mod range;
mod statistic;
mod string;
mod temporal;

use super::ast::Arguments;
use super::eval::{Fatal, Interpreter, Outcome, Refusal};
use super::value::Value;

pub(super) use pattern::Patterns;

/// Code of a built-in function.
type Code = for<'e> fn(&mut Interpreter<'e>, &[Value<'e>]) -> Outcome<'e>;

/// One form of a built-in function.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [&'static str],
    /// Whether the last parameter takes all further arguments as a list.
    pub(super) variadic: bool,
    pub(super) call: Code,
}

const fn fixed(name: &'static str, parameters: &'static [&'static str], call: Code) -> Builtin {
    Builtin {
        name,
        parameters,
        variadic: false,
        call,
    }
}

const fn variadic(name: &'static str, parameters: &'static [&'static str], call: Code) -> Builtin {
    Builtin {
        name,
        parameters,
        variadic: true,
        call,
    }
}

static GROUPS: [&[Builtin]; 10] = [
    boolean::FUNCTIONS,
    context::FUNCTIONS,
    convert::FUNCTIONS,
    engine::FUNCTIONS,
    list::FUNCTIONS,
    number::FUNCTIONS,
    range::FUNCTIONS,
    statistic::FUNCTIONS,
    string::FUNCTIONS,
    temporal::FUNCTIONS,
];

impl Builtin {
    fn accepts(&self, arguments: &Arguments) -> bool {
        match arguments {
            Arguments::Positional(values) => {
                self.parameters.len() == values.len()
                    || (self.variadic && self.parameters.len() < values.len())
            }
            Arguments::Named(values) => values
                .iter()
                .all(|(name, _)| self.parameters.contains(&&**name)),
        }
    }
}

/// Number of the function of a name that takes these arguments.
pub(super) fn find(name: &str, arguments: &Arguments) -> Option<u16> {
    for (group, functions) in GROUPS.iter().enumerate() {
        for (index, function) in functions.iter().enumerate() {
            if function.name == name && function.accepts(arguments) {
                return u16::try_from(group << 8 | index).ok();
            }
        }
    }
    None
}

/// The function of a number that [`find`] gave.
pub(super) fn get(number: u16) -> &'static Builtin {
    &GROUPS[usize::from(number >> 8)][usize::from(number & 0xff)]
}

fn message<'e>(text: impl Into<String>) -> Outcome<'e> {
    Err(Refusal::Message(text.into()))
}

/// Ends the evaluation with what the reference's runtime says.
fn thrown<'e>(text: impl Into<Box<str>>) -> Outcome<'e> {
    Err(Refusal::Trouble(Fatal::Thrown(text.into()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_functions_fit() {
        assert!(GROUPS.iter().all(|group| group.len() < 256));
        let none = Arguments::Positional(Box::default());
        assert_eq!(get(find("now", &none).unwrap()).name, "now");
        assert_eq!(find("no such function", &none), None);
    }

    #[test]
    fn no_form_is_listed_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for function in GROUPS.iter().flat_map(|group| group.iter()) {
            assert!(
                seen.insert((function.name, function.parameters)),
                "{}",
                function.name
            );
        }
    }
}
