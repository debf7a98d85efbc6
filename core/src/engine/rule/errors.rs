//! Thrown errors and escalations: who catches them.
//!
//! The search walks from the scope where the error is thrown up to the root of the call hierarchy.
//! In each scope its event sub-processes and boundary events are candidates: a matching code before
//! one that catches all. A catch event that its scope no longer accepts does not catch.

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::At;
use crate::engine::output::Processing;
use crate::engine::rule::triggers;
use crate::ids::Key;
use crate::model::{CatchEvent, CatchEventRef, ElementId};
use crate::record::value::ErrorType;
use crate::record::{Document, Text};

/// A catch event, in the instance that waits for it.
pub(crate) struct Catch {
    pub(crate) scope: At,
    pub(crate) event: ElementId,
}

/// What is thrown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Thrown {
    Error,
    Escalation,
}

impl Thrown {
    /// The code an event of this kind catches: `None` = another kind, empty = any code.
    fn code_of(self, event: &CatchEvent) -> Option<Text> {
        match (self, event) {
            (Self::Error, CatchEvent::Error(code))
            | (Self::Escalation, CatchEvent::Escalation(code)) => {
                Some(code.clone().unwrap_or_default())
            }
            (Self::Error | Self::Escalation, _) => None,
        }
    }
}

/// The catch event of an error thrown in the instance `from`, or the codes that would have been
/// caught.
pub(crate) fn find_catch(
    p: &Processing<'_>,
    code: &Text,
    from: Key,
) -> Outcome<Result<Catch, Vec<Text>>> {
    find(p, Thrown::Error, code, from)
}

/// As [`find_catch`], for anything that is thrown.
pub(crate) fn find(
    p: &Processing<'_>,
    thrown: Thrown,
    code: &Text,
    from: Key,
) -> Outcome<Result<Catch, Vec<Text>>> {
    let mut available = Vec::new();
    let mut next = At::find(p, from)?;
    while let Some(at) = next {
        let row = p.state().elements.get(&at.key)?;
        let open = row.is_some_and(|row| row.is_active() && !row.is_interrupted());
        if open {
            let event = find_in(&at, thrown, code, &mut available);
            if let Some(event) = event {
                let id = &at.process()[event].id;
                if p.state().accepts_event(at.key, id)? {
                    return Ok(Ok(Catch { scope: at, event }));
                }
            }
        }
        next = at.container(p)?;
    }
    Ok(Err(available))
}

fn find_in(at: &At, thrown: Thrown, code: &Text, available: &mut Vec<Text>) -> Option<ElementId> {
    let mut all = None;
    for id in &at.element().waits_for {
        let Some(CatchEventRef::Event(event)) = at.process()[*id].catch_event() else {
            continue;
        };
        let Some(known) = thrown.code_of(event) else {
            continue;
        };
        if known.is_empty() {
            all = all.or(Some(*id));
        } else if known == *code {
            return Some(*id);
        } else {
            available.push(known);
        }
    }
    all
}

/// Lets a catch event catch.
pub(crate) fn throw(p: &mut Processing<'_>, catch: &Catch, variables: Document) -> Outcome {
    triggers::trigger(p, &catch.scope, catch.event, variables)
}

/// The failure of an error that nobody catches.
pub(crate) fn uncaught(code: &str, available: &[Text]) -> Stop {
    let mut message =
        format!("Expected to throw an error event with the code '{code}', but it was not caught.");
    message.push_str(&available_codes(available));
    Failure::new(ErrorType::UnhandledErrorEvent, message).into()
}

/// Sentence about the codes that would have been caught.
pub(crate) fn available_codes(available: &[Text]) -> String {
    if available.is_empty() {
        return " No error events are available in the scope.".to_owned();
    }
    let codes: Vec<&str> = available.iter().map(Text::as_str).collect();
    format!(" Available error events are [{}]", codes.join(", "))
}
