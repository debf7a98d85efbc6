//! Setting variables of an element instance.
//!
//! Without `local`, each variable goes to the nearest scope that has it, else to the root; with it,
//! all stay in the scope itself.

use ringflow_core::ids::Key;
use ringflow_core::record::Document;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{UpdateSemantics, VariableDocumentRecord};

use super::Caller;
use super::shape::Members;
use crate::problem::Problem;
use crate::rest::{Answer, Call};
use crate::route::Target;
use crate::submit::Front;

/// Set variables.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) scope: Key,
    pub(crate) variables: Document,
    pub(crate) local: bool,
    pub(crate) operation_reference: Option<i64>,
}

impl Set {
    /// The key of the command that set them.
    ///
    /// # Errors
    /// The engine refused, or no answer came.
    pub(crate) async fn run(self, front: &Front, caller: &Caller) -> Result<Key, Problem> {
        // Unlike with other keys, no partition is asked in place of one that is none.
        let partition = self.scope.partition();
        if self.scope.0 >= 0 && partition.0 == 0 {
            return Err(Problem::NoSuchPartition(partition));
        }
        let command = caller.command(
            Key::NONE,
            of::VariableDocument::Update,
            VariableDocumentRecord {
                scope_key: self.scope,
                update_semantics: if self.local {
                    UpdateSemantics::Local
                } else {
                    UpdateSemantics::Propagate
                },
                variables: self.variables,
                ..VariableDocumentRecord::default()
            },
            self.operation_reference,
        );
        let response = front.call(&Target::Key(self.scope), command, None).await?;
        Ok(response.key)
    }
}

/// `createElementInstanceVariables`.
pub(crate) async fn set(call: Call) -> Result<Answer, Problem> {
    let body = Members(&call.body);
    let request = Set {
        scope: call.path_key("elementInstanceKey"),
        variables: body.document("variables"),
        local: body.flag("local").unwrap_or(false),
        operation_reference: body.int("operationReference"),
    };
    request.run(&call.front, &call.caller).await?;
    Ok(Answer::NoContent)
}
