//! Thrown errors and escalations: who catches them.
//!
//! The search walks from the scope where it is thrown up to the root of the call hierarchy. In each
//! scope its event sub-processes and boundary events are candidates: a matching code before one that
//! catches all. What comes from inside an event sub-process that interrupted its scope: an error
//! goes to the calling process at once; an escalation gets as far as that scope, whose boundary
//! events still catch.

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
enum Thrown {
    Error,
    Escalation,
}

impl Thrown {
    /// The code an event of this kind catches: `None` = another kind, empty = any code.
    fn code_of(self, event: &CatchEvent) -> Option<Text> {
        match (self, event) {
            (Self::Error, CatchEvent::Error(code)) => Some(code.clone().unwrap_or_default()),
            (Self::Escalation, CatchEvent::Escalation(code)) => code.clone(),
            (Self::Error | Self::Escalation, _) => None,
        }
    }
}

/// How an instance takes part in the search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// It ends, or has ended.
    Ending,
    /// An event sub-process has interrupted it.
    Interrupted,
    Open,
}

fn standing(p: &Processing<'_>, at: &At) -> Outcome<Standing> {
    Ok(match p.state().elements.get(&at.key)? {
        Some(row) if row.is_active() && row.is_interrupted() => Standing::Interrupted,
        Some(row) if row.is_active() => Standing::Open,
        Some(_) | None => Standing::Ending,
    })
}

/// The scope around an instance, in the same process instance.
fn around(p: &Processing<'_>, at: &At) -> Outcome<Option<At>> {
    At::find(p, at.record.flow_scope_key)
}

/// The call activity whose process an instance is part of.
fn caller(p: &Processing<'_>, at: &At) -> Outcome<Option<At>> {
    At::find(p, at.record.parent_element_instance_key)
}

/// The catch event of an error thrown in the instance `from`, or the codes that would have been
/// caught.
pub(crate) fn find_error(
    p: &Processing<'_>,
    code: &Text,
    from: Key,
) -> Outcome<Result<Catch, Vec<Text>>> {
    let mut available = Vec::new();
    let mut part = At::find(p, from)?;
    while let Some(at) = part {
        if standing(p, &at)? == Standing::Ending {
            break;
        }
        part = caller(p, &at)?;
        let mut next = Some(at);
        while let Some(scope) = next {
            if standing(p, &scope)? != Standing::Open {
                break;
            }
            if let Some(event) = find_in(&scope, Thrown::Error, code, &mut available) {
                return Ok(Ok(Catch { scope, event }));
            }
            next = around(p, &scope)?;
        }
    }
    Ok(Err(available))
}

/// The catch event of an escalation thrown in the instance `from`.
pub(crate) fn find_escalation(
    p: &Processing<'_>,
    code: &Text,
    from: Key,
) -> Outcome<Option<Catch>> {
    let mut part = At::find(p, from)?;
    while let Some(at) = part {
        part = match caller(p, &at)? {
            Some(caller) if standing(p, &caller)? == Standing::Ending => None,
            caller => caller,
        };
        let mut next = Some(at);
        while let Some(scope) = next {
            if let Some(event) = find_in(&scope, Thrown::Escalation, code, &mut Vec::new()) {
                return Ok(Some(Catch { scope, event }));
            }
            next = match standing(p, &scope)? {
                Standing::Open => around(p, &scope)?,
                Standing::Interrupted | Standing::Ending => None,
            };
        }
    }
    Ok(None)
}

/// The event of a scope that catches; codes that do not fit are added to `available`, the largest
/// first.
fn find_in(at: &At, thrown: Thrown, code: &Text, available: &mut Vec<Text>) -> Option<ElementId> {
    let mut candidates = Vec::new();
    for id in &at.element().waits_for {
        if let Some(CatchEventRef::Event(event)) = at.process()[*id].catch_event()
            && let Some(known) = thrown.code_of(event)
        {
            candidates.push((known, *id));
        }
    }
    candidates.sort_by(|(one, _), (other, _)| other.as_bytes().cmp(one.as_bytes()));
    for (known, id) in candidates {
        if known.is_empty() || known == *code {
            return Some(id);
        }
        available.push(known);
    }
    None
}

/// Whether the scope of a catch event still accepts it.
pub(crate) fn accepts(p: &Processing<'_>, catch: &Catch) -> Outcome<bool> {
    let id = &catch.scope.process()[catch.event].id;
    triggers::accepts(p, &catch.scope, id)
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
