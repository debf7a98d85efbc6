//! Creating and cancelling process instances.
//!
//! Creation goes to any partition in turn; one that waits for the end is answered by the event that
//! completes the instance, with the variables of its root scope, and its time-out does not touch
//! the instance. The order in which id and key select the definition is the engine's rule.

use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{
    ProcessInstanceBusinessIdRecord, ProcessInstanceCreationRecord, ProcessInstanceRecord,
    RuntimeInstruction, RuntimeInstructionType, StartInstruction,
};
use ringflow_core::record::{Document, Text};

use super::shape::{Members, ObjectWriter};
use super::{Caller, answered, tenant, wanted_timeout};
use crate::problem::{OperationName, Problem};
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

pub(crate) const CREATE: OperationName = OperationName {
    rpc: "CreateProcessInstance",
    human: "Create Process Instance",
};
const CREATE_WITH_RESULT: OperationName = OperationName {
    rpc: "CreateProcessInstanceWithResult",
    human: "Create Process Instance With Result",
};
/// Most tags of an instance.
const TAGS: usize = 10;
/// Longest tag.
const TAG_CHARACTERS: usize = 100;
/// Longest business id.
const BUSINESS_ID_CHARACTERS: usize = 256;

/// Create an instance, and perhaps wait for its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Create {
    pub(crate) definition_id: String,
    /// Negative = not given.
    pub(crate) definition_key: i64,
    pub(crate) version: i32,
    pub(crate) variables: Document,
    pub(crate) start_at: Vec<String>,
    /// Elements behind which the instance is terminated.
    pub(crate) terminate_after: Vec<String>,
    pub(crate) tenant_id: Option<String>,
    pub(crate) operation_reference: Option<i64>,
    pub(crate) tags: Vec<String>,
    pub(crate) business_id: String,
    pub(crate) wait: Option<Wait>,
}

/// How to wait for the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wait {
    /// Milliseconds; 0 = the gateway's default.
    pub(crate) timeout: i64,
    /// Variables to hand back; empty = all.
    pub(crate) fetch_variables: Vec<String>,
}

/// A created instance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Created {
    pub(crate) definition_key: Key,
    pub(crate) definition_id: Text,
    pub(crate) version: i32,
    pub(crate) instance_key: Key,
    pub(crate) tenant_id: Text,
    pub(crate) tags: Vec<Text>,
    pub(crate) business_id: Text,
    /// Of the ended instance; empty if nobody waited.
    pub(crate) variables: Document,
}

impl Create {
    /// # Errors
    /// A rule is broken, the engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Created, Problem> {
        let name = if self.wait.is_some() {
            CREATE_WITH_RESULT
        } else {
            CREATE
        };
        let tenant_id = tenant(front, name, self.tenant_id.as_deref())?;
        self.check()?;
        // Who looks for a business id finds all its instances on one partition.
        let target = match self.business_id.as_str() {
            "" => Target::Any,
            id => Target::Correlation(id.to_owned()),
        };
        let value = ProcessInstanceCreationRecord {
            bpmn_process_id: Text::from(self.definition_id),
            process_definition_key: Key(self.definition_key),
            version: self.version,
            variables: self.variables,
            start_instructions: self
                .start_at
                .into_iter()
                .map(|element_id| StartInstruction {
                    element_id: Text::from(element_id),
                })
                .collect(),
            runtime_instructions: self
                .terminate_after
                .into_iter()
                .map(|element_id| RuntimeInstruction {
                    kind: RuntimeInstructionType::TerminateProcessInstance,
                    after_element_id: Text::from(element_id),
                })
                .collect(),
            fetch_variables: super::texts(
                self.wait
                    .as_ref()
                    .map(|wait| wait.fetch_variables.clone())
                    .unwrap_or_default(),
            ),
            tenant_id,
            tags: super::texts(self.tags),
            business_id: Text::from(self.business_id),
            ..ProcessInstanceCreationRecord::default()
        };
        let Some(wait) = self.wait else {
            let command = caller.command(
                Key::NONE,
                of::ProcessInstanceCreation::Create,
                value,
                self.operation_reference,
            );
            let response = front.call(&target, command, None).await?;
            let created = answered!(response, ProcessInstanceCreation)?;
            return Ok(Created {
                definition_key: created.process_definition_key,
                definition_id: created.bpmn_process_id.clone(),
                version: created.version,
                instance_key: created.process_instance_key,
                tenant_id: created.tenant_id.clone(),
                tags: created.tags.clone(),
                business_id: created.business_id.clone(),
                variables: Document::EMPTY,
            });
        };
        let command = caller.command(
            Key::NONE,
            of::ProcessInstanceCreation::CreateWithAwaitingResult,
            value,
            self.operation_reference,
        );
        let timeout = wanted_timeout(&front.limits, wait.timeout);
        let response = front.call(&target, command, timeout).await?;
        let ended = answered!(response, ProcessInstanceResult)?;
        Ok(Created {
            definition_key: ended.process_definition_key,
            definition_id: ended.bpmn_process_id.clone(),
            version: ended.version,
            instance_key: ended.process_instance_key,
            tenant_id: ended.tenant_id.clone(),
            tags: ended.tags.clone(),
            business_id: ended.business_id.clone(),
            variables: ended.variables.clone(),
        })
    }

    fn check(&self) -> Result<(), Problem> {
        let mut violations = Vec::new();
        if self.tags.len() > TAGS {
            violations.push(format!(
                "The provided number of tags '{}' is not supported. Ensure to not add more than \
                 {TAGS} tags.",
                self.tags.len()
            ));
        }
        for tag in self.tags.iter().filter(|tag| !is_tag(tag)) {
            violations.push(format!(
                "The provided tag '{tag}' is not valid. Tags must start with a letter (a-z, A-Z), \
                 followed by alphanumerics, underscores, minuses, colons, or periods. It must not \
                 be blank and must be 100 characters or less."
            ));
        }
        if self.business_id.chars().count() > BUSINESS_ID_CHARACTERS {
            violations.push(format!(
                "The provided businessId exceeds the limit of {BUSINESS_ID_CHARACTERS} characters"
            ));
        }
        if violations.is_empty() {
            Ok(())
        } else {
            Err(Problem::Invalid(violations))
        }
    }
}

fn is_tag(tag: &str) -> bool {
    tag.starts_with(|c: char| c.is_ascii_alphabetic())
        && tag.chars().count() <= TAG_CHARACTERS
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.'))
}

/// `assignProcessInstanceBusinessId`.
pub(crate) async fn assign_business_id(call: Call) -> Result<Answer, Problem> {
    let key = call.path_key("processInstanceKey");
    let business_id = Members(&call.body).str("businessId").unwrap_or_default();
    let record = ProcessInstanceBusinessIdRecord {
        process_instance_key: key,
        business_id: Text::from(business_id),
        ..ProcessInstanceBusinessIdRecord::default()
    };
    let intent = of::ProcessInstanceBusinessId::Assign;
    let command = call.caller.command(key, intent, record, None);
    call.front.call(&Target::Key(key), command, None).await?;
    Ok(Answer::NoContent)
}

/// Cancel an instance.
#[derive(Clone, Debug)]
pub(crate) struct Cancel {
    pub(crate) key: Key,
    pub(crate) operation_reference: Option<i64>,
}

impl Cancel {
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<(), Problem> {
        let command = caller.command(
            self.key,
            of::ProcessInstance::Cancel,
            ProcessInstanceRecord {
                process_instance_key: self.key,
                ..ProcessInstanceRecord::default()
            },
            self.operation_reference,
        );
        front.call(&Target::Key(self.key), command, None).await?;
        Ok(())
    }
}

/// `createProcessInstance`.
pub(crate) async fn create(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let request = Create {
        definition_id: body
            .str("processDefinitionId")
            .unwrap_or_default()
            .to_owned(),
        definition_key: body.key("processDefinitionKey").map_or(-1, |key| key.0),
        version: body.int32("processDefinitionVersion").unwrap_or(-1),
        variables: body.document("variables"),
        start_at: body
            .list("startInstructions")
            .iter()
            .filter_map(|instruction| Members(instruction).str("elementId"))
            .map(str::to_owned)
            .collect(),
        terminate_after: body
            .list("runtimeInstructions")
            .iter()
            .filter_map(|instruction| Members(instruction).str("afterElementId"))
            .map(str::to_owned)
            .collect(),
        tenant_id: body.str("tenantId").map(str::to_owned),
        operation_reference: body.int("operationReference"),
        tags: body.strings("tags"),
        business_id: body.str("businessId").unwrap_or_default().to_owned(),
        wait: body
            .flag("awaitCompletion")
            .filter(|wait| *wait)
            .map(|_| Wait {
                timeout: body.int("requestTimeout").unwrap_or(0),
                fetch_variables: body.strings("fetchVariables"),
            }),
    };
    let created = request.run(&call.front, &call.caller).await?;
    let mut out = ObjectWriter::new();
    out.str("processDefinitionId", &created.definition_id)
        .int("processDefinitionVersion", i64::from(created.version))
        .str("tenantId", &created.tenant_id)
        .document("variables", &created.variables)?
        .key("processDefinitionKey", created.definition_key)
        .key("processInstanceKey", created.instance_key)
        .strs("tags", created.tags.iter().map(Text::as_str))
        .str_or_null("businessId", &created.business_id);
    Ok(Answer::Json(out.finish()))
}

/// `cancelProcessInstance`.
pub(crate) async fn cancel(call: Call) -> Result<Answer, Problem> {
    let request = Cancel {
        key: call.path_key("processInstanceKey"),
        operation_reference: Members(&call.body).int("operationReference"),
    };
    request.run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}
