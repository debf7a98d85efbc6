//! Tests of what a body asks for, and of how rows become answers.
//!
//! Without a database: the shapes alone.

use super::*;
use crate::contract::Contract;

#[test]
fn rows_offer_every_field_that_the_contract_requires() {
    let contract = Contract::load().unwrap();
    let cases = [
        (Entity::ProcessDefinition, "ProcessDefinitionResult"),
        (Entity::ProcessInstance, "ProcessInstanceResult"),
        (Entity::ElementInstance, "ElementInstanceResult"),
        (Entity::Variable, "VariableSearchResult"),
        (Entity::Job, "JobSearchResult"),
        (Entity::Incident, "IncidentResult"),
        (Entity::UserTask, "UserTaskResult"),
        (Entity::MessageSubscription, "MessageSubscriptionResult"),
        (
            Entity::CorrelatedMessageSubscription,
            "CorrelatedMessageSubscriptionResult",
        ),
        (Entity::SequenceFlow, "ProcessInstanceSequenceFlowResult"),
        (Entity::Form, "FormResult"),
        (Entity::Resource, "ResourceResult"),
        (Entity::BatchOperation, "BatchOperationResponse"),
        (Entity::BatchOperationItem, "BatchOperationItemResponse"),
        (Entity::DecisionDefinition, "DecisionDefinitionResult"),
        (Entity::DecisionRequirements, "DecisionRequirementsResult"),
        (Entity::DecisionInstance, "DecisionInstanceGetQueryResult"),
        (Entity::User, "UserResult"),
        (Entity::Group, "GroupResult"),
        (Entity::Role, "RoleResult"),
        (Entity::Tenant, "TenantResult"),
        (Entity::MappingRule, "MappingRuleResult"),
        (Entity::Authorization, "AuthorizationResult"),
        (Entity::GroupMember, "GroupUserResult"),
        (Entity::RoleMember, "RoleGroupResult"),
        (Entity::TenantMember, "TenantClientResult"),
    ];
    for (entity, name) in cases {
        let schema = contract.library.named(name).expect(name);
        let Shape::Object(object) = &contract.library.shape(schema) else {
            panic!("{name} is no object");
        };
        let offered = entity.result_fields();
        for property in object
            .properties
            .iter()
            .filter(|property| property.required)
        {
            assert!(
                offered.contains(&property.name.as_str()),
                "{name}.{} is not offered",
                property.name
            );
        }
    }
}
