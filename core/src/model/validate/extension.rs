//! Rules of the extension elements themselves.
//!
//! One match by name; unknown names are ignored. The element they belong to is their grandparent
//! (`task > extensionElements > taskDefinition`).

use super::Check;
use super::process::duplicates;
use crate::model::element_type::Tag;
use crate::model::expression::{Code, Expr, is_feel};
use crate::model::extension::{DEFAULT_RETRIES, agent_type, comma_separated, task_listener_event};
use crate::model::parse::{Xml, content, extension, given, is_extension, parts};
use crate::schedule::date;

/// Header keys that the engine itself sets.
const RESERVED_HEADER_PREFIX: &str = "io.camunda.zeebe:";

/// What may have execution listeners, as the message lists it.
const LISTENED: &str = "process, subProcess, callActivity, adHocSubProcess, task, sendTask, \
                        serviceTask, scriptTask, userTask, receiveTask, businessRuleTask, \
                        manualTask, startEvent, intermediateThrowEvent, intermediateCatchEvent, \
                        boundaryEvent, endEvent, exclusiveGateway, inclusiveGateway, \
                        parallelGateway, eventBasedGateway";

impl<'a> Check<'_, 'a> {
    pub(super) fn extension(&mut self, node: Xml<'a>) {
        let attribute = |name: &str| given(node, name);
        match node.tag_name().name() {
            "taskDefinition" => {
                self.job_type_and_retries(node);
                self.expression(attribute("type"));
                self.optional_expression(attribute("retries"));
            }
            "executionListener" => {
                let known = ["start", "end", "beforeAll", "cancel"];
                self.event_type(node, |event| known.contains(&event));
                self.job_type_and_retries(node);
                self.readable(attribute("type"));
                self.readable(attribute("retries"));
            }
            "executionListeners" => self.execution_listeners(node),
            "taskListener" => {
                self.event_type(node, |event| task_listener_event(event).is_some());
                self.job_type_and_retries(node);
                self.readable(attribute("type"));
                self.readable(attribute("retries"));
            }
            "taskListeners" => self.task_listeners(node),
            "agentDefinition" => self.agent(node),
            "taskHeaders" => self.task_headers(node),
            "input" if in_mapping(node) => {
                self.optional_expression(attribute("source"));
                self.path(attribute("target"));
            }
            "output" if in_mapping(node) => {
                self.mandatory_feel(attribute("source"));
                self.path(attribute("target"));
            }
            "subscription" | "publishMessage" => {
                self.present(node, "correlationKey");
                if is_extension(node, "subscription") {
                    self.mandatory_feel(attribute("correlationKey"));
                } else {
                    self.readable(attribute("correlationKey"));
                }
                self.readable(attribute("messageId"));
                self.readable(attribute("timeToLive"));
            }
            "loopCharacteristics" => self.loop_characteristics(node),
            "calledElement" => {
                self.present(node, "processId");
                self.binding(node);
                self.expression(attribute("processId"));
                self.readable(attribute("businessId"));
            }
            "calledDecision" => {
                self.present(node, "decisionId");
                self.present(node, "resultVariable");
                self.binding(node);
                self.expression(attribute("decisionId"));
            }
            "script" => {
                self.present(node, "expression");
                self.present(node, "resultVariable");
                self.mandatory_feel(attribute("expression"));
            }
            "formDefinition" => self.form_definition(node),
            "userTaskForm" => {
                self.error_if(
                    given(node, "id").is_none(),
                    "Element id must be present and not empty.",
                );
                let empty = content(node).is_empty();
                self.error_if(
                    empty,
                    "User task form text content has to be present and not empty",
                );
            }
            "assignmentDefinition" => self.assignment(node),
            "taskSchedule" => {
                for name in ["dueDate", "followUpDate"] {
                    self.static_value(
                        attribute(name),
                        |value| value.source.is_empty() || date(&value.source).is_ok(),
                        "be a valid DateTime String, e.g. '2023-03-02T15:35+02:00'",
                    );
                }
            }
            "priorityDefinition" => self.priority(node),
            "jobPriorityDefinition" => self.job_priority(node),
            "linkedResource" => {
                self.present(node, "resourceId");
                self.present(node, "resourceType");
                self.binding(node);
                self.readable(attribute("resourceId"));
            }
            "adHoc" => {
                let given = |name| attribute(name).filter(|value: &&str| !value.trim().is_empty());
                self.feel(given("activeElementsCollection"));
                self.feel(given("outputElement"));
            }
            "conditionalFilter" => self.conditional_filter(node),
            _ => {}
        }
    }

    fn present(&mut self, node: Xml<'a>, name: &str) {
        if given(node, name).unwrap_or("").is_empty() {
            self.error(format!("Attribute '{name}' must be present and not empty"));
        }
    }

    fn event_type(&mut self, node: Xml<'a>, known: impl Fn(&str) -> bool) {
        if !given(node, "eventType").is_some_and(known) {
            self.error("Attribute 'eventType' must be present and not empty");
        }
    }

    /// Which elements may be which agents is told at the element.
    fn agent(&mut self, node: Xml<'a>) {
        if given(node, "agentType").is_none_or(|name| agent_type(name).is_none()) {
            self.error("Attribute 'agentType' must be present and not empty");
        }
    }

    fn job_type_and_retries(&mut self, node: Xml<'a>) {
        self.present(node, "type");
        if given(node, "retries").unwrap_or(DEFAULT_RETRIES).is_empty() {
            self.error("Attribute 'retries' must be present and not empty");
        }
    }

    fn execution_listeners(&mut self, node: Xml<'a>) {
        let listeners: Vec<Xml<'a>> = parts(node, "executionListener").collect();
        let Some(owner) = owner(node).filter(|_| !listeners.is_empty()) else {
            return;
        };
        let name = owner.tag_name().name();
        let listened = LISTENED.split(", ").any(|listened| listened == name);
        if !listened && Tag::of(owner) != Some(Tag::MultiInstance) {
            return self.error(format!(
                "Execution listeners are not supported for the '{name}' element. Currently, only \
                 [{LISTENED}] elements can have execution listeners."
            ));
        }
        let key = |listener: &Xml<'a>| {
            let given = |name| given(*listener, name).unwrap_or("null");
            format!(
                "eventType[{}] and type[{}]",
                given("eventType"),
                given("type")
            )
        };
        for (duplicate, count) in duplicates(listeners.iter().map(key)) {
            self.error(format!(
                "Found '{count}' duplicates based on {duplicate}, these combinations should be \
                 unique."
            ));
        }
    }

    fn task_listeners(&mut self, node: Xml<'a>) {
        let any = parts(node, "taskListener").next().is_some();
        let managed = owner(node).is_some_and(|task| extension(task, "userTask").is_some());
        if any && !managed {
            self.error("Task listeners are only allowed on Camunda user tasks.");
        }
    }

    fn task_headers(&mut self, node: Xml<'a>) {
        let keys: Vec<&str> = parts(node, "header")
            .filter_map(|header| given(header, "key"))
            .collect();
        for key in keys
            .iter()
            .filter(|key| key.starts_with(RESERVED_HEADER_PREFIX))
        {
            self.expression_error(format!(
                "Attribute 'key' contains '{key}', but header keys starting with \
                 '{RESERVED_HEADER_PREFIX}' are reserved for internal use."
            ));
        }
        for (key, _) in duplicates(keys.into_iter().map(str::to_owned)) {
            self.expression_error(format!("Headers contain duplicate entries for key '{key}'"));
        }
    }

    fn loop_characteristics(&mut self, node: Xml<'a>) {
        self.present(node, "inputCollection");
        let is_given = |name| given(node, name).is_some();
        for (set, missing) in [
            ("outputCollection", "outputElement"),
            ("outputElement", "outputCollection"),
        ] {
            if is_given(set) && !is_given(missing) {
                self.error(format!(
                    "Attribute '{missing}' must be present if the attribute '{set}' is set"
                ));
            }
        }
        self.mandatory_feel(given(node, "inputCollection"));
        self.feel(given(node, "outputElement").filter(|element| !element.is_empty()));
    }

    fn binding(&mut self, node: Xml<'a>) {
        let binding = node.attribute("bindingType");
        if binding.is_some_and(|name| !["deployment", "latest", "versionTag"].contains(&name)) {
            self.error("Attribute 'bindingType' must be one of: deployment, latest, versionTag");
        }
        let tagged = node
            .attribute("versionTag")
            .is_some_and(|tag| !tag.trim().is_empty());
        if binding == Some("versionTag") && !tagged {
            self.error(
                "Attribute 'versionTag' must be present and not empty if 'bindingType' is \
                 'versionTag'",
            );
        } else if binding != Some("versionTag") && tagged {
            self.error("Attribute 'versionTag' may only be used if 'bindingType' is 'versionTag'");
        }
    }

    fn form_definition(&mut self, node: Xml<'a>) {
        let given = |name| given(node, name).is_some_and(|value: &str| !value.trim().is_empty());
        let managed = owner(node).is_some_and(|task| extension(task, "userTask").is_some());
        let (other, suffix) = if managed {
            ("externalReference", " for native user tasks")
        } else {
            ("formKey", "")
        };
        if given(other) == given("formId") {
            self.error(format!(
                "Exactly one of the attributes 'formId, {other}' must be present and not \
                 blank{suffix}"
            ));
        }
        self.binding(node);
        for name in ["formId", "externalReference"] {
            self.readable(node.attribute(name));
        }
    }

    fn assignment(&mut self, node: Xml<'a>) {
        self.optional_expression(given(node, "assignee"));
        for name in ["candidateGroups", "candidateUsers"] {
            self.static_value(
                given(node, name),
                |value| value.source.is_empty() || comma_separated(&value.source).is_some(),
                "be a list of comma-separated values, e.g. 'a,b,c'",
            );
        }
    }

    fn job_priority(&mut self, node: Xml<'a>) {
        // Without the attribute it is 0, as where there is no definition.
        let Some(source) = given(node, "priority") else {
            return;
        };
        if source.starts_with('=') {
            return self.readable(Some(source));
        }
        if source.parse::<i32>().is_err() {
            self.error(format!(
                "Expected 'priority' to be a literal integer or a FEEL expression (starting with '='), but got '{source}'."
            ));
        }
    }

    fn priority(&mut self, node: Xml<'a>) {
        // Without the attribute it is that of every user task; Camunda's model builder leaves it out.
        let Some(source) = given(node, "priority") else {
            return;
        };
        self.present(node, "priority");
        if let Ok(Expr {
            code: Code::Number(number),
            ..
        }) = Expr::parse(source)
            && !(0..=100).contains(&number)
        {
            return self.expression_error(format!(
                "Priority must be a number between 0 and 100, but was '{source}'"
            ));
        }
        self.static_value(
            Some(source),
            |value| matches!(value.code, Code::Number(_)),
            "be a valid Number between 0 and 100",
        );
    }

    fn conditional_filter(&mut self, node: Xml<'a>) {
        let given = |name| given(node, name).filter(|value: &&str| !value.trim().is_empty());
        for event in given("variableEvents")
            .into_iter()
            .flat_map(|list| list.split(','))
        {
            let event = event.trim();
            if !["", "create", "update"].contains(&event) {
                self.error(format!(
                    "Variable event '{event}' is not valid. Must be one of: create, update or a \
                     comma-separated list of both."
                ));
            }
        }
        let Some(names) = given("variableNames") else {
            return;
        };
        for name in names.split(',').map(str::trim) {
            if name.is_empty() {
                self.error(format!(
                    "Variable names must not contain empty names but '{names}' given. Please \
                     provide a comma-separated list of variable names without empty entries."
                ));
            } else if name == "=" || is_feel(name) {
                self.error(format!(
                    "Variable names must be static and cannot be expressions. '{name}' starts with \
                     '='."
                ));
            }
        }
    }
}

/// The element that an extension element extends.
fn owner<'a>(node: Xml<'a>) -> Option<Xml<'a>> {
    node.parent_element()?.parent_element()
}

fn in_mapping(node: Xml<'_>) -> bool {
    node.parent_element()
        .is_some_and(|parent| is_extension(parent, "ioMapping"))
}
