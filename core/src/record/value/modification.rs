//! A running process instance is changed by hand: elements activated, terminated or moved, or the
//! whole instance moved to another definition.
//!
//! Zeebe: `ProcessInstanceModificationRecord`, `ProcessInstanceMigrationRecord`. The event repeats
//! what was asked for, in the form in which it was carried out: a move is an activation and a
//! termination there, an element id is the keys it stood for.

use crate::ids::Key;
use crate::record::value::default_tenant;
use crate::record::{Document, Text};
use crate::record_value;

record_value! {
    /// Variables to set in one scope of an activation.
    pub struct ModificationVariables {
        /// Element whose instance is the scope; empty = the process instance.
        element_id "elementId": Text,
        /// Variables.
        variables "variables": Document,
    }
}

record_value! {
    /// An element to activate.
    pub struct ActivateInstruction {
        /// Element in the model.
        element_id "elementId": Text,
        /// Instance inside which it is activated; not positive = the only one there is.
        ancestor_scope_key "ancestorScopeKey": Key,
        /// Variables, in the order in which they are set.
        variable_instructions "variableInstructions": Vec<ModificationVariables>,
        /// Scopes it was activated in, from the outside in (event only).
        ancestor_scope_keys "ancestorScopeKeys": Vec<Key>,
    }
}

record_value! {
    /// Element instances to terminate: one by key, or all of an element.
    pub struct TerminateInstruction {
        /// Instance; not positive = by element.
        element_instance_key "elementInstanceKey": Key,
        /// Element in the model.
        element_id "elementId": Text,
    }
}

record_value! {
    /// Element instances to terminate, and what to activate for each of them.
    pub struct MoveInstruction {
        /// Element whose instances are moved.
        source_element_id "sourceElementId": Text,
        /// Instance that is moved; not positive = by element.
        source_element_instance_key "sourceElementInstanceKey": Key,
        /// Element to activate.
        target_element_id "targetElementId": Text,
        /// Variables of the activation.
        variable_instructions "variableInstructions": Vec<ModificationVariables>,
        /// Instance inside which it is activated; not positive = not given.
        ancestor_scope_key "ancestorScopeKey": Key,
        /// That instance is the nearest one around the source that is a scope of the target.
        infer_ancestor_scope "inferAncestorScopeFromSourceHierarchy": bool,
        /// That instance is the flow scope of the source.
        use_source_parent "useSourceParentKeyAsAncestorScopeKey": bool,
    }
}

record_value! {
    /// A modification of one instance.
    pub struct ProcessInstanceModificationRecord {
        /// The instance.
        process_instance_key "processInstanceKey": Key,
        /// What ends.
        terminate_instructions "terminateInstructions": Vec<TerminateInstruction>,
        /// What begins.
        activate_instructions "activateInstructions": Vec<ActivateInstruction>,
        /// What moves (command only).
        move_instructions "moveInstructions": Vec<MoveInstruction>,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Root of the call hierarchy (event only).
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// Its definition (event only).
        process_definition_key "processDefinitionKey": Key,
        /// BPMN process id (event only).
        bpmn_process_id "bpmnProcessId": Text,
    }
}

record_value! {
    /// What an element of the old definition is in the new one.
    pub struct MappingInstruction {
        /// Element or flow of the old definition.
        source_element_id "sourceElementId": Text,
        /// Element or flow of the new definition.
        target_element_id "targetElementId": Text,
    }
}

record_value! {
    /// A migration of one instance.
    pub struct ProcessInstanceMigrationRecord {
        /// The instance.
        process_instance_key "processInstanceKey": Key,
        /// The new definition.
        target_process_definition_key "targetProcessDefinitionKey": Key,
        /// Elements.
        mapping_instructions "mappingInstructions": Vec<MappingInstruction>,
        /// Tenant.
        tenant_id "tenantId": Text = default_tenant(),
        /// Root of the call hierarchy (event only).
        root_process_instance_key "rootProcessInstanceKey": Key,
        /// The old definition (event only).
        process_definition_key "processDefinitionKey": Key,
        /// The old BPMN process id (event only).
        bpmn_process_id "bpmnProcessId": Text,
    }
}
