//! Ad-hoc sub-process: activities without order, chosen at run time.
//!
//! Two implementations: the engine activates what a collection names and looks at a completion
//! condition; or a job worker decides, with a job whenever the sub-process activates or one of its
//! activities ended. Both take more activities from clients while they are active.

use crate::engine::element::{self, Element, Termination};
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::jobs::Properties;
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{
    ad_hoc, compensation, event_expressions, expressions, incidents, jobs, subscriptions,
    variable_mapping,
};
use crate::model::Job;
use crate::msgpack::{self, Reader};
use crate::record::value::{ErrorType, JobKind};
use crate::record::{Document, RawValue, Text};

/// An ad-hoc sub-process.
pub(super) struct AdHocSubProcess;

impl Element for AdHocSubProcess {
    fn prepare(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let model = ad_hoc::model(at)?;
        let elements = Text::from(ad_hoc::ELEMENTS_VARIABLE);
        variables::set_local(p, at, elements, model.elements.clone())?;
        if let Some(output) = &model.output {
            let mut empty = Vec::new();
            msgpack::write_array_header(&mut empty, 0);
            variables::set_local(p, at, output.collection.clone(), RawValue::from(empty))?;
        }
        variable_mapping::inputs(p, at)
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let model = ad_hoc::model(at)?;
        if let Some(job) = &model.job {
            let properties = properties(p, at, job)?;
            subscriptions::open(p, at)?;
            jobs::create(p, at, properties)?;
            return lifecycle::activated(p, at);
        }
        let ids = match &model.active_elements {
            Some(collection) => event_expressions::texts(p, collection, at.key)
                .map_err(|stop| explain(stop, "Failed to activate ad-hoc elements. "))?,
            None => Vec::new(),
        };
        let activities = ad_hoc::expect(at, &ids)?;
        subscriptions::open(p, at)?;
        lifecycle::activated(p, at)?;
        for activity in activities {
            ad_hoc::activate(p, at, activity, &Document::EMPTY)?;
        }
        Ok(())
    }

    fn leave(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        if let Some(output) = &ad_hoc::model(at)?.output
            && let Some(row) = p.state().variables.get(&at.key, &output.collection)?
        {
            let gathered = std::iter::once((&output.collection, &row.value));
            let document = crate::state::variable::document(gathered);
            let owner = Owner::of(&at.record);
            variables::merge(p, at.record.flow_scope_key, &owner, &document)?;
        }
        variable_mapping::outputs(p, at)?;
        subscriptions::close(p, at)
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        jobs::cancel(p, at)?;
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        compensation::forget_scope(p, at)?;
        if lifecycle::terminate_children(p, at)? {
            Ok(Termination::Done)
        } else {
            Ok(Termination::Waits)
        }
    }

    fn before_path_completed(&self, p: &mut Processing<'_>, at: &At, child: &At) -> Outcome<bool> {
        let model = ad_hoc::model(at)?;
        if let Some(output) = &model.output {
            let result = expressions::any(p, &output.element, child.key)?;
            gather(p, at, &output.collection, &result)?;
        }
        if let Some(job) = &model.job {
            // The next job must not fail: what it needs is evaluated while there is a way back.
            properties(p, at, job)?;
            return Ok(false);
        }
        match &model.completion_condition {
            Some(condition) => expressions::boolean(p, condition, at.key)
                .map_err(|stop| explain(stop, "Failed to evaluate completion condition. ")),
            None => Ok(false),
        }
    }

    fn path_completed(&self, p: &mut Processing<'_>, at: &At, satisfied: bool) -> Outcome {
        let model = ad_hoc::model(at)?;
        if let Some(job) = &model.job {
            jobs::cancel(p, at)?;
            let row = element::row(p, at)?;
            if row.completion_condition_fulfilled {
                return ad_hoc::fulfilled(p, at, model.cancel_remaining_instances);
            }
            let properties = properties(p, at, job)?;
            return jobs::create(p, at, properties);
        }
        if satisfied {
            return ad_hoc::fulfilled(p, at, model.cancel_remaining_instances);
        }
        if model.completion_condition.is_none() && lifecycle::can_complete(p, at)? {
            return lifecycle::ask_complete(p, at);
        }
        Ok(())
    }

    fn child_terminated(&self, p: &mut Processing<'_>, at: &At, _child: Option<&At>) -> Outcome {
        let row = element::row(p, at)?;
        if row.active_children > 0 {
            return Ok(());
        }
        if row.is_terminating() {
            return self.terminated(p, at);
        }
        // The completion condition was satisfied and this was the last of the others.
        if row.is_active() {
            return lifecycle::ask_complete(p, at);
        }
        Ok(())
    }
}

/// What the model says about the job of the sub-process.
fn properties(p: &Processing<'_>, at: &At, job: &Job) -> Outcome<Properties> {
    Ok(Properties {
        kind: JobKind::AdHocSubProcess,
        ..jobs::evaluate(p, at, job)?
    })
}

/// Says in front of a failure what failed.
fn explain(stop: Stop, what: &str) -> Stop {
    match stop {
        Stop::Incident(failure) => {
            let message = format!("{what}{}", failure.message);
            Failure::new(ErrorType::ExtractValueError, message).into()
        }
        Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_) => stop,
    }
}

/// Appends a result to the output collection.
fn gather(p: &mut Processing<'_>, at: &At, collection: &Text, result: &RawValue) -> Outcome {
    let row = p.state().variables.get(&at.key, collection)?;
    let gathered = row.as_ref().map(|row| row.value.as_bytes()).unwrap_or(&[]);
    let mut reader = Reader::new(gathered);
    let Ok(count) = reader.array() else {
        let message = format!(
            "The output collection has the wrong type. Expected ARRAY but was {}.",
            kind_of(gathered)
        );
        return Err(Failure::new(ErrorType::ExtractValueError, message).into());
    };
    let mut bytes = Vec::with_capacity(gathered.len() + result.as_bytes().len() + 4);
    msgpack::write_array_header(&mut bytes, count as usize + 1);
    for _ in 0..count {
        let item = reader
            .skip()
            .map_err(|error| Stop::fault(format!("output collection: {error}")))?;
        bytes.extend_from_slice(item);
    }
    bytes.extend_from_slice(result.as_bytes());
    variables::set_local(p, at, collection.clone(), RawValue::from(bytes))
}

/// Camunda's name of the MessagePack type of a value.
pub(super) fn kind_of(bytes: &[u8]) -> &'static str {
    use crate::msgpack::Token;
    match Reader::new(bytes).next() {
        Ok(Token::Nil) | Err(_) => "NIL",
        Ok(Token::Bool(_)) => "BOOLEAN",
        Ok(Token::Int(_) | Token::Uint(_)) => "INTEGER",
        Ok(Token::Float(_)) => "FLOAT",
        Ok(Token::Str(_)) => "STRING",
        Ok(Token::Bin(_)) => "BINARY",
        Ok(Token::Ext(..)) => "EXTENSION",
        Ok(Token::Array(_)) => "ARRAY",
        Ok(Token::Map(_)) => "MAP",
    }
}
