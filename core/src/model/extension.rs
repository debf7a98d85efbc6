//! The extension elements: attributes with their defaults, read into the executable form.
//!
//! Unknown extension elements and attributes are ignored, as are those of other namespaces.
//!
//! | element | attributes (default) |
//! |---|---|
//! | taskDefinition | type, retries (3) |
//! | taskHeaders > header | key, value; pairs with an empty half are dropped |
//! | ioMapping > input, output | source, target |
//! | calledElement | processId, propagateAllChildVariables (true), propagateAllParentVariables (true), bindingType (latest), versionTag, businessId |
//! | calledDecision | decisionId, resultVariable, bindingType (latest), versionTag |
//! | formDefinition | formKey, formId, externalReference, bindingType (latest), versionTag |
//! | linkedResources > linkedResource | resourceId, resourceType, bindingType (latest), versionTag, linkName |
//! | executionListeners > executionListener | eventType, type, retries (3), taskHeaders |
//! | taskListeners > taskListener | eventType, type, retries (3), taskHeaders |
//! | priorityDefinition (user task), jobPriorityDefinition (jobs) | priority |
//! | properties > property | name, value |
//! | agentDefinition (service tasks, ad-hoc sub-processes) | agentType |

use rustc_hash::{FxHashMap, FxHashSet};

use super::expression::{Expr, is_feel};
use super::parse::{Xml, extension, flag, given, is_extension, parts};
use super::{
    Binding, CalledDecision, CalledElement, ExecutionListeners, Form, InputMapping, Job,
    LinkedResource, Listener, OutputMapping, Refused, Script, TaskListener, TaskListenerEvent,
    UserTask,
};
use crate::record::Text;
use crate::record::value::AgentDefinitionType;

/// Job type of user tasks without `zeebe:userTask`.
const USER_TASK_JOB_TYPE: &str = "io.camunda.zeebe:userTask";
/// Header that carries the form key of such a task.
const USER_TASK_FORM_KEY_HEADER: &str = "io.camunda.zeebe:formKey";
/// Names of a target that are looked at to order mappings; longer targets stay where they are.
const MAX_ORDERED_NAMES: usize = 32;
/// Most headers that the listeners of one element repeat from it, all together.
const MAX_LISTENER_HEADERS: usize = 100_000;
/// Retries where the model gives none.
pub(super) const DEFAULT_RETRIES: &str = "3";

/// Parses an attribute that validation has already parsed once.
pub(super) fn expr(source: &str) -> Result<Expr, Refused> {
    Expr::parse(source).map_err(|error| Refused::Invalid(error.to_string()))
}

fn literal(source: &str) -> Result<Expr, Refused> {
    Expr::literal(source).map_err(|error| Refused::Invalid(error.to_string()))
}

fn attribute(node: Xml<'_>, name: &str) -> Result<Expr, Refused> {
    expr(given(node, name).unwrap_or(""))
}

/// An attribute that may be absent; blank counts as absent.
fn optional<'a>(node: Xml<'a>, name: &str) -> Option<&'a str> {
    given(node, name).filter(|value| !value.trim().is_empty())
}

fn text(node: Xml<'_>, name: &str) -> Text {
    given(node, name).unwrap_or("").into()
}

/// Which version an element asks for.
pub(super) fn binding(node: Xml<'_>) -> Binding {
    match given(node, "bindingType") {
        Some("deployment") => Binding::Deployment,
        Some("versionTag") => Binding::VersionTag(text(node, "versionTag")),
        _ => Binding::Latest,
    }
}

fn headers(node: Option<Xml<'_>>) -> Vec<(Text, Text)> {
    node.into_iter()
        .flat_map(|headers| parts(headers, "header"))
        .map(|header| (text(header, "key"), text(header, "value")))
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .collect()
}

/// The job an element with a task definition asks for; none without one.
pub(super) fn job(element: Xml<'_>) -> Result<Option<Box<Job>>, Refused> {
    let Some(definition) = extension(element, "taskDefinition") else {
        return Ok(None);
    };
    Ok(Some(Box::new(Job {
        job_type: attribute(definition, "type")?,
        retries: expr(given(definition, "retries").unwrap_or(DEFAULT_RETRIES))?,
        priority: job_priority(element)?,
        headers: headers(extension(element, "taskHeaders")).into(),
        linked_resources: linked_resources(element)?,
        user_task: None,
    })))
}

/// Priority of the jobs of an element or process.
pub(super) fn job_priority(element: Xml<'_>) -> Result<Option<Expr>, Refused> {
    extension(element, "jobPriorityDefinition")
        .and_then(|definition| optional(definition, "priority"))
        .map(expr)
        .transpose()
}

fn linked_resources(element: Xml<'_>) -> Result<Box<[LinkedResource]>, Refused> {
    extension(element, "linkedResources")
        .into_iter()
        .flat_map(|resources| parts(resources, "linkedResource"))
        .map(|resource| {
            Ok(LinkedResource {
                resource_id: attribute(resource, "resourceId")?,
                binding: binding(resource),
                resource_type: text(resource, "resourceType"),
                link_name: text(resource, "linkName"),
            })
        })
        .collect()
}

/// Input and output mappings.
pub(super) type Mappings = (Box<[InputMapping]>, Box<[OutputMapping]>);

/// Mappings in the order of the context that their targets make together: paths with one beginning
/// stand where the first of them stands, and of equal targets the last source takes the place of the
/// first.
fn as_of_one_context<M>(mappings: Vec<M>, target: impl Fn(&M) -> &[Text]) -> Vec<M> {
    let paths: Vec<&[Text]> = mappings.iter().map(&target).collect();
    let mut order = Vec::with_capacity(paths.len());
    let all: Vec<usize> = (0..paths.len()).collect();
    append_in_order(&paths, &all, 0, &mut order);
    let mut mappings: Vec<Option<M>> = mappings.into_iter().map(Some).collect();
    let kept = order.into_iter().filter_map(|at| mappings[at].take());
    kept.collect()
}

/// Appends the mappings `of` one context, whose targets agree in their first `depth` names.
fn append_in_order(paths: &[&[Text]], of: &[usize], depth: usize, order: &mut Vec<usize>) {
    if depth > MAX_ORDERED_NAMES {
        order.extend(of);
        return;
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut places = FxHashMap::default();
    for at in of {
        let Some(name) = paths[*at].get(depth) else {
            continue;
        };
        let place = *places.entry(name).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        let group = &mut groups[place];
        // A value replaces what stood there, and a context replaces a value.
        let is_value = paths[*at].len() == depth + 1;
        let was_value = group
            .last()
            .is_some_and(|last| paths[*last].len() == depth + 1);
        if is_value || was_value {
            group.clear();
        }
        group.push(*at);
    }
    for group in groups {
        match group[..] {
            [only] => order.push(only),
            _ => append_in_order(paths, &group, depth + 1, order),
        }
    }
}

/// The mappings of an element, each kind in document order.
pub(super) fn mappings(element: Xml<'_>) -> Result<Mappings, Refused> {
    let Some(mapping) = extension(element, "ioMapping") else {
        return Ok(Mappings::default());
    };
    let path = |node: Xml<'_>| -> Box<[Text]> {
        given(node, "target")
            .unwrap_or("")
            .split('.')
            .map(Text::from)
            .collect()
    };
    let inputs = parts(mapping, "input").map(|node| {
        let source = literal(given(node, "source").unwrap_or(""))?;
        Ok(InputMapping {
            source,
            target: path(node),
        })
    });
    let outputs = parts(mapping, "output").map(|node| {
        Ok(OutputMapping {
            source: attribute(node, "source")?,
            target: path(node),
        })
    });
    let inputs = inputs.collect::<Result<Vec<_>, Refused>>()?;
    let outputs = outputs.collect::<Result<Vec<_>, Refused>>()?;
    Ok((
        as_of_one_context(inputs, |mapping| &mapping.target).into(),
        as_of_one_context(outputs, |mapping| &mapping.target).into(),
    ))
}

/// The listeners of an element, if what they repeat of its headers is within the limit.
fn listeners<'a>(
    element: Xml<'a>,
    list: &'static str,
    part: &'static str,
) -> Result<Vec<Xml<'a>>, Refused> {
    let found: Vec<Xml<'a>> = extension(element, list)
        .into_iter()
        .flat_map(|listeners| parts(listeners, part))
        .collect();
    let headers = extension(element, "taskHeaders").map_or(0, |h| parts(h, "header").count());
    if found.len() * headers > MAX_LISTENER_HEADERS {
        return Err(Refused::Invalid(format!(
            "The listeners of element '{}' would have more than {MAX_LISTENER_HEADERS} headers",
            given(element, "id").unwrap_or("")
        )));
    }
    Ok(found)
}

/// A listener: its headers are those of the element, its own in front where keys are equal.
fn listener(element: Xml<'_>, node: Xml<'_>) -> Result<Listener, Refused> {
    let own = headers(
        node.children()
            .find(|part| is_extension(*part, "taskHeaders")),
    );
    let mut headers = headers(extension(element, "taskHeaders"));
    let replaced: FxHashSet<&Text> = own.iter().map(|(key, _)| key).collect();
    headers.retain(|(key, _)| !replaced.contains(key));
    headers.extend(own);
    Ok(Listener {
        job_type: attribute(node, "type")?,
        retries: expr(given(node, "retries").unwrap_or(DEFAULT_RETRIES))?,
        headers: headers.into(),
    })
}

/// The execution listeners of an element.
pub(super) fn execution_listeners(element: Xml<'_>) -> Result<ExecutionListeners, Refused> {
    let all = listeners(element, "executionListeners", "executionListener")?;
    let of = |event: &str| {
        all.iter()
            .filter(|node| given(**node, "eventType") == Some(event))
            .map(|node| listener(element, *node))
            .collect::<Result<Box<[_]>, _>>()
    };
    Ok(ExecutionListeners {
        start: of("start")?,
        end: of("end")?,
        before_all: of("beforeAll")?,
        cancel: of("cancel")?,
    })
}

/// The event type of a task listener, by its name or its older one.
pub(super) fn task_listener_event(name: &str) -> Option<TaskListenerEvent> {
    match name {
        "creating" | "create" => Some(TaskListenerEvent::Creating),
        "assigning" | "assignment" => Some(TaskListenerEvent::Assigning),
        "updating" | "update" => Some(TaskListenerEvent::Updating),
        "completing" | "complete" => Some(TaskListenerEvent::Completing),
        "canceling" | "cancel" => Some(TaskListenerEvent::Canceling),
        _ => None,
    }
}

fn task_listeners(element: Xml<'_>) -> Result<Box<[TaskListener]>, Refused> {
    listeners(element, "taskListeners", "taskListener")?
        .into_iter()
        .filter_map(|node| Some((task_listener_event(given(node, "eventType")?)?, node)))
        .map(|(event, node)| {
            Ok(TaskListener {
                event,
                listener: listener(element, node)?,
            })
        })
        .collect()
}

/// True if the engine itself manages this user task.
pub(super) fn is_managed(user_task: Xml<'_>) -> bool {
    extension(user_task, "userTask").is_some()
}

/// What a user task shows and to whom.
pub(super) fn user_task(element: Xml<'_>) -> Result<UserTask, Refused> {
    let assignment = extension(element, "assignmentDefinition");
    let schedule = extension(element, "taskSchedule");
    let given =
        |node: Option<Xml<'_>>, name| node.and_then(|node| optional(node, name).map(str::to_owned));
    let form = extension(element, "formDefinition");
    Ok(UserTask {
        assignee: given(assignment, "assignee")
            .map(|text| literal(&text))
            .transpose()?,
        candidate_groups: given(assignment, "candidateGroups")
            .map(|t| list(&t))
            .transpose()?,
        candidate_users: given(assignment, "candidateUsers")
            .map(|t| list(&t))
            .transpose()?,
        due_date: given(schedule, "dueDate")
            .map(|text| literal(&text))
            .transpose()?,
        follow_up_date: given(schedule, "followUpDate")
            .map(|text| literal(&text))
            .transpose()?,
        form: form
            .map(|form| user_task_form(element, form))
            .transpose()?
            .flatten(),
        priority: expr(
            given(extension(element, "priorityDefinition"), "priority")
                .as_deref()
                .map_or("50", str::trim),
        )?,
        headers: headers(extension(element, "taskHeaders")).into(),
        listeners: task_listeners(element)?,
    })
}

fn user_task_form(element: Xml<'_>, form: Xml<'_>) -> Result<Option<Form>, Refused> {
    if let Some(form_id) = optional(form, "formId") {
        return Ok(Some(Form::Linked {
            form_id: expr(form_id)?,
            binding: binding(form),
        }));
    }
    if is_managed(element) {
        let reference = optional(form, "externalReference")
            .map(literal)
            .transpose()?;
        return Ok(reference.map(Form::External));
    }
    Ok(optional(form, "formKey").map(|key| Form::Key(key.into())))
}

/// The job of a user task that a worker does.
pub(super) fn user_task_job(element: Xml<'_>) -> Result<Box<Job>, Refused> {
    let user_task = user_task(element)?;
    let mut headers = headers(extension(element, "taskHeaders"));
    if let Some(Form::Key(key)) = &user_task.form {
        headers.push((USER_TASK_FORM_KEY_HEADER.into(), key.clone()));
    }
    Ok(Box::new(Job {
        job_type: Expr::text(USER_TASK_JOB_TYPE),
        retries: expr("1")?,
        priority: job_priority(element)?,
        headers: headers.into(),
        linked_resources: Box::default(),
        user_task: Some(Box::new(user_task)),
    }))
}

/// The values of a static comma-separated list; none if one of them is blank.
pub(super) fn comma_separated(text: &str) -> Option<Vec<&str>> {
    let values: Vec<&str> = text.split(',').map(str::trim).collect();
    (!values.iter().any(|value| value.is_empty())).then_some(values)
}

/// A list attribute; a static one becomes a FEEL list of strings.
fn list(source: &str) -> Result<Expr, Refused> {
    if is_feel(source) {
        return expr(source);
    }
    let values: Vec<String> = comma_separated(source)
        .unwrap_or_default()
        .into_iter()
        .map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    expr(&format!("=[{}]", values.join(",")))
}

/// The script the engine evaluates.
pub(super) fn script(element: Xml<'_>) -> Result<Option<Box<Script>>, Refused> {
    let Some(script) = extension(element, "script") else {
        return Ok(None);
    };
    Ok(Some(Box::new(Script {
        expression: attribute(script, "expression")?,
        result_variable: text(script, "resultVariable"),
    })))
}

/// The decision a business rule task calls.
pub(super) fn called_decision(element: Xml<'_>) -> Result<Option<Box<CalledDecision>>, Refused> {
    let Some(called) = extension(element, "calledDecision") else {
        return Ok(None);
    };
    Ok(Some(Box::new(CalledDecision {
        decision_id: attribute(called, "decisionId")?,
        binding: binding(called),
        result_variable: text(called, "resultVariable"),
    })))
}

/// The process a call activity calls.
pub(super) fn called_element(
    element: Xml<'_>,
    index: u32,
) -> Result<Option<Box<CalledElement>>, Refused> {
    let Some(called) = extension(element, "calledElement") else {
        return Ok(None);
    };
    Ok(Some(Box::new(CalledElement {
        process_id: attribute(called, "processId")?,
        binding: binding(called),
        propagate_all_child_variables: flag(called, "propagateAllChildVariables", true),
        propagate_all_parent_variables: flag(called, "propagateAllParentVariables", true),
        business_id: given(called, "businessId").map(literal).transpose()?,
        index,
    })))
}

/// The kind of agent that an attribute names.
pub(super) fn agent_type(name: &str) -> Option<AgentDefinitionType> {
    match name {
        "aiAgentSubProcess" => Some(AgentDefinitionType::AiAgentSubProcess),
        "aiAgentTask" => Some(AgentDefinitionType::AiAgentTask),
        "external" => Some(AgentDefinitionType::ExternalAgent),
        _ => None,
    }
}

/// The kind of agent that an element is marked as.
pub(super) fn agent(element: Xml<'_>) -> AgentDefinitionType {
    extension(element, "agentDefinition")
        .and_then(|definition| given(definition, "agentType"))
        .and_then(agent_type)
        .unwrap_or_default()
}

/// Opaque properties.
pub(super) fn properties(element: Xml<'_>) -> Box<[(Text, Text)]> {
    extension(element, "properties")
        .into_iter()
        .flat_map(|properties| parts(properties, "property"))
        .map(|property| (text(property, "name"), text(property, "value")))
        .collect()
}
