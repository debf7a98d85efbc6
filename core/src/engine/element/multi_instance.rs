//! Multi-instance body: runs its activity once per item of a collection, at once or one by one.
//!
//! The collection is evaluated once, when the body activates; what becomes of the variable afterwards
//! does not matter. Inner instances get the item, a counter from 1 and room for their result as local variables; results are gathered in a
//! list that is local to the body until the body completes.

use std::rc::Rc;

use crate::engine::element::ad_hoc::kind_of;
use crate::engine::element::{self, Element, Termination};
use crate::engine::fault::{Failure, Outcome, Stop};
use crate::engine::lifecycle::{self, At};
use crate::engine::output::Processing;
use crate::engine::rule::variables::{self, Owner};
use crate::engine::rule::{expressions, incidents, subscriptions};
use crate::feel::DocumentVariables;
use crate::model::{self, Behavior};
use crate::msgpack::{self, Reader};
use crate::record::intent::of;
use crate::record::value::{ErrorType, MultiInstanceRecord, ProcessInstanceBatchRecord};
use crate::record::{RawValue, Text};
use crate::state::InputCollectionRow;

/// A multi-instance body.
pub(super) struct MultiInstance;

const LOOP_COUNTER: &str = "loopCounter";

fn model(at: &At) -> Outcome<&model::MultiInstance> {
    if let Behavior::MultiInstance(body) = &at.element().behavior {
        return Ok(body);
    }
    Err(Stop::fault(format!(
        "'{}' is no multi-instance body",
        at.record.element_id
    )))
}

/// The items of the input collection, as the body sees it when it activates.
fn evaluate(p: &Processing<'_>, at: &At) -> Outcome<Vec<RawValue>> {
    let expr = &model(at)?.input_collection;
    let list = expressions::list(p, expr, at.key)?;
    let malformed = |error: msgpack::Error| Stop::fault(format!("input collection: {error}"));
    let mut reader = Reader::new(list.as_bytes());
    let count = reader.array().map_err(malformed)?;
    (0..count)
        .map(|_| reader.skip().map(RawValue::from).map_err(malformed))
        .collect()
}

/// What the body iterates over, as evaluated when it activated.
fn collection(p: &Processing<'_>, at: &At) -> Outcome<Rc<InputCollectionRow>> {
    p.state()
        .input_collections
        .get(&at.key)?
        .ok_or_else(|| Stop::fault(format!("no input collection of '{}'", at.record.element_id)))
}

impl Element for MultiInstance {
    fn prepare(&self, _p: &mut Processing<'_>, _at: &At) -> Outcome {
        Ok(())
    }

    fn activate(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        let body = model(at)?;
        let input_collection = evaluate(p, at)?;
        let count = input_collection.len();
        p.event(
            at.key,
            of::MultiInstance::InputCollectionEvaluated,
            MultiInstanceRecord { input_collection },
        )?;
        subscriptions::open(p, at)?;
        lifecycle::activated(p, at)?;
        if let Some(output) = &body.output {
            let mut nulls = Vec::new();
            msgpack::write_array_header(&mut nulls, count);
            for _ in 0..count {
                msgpack::write_nil(&mut nulls);
            }
            variables::set_local(p, at, output.collection.clone(), RawValue::from(nulls))?;
        }
        if count == 0 {
            return lifecycle::ask_complete(p, at);
        }
        if body.sequential {
            return lifecycle::ask_activate_child_with_key(p, at, body.inner);
        }
        let record = ProcessInstanceBatchRecord {
            process_instance_key: at.record.process_instance_key,
            batch_element_instance_key: at.key,
            index: count as i64,
            process_definition_key: at.record.process_definition_key,
        };
        let key = p.next_key();
        p.command(key, of::ProcessInstanceBatch::Activate, record)
    }

    fn leave(&self, p: &mut Processing<'_>, at: &At) -> Outcome {
        subscriptions::close(p, at)?;
        let Some(output) = &model(at)?.output else {
            return Ok(());
        };
        let Some(row) = p.state().variables.get(&at.key, &output.collection)? else {
            return Ok(());
        };
        let gathered = std::iter::once((&output.collection, &row.value));
        let document = crate::state::variable::document(gathered);
        let owner = Owner::of(&at.record);
        variables::merge(p, at.record.flow_scope_key, &owner, &document)
    }

    fn terminate(&self, p: &mut Processing<'_>, at: &At) -> Outcome<Termination> {
        subscriptions::close(p, at)?;
        incidents::resolve_of_element(p, at)?;
        if lifecycle::terminate_children(p, at)? {
            Ok(Termination::Done)
        } else {
            Ok(Termination::Waits)
        }
    }

    fn child_activating(&self, p: &mut Processing<'_>, at: &At, child: &At) -> Outcome {
        let body = model(at)?;
        let counter = element::row(p, child)?.loop_counter;
        let collection = collection(p, at)?;
        let items = &collection.record.input_collection;
        let Some(item) = usize::try_from(counter - 1)
            .ok()
            .and_then(|at| items.get(at))
        else {
            let message = format!(
                "Expected to read item at index {} of the multiInstanceBody input collection but it contains only {} elements. The input collection might be modified while iterating over it.",
                counter - 1,
                items.len()
            );
            return Err(Failure::new(ErrorType::ExtractValueError, message).into());
        };
        if let Some(name) = &body.input_element {
            variables::set_local(p, child, name.clone(), item.clone())?;
        }
        let result = body
            .output
            .as_ref()
            .and_then(|output| output.element_variable.as_ref());
        if let Some(name) = result
            && Some(name) != body.input_element.as_ref()
            && *name != LOOP_COUNTER
        {
            variables::set_local(p, child, name.clone(), RawValue::EMPTY)?;
        }
        let mut number = Vec::new();
        msgpack::write_int(&mut number, i64::from(counter));
        variables::set_local(p, child, Text::from(LOOP_COUNTER), RawValue::from(number))
    }

    fn before_path_completed(&self, p: &mut Processing<'_>, at: &At, child: &At) -> Outcome<bool> {
        let body = model(at)?;
        if let Some(output) = &body.output {
            let result = expressions::any(p, &output.element, child.key)?;
            let counter = element::row(p, child)?.loop_counter;
            gather(p, at, &output.collection, counter, &result)?;
        }
        let Some(condition) = &body.completion_condition else {
            return Ok(false);
        };
        let row = element::row(p, at)?;
        let created = row.active_children + row.completed_children + row.terminated_children;
        let counts = [
            ("numberOfInstances", i64::from(created)),
            (
                "numberOfActiveInstances",
                i64::from(row.active_children) - 1,
            ),
            (
                "numberOfCompletedInstances",
                i64::from(row.completed_children) + 1,
            ),
            (
                "numberOfTerminatedInstances",
                i64::from(row.terminated_children),
            ),
        ];
        let mut document = Vec::new();
        msgpack::write_map_header(&mut document, counts.len());
        for (name, count) in counts {
            msgpack::write_str(&mut document, name);
            msgpack::write_int(&mut document, count);
        }
        expressions::boolean_with(p, condition, child.key, &DocumentVariables(&document))
    }

    fn path_completed(&self, p: &mut Processing<'_>, at: &At, satisfied: bool) -> Outcome {
        let body = model(at)?;
        if satisfied {
            let alone = lifecycle::terminate_children(p, at)?;
            if alone || body.sequential {
                lifecycle::ask_complete(p, at)?;
            }
            return Ok(());
        }
        let row = element::row(p, at)?;
        let count = collection(p, at)?.record.input_collection.len();
        if usize::try_from(row.created_children).is_ok_and(|created| created < count) {
            // At once: commands for the others are under way.
            if body.sequential {
                lifecycle::ask_activate_child_with_key(p, at, body.inner)?;
            }
            return Ok(());
        }
        if lifecycle::can_complete(p, at)? {
            lifecycle::ask_complete(p, at)?;
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

/// Puts a result at its place in the output collection.
fn gather(
    p: &mut Processing<'_>,
    at: &At,
    collection: &Text,
    counter: i32,
    result: &RawValue,
) -> Outcome {
    let Some(row) = p.state().variables.get(&at.key, collection)? else {
        return Err(unusable(
            at,
            format!(
                "Expected the output collection variable '{collection}' to be of type list, but it was NIL"
            ),
        ));
    };
    let mut reader = Reader::new(row.value.as_bytes());
    let Ok(count) = reader.array() else {
        return Err(unusable(
            at,
            format!(
                "Unable to update an item in output collection '{collection}' because the type of the output collection is: {}. This may happen when multiple BPMN elements write to the same variable.",
                kind_of(row.value.as_bytes())
            ),
        ));
    };
    let place = counter - 1;
    if place < 0 || place as u32 >= count {
        return Err(unusable(
            at,
            format!(
                "Unable to update an item in output collection '{collection}' at position {counter} because the size of the collection is: {count}. This may happen when multiple BPMN elements write to the same variable."
            ),
        ));
    }
    let mut bytes = Vec::with_capacity(row.value.as_bytes().len() + result.as_bytes().len());
    msgpack::write_array_header(&mut bytes, count as usize);
    for index in 0..count {
        let item = reader
            .skip()
            .map_err(|error| Stop::fault(format!("output collection: {error}")))?;
        if index == place as u32 {
            bytes.extend_from_slice(result.as_bytes());
        } else {
            bytes.extend_from_slice(item);
        }
    }
    variables::set_local(p, at, collection.clone(), RawValue::from(bytes))
}

fn unusable(at: &At, message: String) -> Stop {
    let failure = Failure {
        scope: Some(at.key),
        ..Failure::new(ErrorType::ExtractValueError, message)
    };
    failure.into()
}
