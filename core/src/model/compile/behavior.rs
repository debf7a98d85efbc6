//! What each element does: the payload of its kind, read from its attributes and definitions.
//!
//! One function per group of elements. Error and escalation codes of catch events are plain text,
//! an empty or missing one catches all; thrown codes may be expressions. Link throw events are
//! resolved to their catch event here, so that the engine jumps by index.

use super::{Compiler, Draft, Half, impossible};
use crate::feel::AiParameter;
use crate::model::element_type::Tag;
use crate::model::expression::Expr;
use crate::model::extension::{self, expr};
use crate::model::parse::{
    Xml, child_content, children, event_definitions, extension as find_extension, flag, given,
};
use crate::model::{
    AdHoc, Behavior, CatchEvent, Code, Conditional, Container, ElementId, FlowId, Message,
    MultiInstance, MultiInstanceOutput, PublishMessage, Refused, ThrowEvent, Timer, hash_order,
};
use crate::msgpack;
use crate::record::{RawValue, Text};

impl<'a> Compiler<'_, 'a> {
    pub(super) fn behavior(&self, place: ElementId) -> Result<Behavior, Refused> {
        let draft = self.draft(place);
        let xml = draft.xml;
        match draft.half {
            Half::Body => return self.multi_instance(place),
            Half::Inner => return Ok(Behavior::AdHocInner(self.container(draft))),
            Half::Whole | Half::Repeated => {}
        }
        Ok(match draft.tag {
            Tag::Process => Behavior::Process(self.container(draft)),
            Tag::SubProcess if super::is_event_sub_process(xml, draft.tag) => {
                Behavior::EventSubProcess(self.container(draft))
            }
            Tag::SubProcess => Behavior::SubProcess(self.container(draft)),
            Tag::AdHocSubProcess => self.ad_hoc(draft)?,
            Tag::ServiceTask | Tag::SendTask => match extension::job(xml)? {
                Some(job) => Behavior::Job(job),
                None => Behavior::Throw(self.publish(xml, xml)?),
            },
            Tag::UserTask if extension::is_managed(xml) => {
                Behavior::UserTask(Box::new(extension::user_task(xml)?))
            }
            Tag::UserTask => Behavior::Job(extension::user_task_job(xml)?),
            Tag::ScriptTask => match (extension::job(xml)?, extension::script(xml)?) {
                (Some(job), _) => Behavior::Job(job),
                (None, Some(script)) => Behavior::Script(script),
                (None, None) => return Err(impossible("a script", xml)),
            },
            Tag::BusinessRuleTask => match (extension::job(xml)?, extension::called_decision(xml)?)
            {
                (Some(job), _) => Behavior::Job(job),
                (None, Some(called)) => Behavior::Decision(called),
                (None, None) => return Err(impossible("a called decision", xml)),
            },
            Tag::ReceiveTask => Behavior::Receive(self.message(xml)?),
            Tag::CallActivity => {
                let ids = self.call_activities;
                let index = ids.partition_point(|id| Some(*id) < given(xml, "id"));
                Behavior::Call(
                    extension::called_element(xml, index as u32)?
                        .ok_or_else(|| impossible("a called element", xml))?,
                )
            }
            Tag::ExclusiveGateway => Behavior::ExclusiveGateway {
                default: self.default(xml),
            },
            Tag::InclusiveGateway => Behavior::InclusiveGateway {
                default: self.default(xml),
            },
            Tag::ParallelGateway => Behavior::ParallelGateway,
            Tag::EventBasedGateway => Behavior::EventBasedGateway,
            Tag::StartEvent => Behavior::Start {
                event: self.catch(xml)?,
                interrupting: draft.scope.is_some_and(|scope| {
                    let scope = self.draft(scope);
                    super::is_event_sub_process(scope.xml, scope.tag)
                }) && flag(xml, "isInterrupting", true),
            },
            Tag::IntermediateCatchEvent => Behavior::Catch(self.catch(xml)?),
            Tag::BoundaryEvent => Behavior::Boundary {
                attached_to: self.refer(xml, "attachedToRef")?.outer,
                interrupting: flag(xml, "cancelActivity", true),
                event: self.catch(xml)?,
            },
            Tag::IntermediateThrowEvent => Behavior::Throw(self.throw(draft)?),
            Tag::EndEvent => Behavior::End(self.throw(draft)?),
            _ => Behavior::PassThrough,
        })
    }

    fn container(&self, draft: &Draft<'a>) -> Container {
        let none_start = draft
            .start_events
            .iter()
            .find(|start| event_definitions(self.draft(**start).xml).next().is_none());
        Container {
            children: draft.children.clone().into(),
            start_events: draft.start_events.iter().rev().copied().collect(),
            none_start: none_start.copied(),
        }
    }

    fn default(&self, gateway: Xml<'a>) -> Option<FlowId> {
        let flow = self.source.referred(gateway, "default")?;
        self.flow_ids.get(given(flow, "id")?).copied()
    }

    fn multi_instance(&self, place: ElementId) -> Result<Behavior, Refused> {
        let xml = self.draft(place).xml;
        let characteristics = children(xml, Tag::MultiInstance).next();
        let characteristics =
            characteristics.ok_or_else(|| impossible("loop characteristics", xml))?;
        let zeebe = find_extension(characteristics, "loopCharacteristics")
            .ok_or_else(|| impossible("loop characteristics", xml))?;
        let given = |name| given(zeebe, name).filter(|value| !value.is_empty());
        let output = match (given("outputCollection"), given("outputElement")) {
            (Some(collection), Some(element)) => Some(MultiInstanceOutput {
                collection: collection.into(),
                element: expr(element)?,
                element_variable: root_variable(element),
            }),
            _ => None,
        };
        let condition = child_content(characteristics, "completionCondition");
        Ok(Behavior::MultiInstance(Box::new(MultiInstance {
            inner: ElementId(place.0 + 1),
            sequential: flag(characteristics, "isSequential", false),
            input_collection: expr(given("inputCollection").unwrap_or(""))?,
            input_element: given("inputElement").map(Text::from),
            output,
            completion_condition: optional(condition)?,
        })))
    }

    fn ad_hoc(&self, draft: &Draft<'a>) -> Result<Behavior, Refused> {
        let xml = draft.xml;
        let inner = *draft
            .children
            .iter()
            .find(|child| self.draft(**child).half == Half::Inner)
            .ok_or_else(|| impossible("an inner instance", xml))?;
        let activities = self.draft(inner).children.iter().copied().filter(|child| {
            let child = self.draft(*child);
            let startable = !matches!(
                child.tag,
                Tag::BoundaryEvent | Tag::StartEvent | Tag::EndEvent
            );
            startable && child.incoming.is_empty()
        });
        let zeebe = find_extension(xml, "adHoc");
        let given = |name| {
            zeebe
                .and_then(|zeebe| given(zeebe, name))
                .filter(|value| !value.trim().is_empty())
        };
        let output = match (given("outputCollection"), given("outputElement")) {
            (Some(collection), Some(element)) => Some(MultiInstanceOutput {
                collection: collection.into(),
                element: expr(element)?,
                element_variable: root_variable(element),
            }),
            _ => None,
        };
        let activities: Box<[ElementId]> = activities.collect();
        Ok(Behavior::AdHoc(Box::new(AdHoc {
            inner,
            elements: self.elements_of(&self.in_hash_order(inner, &activities))?,
            activities,
            active_elements: given("activeElementsCollection").map(expr).transpose()?,
            completion_condition: optional(child_content(xml, "completionCondition"))?,
            cancel_remaining_instances: flag(xml, "cancelRemainingInstances", true),
            output,
            job: extension::job(xml)?,
        })))
    }

    /// Activities in the order in which Camunda lists them: those of the table of all children, which
    /// is filled from the last to the first, put into a table of their own.
    fn in_hash_order(&self, inner: ElementId, activities: &[ElementId]) -> Vec<ElementId> {
        let id = |element| given(self.draft(element).xml, "id").unwrap_or("");
        let children = self.draft(inner).children.iter().rev().copied();
        let all = hash_order::in_table(children, |child| hash_order::of_bytes(id(child)));
        let chosen = all.into_iter().filter(|child| activities.contains(child));
        hash_order::in_table(chosen, |child| hash_order::of_text(id(child)))
    }

    /// Activities of an ad-hoc sub-process as a variable describes them; what is empty is left out.
    fn elements_of(&self, activities: &[ElementId]) -> Result<RawValue, Refused> {
        let mut out = Vec::new();
        msgpack::write_array_header(&mut out, activities.len());
        for activity in activities {
            let xml = self.draft(*activity).xml;
            let id = given(xml, "id").unwrap_or("");
            let documentation = child_content(xml, "documentation").unwrap_or_default();
            let mut entries = Vec::new();
            put_text(&mut entries, "elementId", id);
            put_text(
                &mut entries,
                "elementName",
                given(xml, "name").unwrap_or(""),
            );
            put_text(&mut entries, "documentation", &documentation);
            let properties = extension::properties(xml);
            if !properties.is_empty() {
                let mut map = Vec::new();
                msgpack::write_map_header(&mut map, properties.len());
                for (name, value) in &properties {
                    msgpack::write_str(&mut map, name);
                    msgpack::write_str(&mut map, value);
                }
                entries.push(("properties", map));
            }
            let parameters = ai_parameters(xml).map_err(|reason| {
                Refused::Invalid(format!(
                    "Failed to extract ad-hoc activity parameters for element '{id}'. {reason}"
                ))
            })?;
            if !parameters.is_empty() {
                let mut list = Vec::new();
                msgpack::write_array_header(&mut list, parameters.len());
                for parameter in parameters {
                    let mut entries = Vec::new();
                    put_text(&mut entries, "name", &parameter.name);
                    put_text(&mut entries, "description", &parameter.description);
                    put_text(&mut entries, "type", &parameter.kind);
                    for (name, map) in
                        [("schema", parameter.schema), ("options", parameter.options)]
                    {
                        if msgpack::Reader::new(&map)
                            .map()
                            .is_ok_and(|count| count > 0)
                        {
                            entries.push((name, map));
                        }
                    }
                    put_map(&mut list, &entries);
                }
                entries.push(("parameters", list));
            }
            put_map(&mut out, &entries);
        }
        Ok(RawValue::from(out))
    }

    /// The message an element refers to.
    fn message(&self, element: Xml<'a>) -> Result<Box<Message>, Refused> {
        let message = self
            .source
            .referred_as(element, "messageRef", Tag::Message)
            .ok_or_else(|| impossible("a message", element))?;
        let key = find_extension(message, "subscription").and_then(|s| given(s, "correlationKey"));
        Ok(Box::new(Message {
            name: expr(given(message, "name").unwrap_or(""))?,
            correlation_key: key.map(expr).transpose()?,
        }))
    }

    /// The code of the error or escalation a catch event refers to.
    fn code(&self, definition: Xml<'a>, reference: &str, code: &str) -> Option<Text> {
        let code = self
            .source
            .referred(definition, reference)?
            .attribute(code)?;
        (!code.is_empty()).then(|| code.into())
    }

    /// The code of the error or escalation a throw event refers to.
    fn thrown(&self, definition: Xml<'a>, reference: &str, code: &str) -> Result<Expr, Refused> {
        let referred = self.source.referred(definition, reference);
        expr(referred.and_then(|found| given(found, code)).unwrap_or(""))
    }

    fn signal(&self, definition: Xml<'a>) -> Result<Expr, Refused> {
        let signal = self
            .source
            .referred_as(definition, "signalRef", Tag::Signal);
        expr(
            signal
                .and_then(|signal| given(signal, "name"))
                .unwrap_or(""),
        )
    }

    fn catch(&self, event: Xml<'a>) -> Result<CatchEvent, Refused> {
        let Some((tag, definition)) = event_definitions(event).next() else {
            return Ok(CatchEvent::None);
        };
        Ok(match tag {
            Tag::MessageEvent => CatchEvent::Message(self.message(definition)?),
            Tag::TimerEvent => CatchEvent::Timer(timer(definition)?),
            Tag::SignalEvent => CatchEvent::Signal(self.signal(definition)?),
            Tag::ErrorEvent => CatchEvent::Error(self.code(definition, "errorRef", "errorCode")),
            Tag::EscalationEvent => {
                // Without a reference it catches all; one to an escalation without a code nothing.
                CatchEvent::Escalation(match given(definition, "escalationRef") {
                    None => Some(Text::EMPTY),
                    Some(_) => self.code(definition, "escalationRef", "escalationCode"),
                })
            }
            Tag::ConditionalEvent => CatchEvent::Conditional(Box::new(conditional(definition)?)),
            Tag::LinkEvent => CatchEvent::Link(given(definition, "name").unwrap_or("").into()),
            Tag::CompensateEvent => CatchEvent::Compensation {
                handler: self
                    .source
                    .associated(event)
                    .and_then(|handler| self.place_of(handler))
                    .map(|place| place.outer),
            },
            _ => return Err(impossible("a supported event definition", event)),
        })
    }

    fn throw(&self, draft: &Draft<'a>) -> Result<ThrowEvent, Refused> {
        let event = draft.xml;
        let Some((tag, definition)) = event_definitions(event).next() else {
            return Ok(ThrowEvent::None);
        };
        Ok(match tag {
            Tag::MessageEvent => match extension::job(event)? {
                Some(job) => ThrowEvent::Job(job),
                None => self.publish(definition, definition)?,
            },
            Tag::SignalEvent => ThrowEvent::Signal(self.signal(definition)?),
            Tag::ErrorEvent => {
                ThrowEvent::Error(self.thrown(definition, "errorRef", "errorCode")?)
            }
            Tag::EscalationEvent => ThrowEvent::Escalation(self.thrown(
                definition,
                "escalationRef",
                "escalationCode",
            )?),
            Tag::LinkEvent => ThrowEvent::Link(self.link_target(draft, definition)?),
            Tag::CompensateEvent => ThrowEvent::Compensation(
                self.source
                    .referred(definition, "activityRef")
                    .and_then(|activity| self.place_of(activity))
                    .map(|place| place.outer),
            ),
            Tag::TerminateEvent => ThrowEvent::Terminate,
            _ => return Err(impossible("a supported event definition", event)),
        })
    }

    /// The link catch event of the same scope with the same name.
    fn link_target(&self, draft: &Draft<'a>, link: Xml<'a>) -> Result<ElementId, Refused> {
        let name = given(link, "name").unwrap_or("");
        draft
            .scope
            .and_then(|scope| self.links.get(&(scope, name)).copied())
            .ok_or_else(|| impossible("a link catch event", draft.xml))
    }

    /// The message the engine publishes: `referring` names it, `extended` says how.
    fn publish(&self, referring: Xml<'a>, extended: Xml<'a>) -> Result<ThrowEvent, Refused> {
        let publish = find_extension(extended, "publishMessage")
            .ok_or_else(|| impossible("a task definition", extended))?;
        let given = |name| given(publish, name).filter(|value| !value.is_empty());
        Ok(ThrowEvent::Publish(Box::new(PublishMessage {
            name: self.message(referring)?.name,
            correlation_key: expr(given("correlationKey").unwrap_or(""))?,
            message_id: given("messageId").map(expr).transpose()?,
            time_to_live: given("timeToLive").map(expr).transpose()?,
        })))
    }
}

/// Adds a text unless it is empty.
fn put_text(entries: &mut Vec<(&'static str, Vec<u8>)>, name: &'static str, text: &str) {
    if !text.is_empty() {
        let mut value = Vec::new();
        msgpack::write_str(&mut value, text);
        entries.push((name, value));
    }
}

fn put_map(out: &mut Vec<u8>, entries: &[(&str, Vec<u8>)]) {
    msgpack::write_map_header(out, entries.len());
    for (name, value) in entries {
        msgpack::write_str(out, name);
        out.extend_from_slice(value);
    }
}

/// What the input mappings of an activity ask a language model for.
fn ai_parameters(activity: Xml<'_>) -> Result<Vec<AiParameter>, String> {
    let (inputs, _) = extension::mappings(activity).map_err(|refused| refused.to_string())?;
    let mut found = Vec::new();
    for input in &inputs {
        if let Code::Feel(expression) = &input.source.code {
            found.extend(expression.ai_parameters()?);
        }
    }
    Ok(found)
}

fn optional(source: Option<String>) -> Result<Option<Expr>, Refused> {
    source
        .filter(|text| !text.is_empty())
        .map(|text| expr(&text))
        .transpose()
}

fn timer(definition: Xml<'_>) -> Result<Timer, Refused> {
    if let Some(duration) = child_content(definition, "timeDuration") {
        return Ok(Timer::Duration(expr(&duration)?));
    }
    if let Some(cycle) = child_content(definition, "timeCycle") {
        return Ok(Timer::Cycle(expr(&cycle)?));
    }
    Ok(Timer::Date(expr(
        &child_content(definition, "timeDate").unwrap_or_default(),
    )?))
}

/// The variables a condition waits for are those its expression names; a filter of the model only
/// says by which changes.
fn conditional(definition: Xml<'_>) -> Result<Conditional, Refused> {
    let condition = expr(&child_content(definition, "condition").unwrap_or_default())?;
    let mut variable_names: Vec<Text> = Vec::new();
    for name in condition.variable_names() {
        let root = name.split('.').next().unwrap_or(name);
        if !variable_names.iter().any(|known| *known == *root) {
            variable_names.push(root.into());
        }
    }
    let variable_events = find_extension(definition, "conditionalFilter")
        .and_then(|filter| given(filter, "variableEvents"))
        .into_iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(Text::from)
        .collect();
    Ok(Conditional {
        condition,
        variable_names: variable_names.into(),
        variable_events,
    })
}

/// The first name of an expression that is a plain variable or path.
fn root_variable(source: &str) -> Option<Text> {
    let path = source.strip_prefix('=')?.trim();
    let plain = path.split('.').all(|name| {
        let mut characters = name.chars();
        characters
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_')
            && characters.all(|next| next.is_alphanumeric() || next == '_')
    });
    let reserved = matches!(path, "null" | "true" | "false");
    (plain && !reserved).then(|| path.split('.').next().unwrap_or(path).into())
}
