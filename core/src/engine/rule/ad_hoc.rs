//! Ad-hoc sub-processes: how an activity in one starts, and how one ends.
//!
//! Each activation gets an inner instance, a variable scope of its own, which is created by its
//! events alone: it does not know which activity it is for. Flows inside go on in the inner instance.

use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::model::{self, Behavior, ElementId};
use crate::record::intent::of;
use crate::record::value::{ErrorType, ProcessInstanceRecord};
use crate::record::{Document, RawValue, RejectionType, Text};

/// What the model says about the ad-hoc sub-process `at`.
pub(crate) fn model(at: &At) -> Outcome<&model::AdHoc> {
    if let Behavior::AdHoc(ad_hoc) = &at.element().behavior {
        return Ok(ad_hoc);
    }
    Err(Stop::fault(format!(
        "'{}' is no ad-hoc sub-process",
        at.record.element_id
    )))
}

/// The activities called `ids`, or why they cannot be activated.
pub(crate) fn activities(at: &At, ids: &[Text]) -> Outcome<Result<Vec<ElementId>, String>> {
    let ad_hoc = model(at)?;
    let find = |id: &Text| {
        let known = ad_hoc.activities.iter();
        known.copied().find(|known| at.process()[*known].id == *id)
    };
    let unknown: Vec<&str> = ids
        .iter()
        .filter(|id| find(id).is_none())
        .map(Text::as_str)
        .collect();
    if unknown.is_empty() {
        return Ok(Ok(ids.iter().filter_map(find).collect()));
    }
    Ok(Err(format!(
        "Expected to activate activities for ad-hoc sub-process with key '{}', but the given elements [{}] do not exist.",
        at.key,
        unknown.join(", ")
    )))
}

/// As [`activities`], for a command that names them.
pub(crate) fn require(at: &At, ids: &[Text]) -> Outcome<Vec<ElementId>> {
    activities(at, ids)?.map_err(|reason| Stop::reject(RejectionType::NotFound, reason))
}

/// As [`activities`], for the sub-process that evaluated them.
pub(crate) fn expect(at: &At, ids: &[Text]) -> Outcome<Vec<ElementId>> {
    activities(at, ids)?.map_err(|reason| Failure::new(ErrorType::ExtractValueError, reason).into())
}

/// Creates an inner instance and asks for its activity.
pub(crate) fn activate(
    p: &mut Processing<'_>,
    at: &At,
    activity: ElementId,
    variables: &Document,
) -> Outcome {
    let ad_hoc = model(at)?;
    let process = at.process();
    let inner = At {
        key: p.next_key(),
        record: at.child(&process[ad_hoc.inner]).into(),
        definition: at.definition.clone(),
        id: ad_hoc.inner,
    };
    lifecycle::activating(p, &inner)?;
    lifecycle::activated(p, &inner)?;
    let result = ad_hoc.output.as_ref();
    if let Some(name) = result.and_then(|output| output.element_variable.as_ref()) {
        variables::set_local(p, &inner, name.clone(), RawValue::EMPTY)?;
    }
    variables::merge_local(p, inner.key, &Owner::of(&inner.record), variables)?;
    let record: ProcessInstanceRecord = inner.child(&process[activity]);
    let key = p.next_key();
    p.command(key, of::ProcessInstance::ActivateElement, record)
}

/// Variable that describes what can be activated.
pub(crate) const ELEMENTS_VARIABLE: &str = "adHocSubProcessElements";

/// The sub-process is one of another definition now, in which other activities can be activated.
pub(crate) fn describe_again(p: &mut Processing<'_>, at: &At) -> Outcome {
    let Behavior::AdHoc(ad_hoc) = &at.element().behavior else {
        return Ok(());
    };
    let name = Text::from(ELEMENTS_VARIABLE);
    if p.state().variables.get(&at.key, &name)?.is_none() {
        return Ok(());
    }
    variables::set_local(p, at, name, ad_hoc.elements.clone())
}

/// Asks for the termination of everything active in the sub-process.
pub(crate) fn terminate_inner(p: &mut Processing<'_>, at: &At) -> Outcome {
    for child in p.state().children.members(&at.key)? {
        let Some(row) = p.state().elements.get(&child)? else {
            continue;
        };
        if row.can_terminate() {
            let record = row.record.clone();
            p.command(child, of::ProcessInstance::TerminateElement, record)?;
        }
    }
    Ok(())
}

/// The sub-process is done: it completes as soon as nothing is active in it, which `cancel` brings
/// about.
pub(crate) fn fulfilled(p: &mut Processing<'_>, at: &At, cancel: bool) -> Outcome {
    if lifecycle::can_complete(p, at)? {
        return lifecycle::ask_complete(p, at);
    }
    if cancel {
        return terminate_inner(p, at);
    }
    Ok(())
}
