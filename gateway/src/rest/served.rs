//! Which function serves which operation of the contract.
//!
//! One row an operation. An operation without a row answers 501 with its name; a row whose name the
//! contract does not know is found at start. Order has no meaning.

use futures::FutureExt;
use futures::future::BoxFuture;
use ringflow_core::record::value::{BatchOperationType, EntityType};

use super::{Answer, Call};
use crate::backend::Entity;
use crate::op::search::{agent as agents, statistics, wait_state};
use crate::op::{
    ad_hoc, agent, backup, batch, clock, cluster, cluster_variable, conditional, decision,
    document, exporting, expression, global_listener, identity, incident, instance_change, job,
    message, process_instance, resource, search, signal, user_task, variable,
};
use crate::problem::Problem;

pub(super) type Handler = fn(Call) -> BoxFuture<'static, Result<Answer, Problem>>;

/// Served operations: contract id, function.
pub(super) const SERVED: &[(&str, Handler)] = &[
    ("getTopology", |c| cluster::topology(c).boxed()),
    ("getStatus", |c| cluster::status(c).boxed()),
    ("getSystemConfiguration", |c| {
        cluster::configuration(c).boxed()
    }),
    ("getLicense", |c| cluster::license(c).boxed()),
    ("getAuthentication", |c| cluster::me(c).boxed()),
    ("takeRuntimeBackup", |c| backup::take(c).boxed()),
    ("listRuntimeBackups", |c| backup::list(c).boxed()),
    ("getRuntimeBackup", |c| backup::get(c).boxed()),
    ("deleteRuntimeBackup", |c| backup::delete(c).boxed()),
    ("getRuntimeBackupState", |c| backup::state(c).boxed()),
    ("takeHistoryBackup", |c| backup::history(c).boxed()),
    ("listHistoryBackups", |c| backup::history(c).boxed()),
    ("getHistoryBackup", |c| backup::history(c).boxed()),
    ("deleteHistoryBackup", |c| backup::history(c).boxed()),
    ("createGlobalClusterVariable", |c| {
        cluster_variable::create(c).boxed()
    }),
    ("createTenantClusterVariable", |c| {
        cluster_variable::create(c).boxed()
    }),
    ("updateGlobalClusterVariable", |c| {
        cluster_variable::update(c).boxed()
    }),
    ("updateTenantClusterVariable", |c| {
        cluster_variable::update(c).boxed()
    }),
    ("deleteGlobalClusterVariable", |c| {
        cluster_variable::delete(c).boxed()
    }),
    ("deleteTenantClusterVariable", |c| {
        cluster_variable::delete(c).boxed()
    }),
    ("getGlobalClusterVariable", |c| {
        cluster_variable::get(c).boxed()
    }),
    ("getTenantClusterVariable", |c| {
        cluster_variable::get(c).boxed()
    }),
    ("searchClusterVariables", |c| {
        search::search(c, Entity::ClusterVariable).boxed()
    }),
    ("createGlobalTaskListener", |c| {
        global_listener::create(c).boxed()
    }),
    ("updateGlobalTaskListener", |c| {
        global_listener::update(c).boxed()
    }),
    ("deleteGlobalTaskListener", |c| {
        global_listener::delete(c).boxed()
    }),
    ("getGlobalTaskListener", |c| global_listener::get(c).boxed()),
    ("searchGlobalTaskListeners", |c| {
        search::search(c, Entity::GlobalListener).boxed()
    }),
    ("searchAgentDefinitions", |c| {
        search::search(c, Entity::AgentDefinition).boxed()
    }),
    ("getAgentDefinition", |c| {
        search::get(
            c,
            Entity::AgentDefinition,
            "agentDefinitionKey",
            "Agent Definition",
        )
        .boxed()
    }),
    ("createAgentInstance", |c| agent::create(c).boxed()),
    ("updateAgentInstance", |c| agent::update(c).boxed()),
    ("createAgentInstanceHistoryItem", |c| {
        agent::create_item(c).boxed()
    }),
    ("searchAgentInstances", |c| agents::search(c).boxed()),
    ("getAgentInstance", |c| agents::get(c).boxed()),
    ("searchAgentInstanceHistory", |c| {
        agents::search_history(c).boxed()
    }),
    ("getUsageMetrics", |c| statistics::usage(c).boxed()),
    ("searchOwnAuthorizations", |c| {
        identity::search_own_authorizations(c).boxed()
    }),
    ("searchProcessDefinitionVariableNames", |c| {
        search::search_within(c, Entity::VariableName, "processDefinitionKey").boxed()
    }),
    ("searchElementInstanceWaitStates", |c| {
        wait_state::search(c).boxed()
    }),
    ("getProcessInstanceWaitStateStatistics", |c| {
        wait_state::by_element(c).boxed()
    }),
    ("getExportingStatus", |c| exporting::status(c).boxed()),
    ("pauseExporting", |c| exporting::pause(c).boxed()),
    ("resumeExporting", |c| exporting::resume(c).boxed()),
    ("createDocument", |c| document::create(c).boxed()),
    ("createDocuments", |c| document::create_several(c).boxed()),
    ("getDocument", |c| document::get(c).boxed()),
    ("deleteDocument", |c| document::delete(c).boxed()),
    ("createDocumentLink", |c| document::link(c).boxed()),
    ("createDeployment", |c| resource::deploy(c).boxed()),
    ("deleteResource", |c| resource::delete(c).boxed()),
    ("createProcessInstance", |c| {
        process_instance::create(c).boxed()
    }),
    ("cancelProcessInstance", |c| {
        process_instance::cancel(c).boxed()
    }),
    ("assignProcessInstanceBusinessId", |c| {
        process_instance::assign_business_id(c).boxed()
    }),
    ("activateJobs", |c| job::activate::activate(c).boxed()),
    ("completeJob", |c| job::complete(c).boxed()),
    ("failJob", |c| job::fail(c).boxed()),
    ("throwJobError", |c| job::throw_error(c).boxed()),
    ("updateJob", |c| job::update(c).boxed()),
    ("publishMessage", |c| message::publish(c).boxed()),
    ("correlateMessage", |c| message::correlate(c).boxed()),
    ("broadcastSignal", |c| signal::broadcast(c).boxed()),
    ("resolveIncident", |c| incident::resolve(c).boxed()),
    ("createElementInstanceVariables", |c| {
        variable::set(c).boxed()
    }),
    ("assignUserTask", |c| user_task::assign(c).boxed()),
    ("unassignUserTask", |c| user_task::unassign(c).boxed()),
    ("completeUserTask", |c| user_task::complete(c).boxed()),
    ("updateUserTask", |c| user_task::update(c).boxed()),
    ("searchProcessInstances", |c| {
        search::search(c, Entity::ProcessInstance).boxed()
    }),
    ("getProcessInstance", |c| {
        search::get(
            c,
            Entity::ProcessInstance,
            "processInstanceKey",
            "Process Instance",
        )
        .boxed()
    }),
    ("getProcessInstanceSequenceFlows", |c| {
        search::sequence_flows(c).boxed()
    }),
    ("searchProcessInstanceIncidents", |c| {
        search::search_incidents_of_instance(c).boxed()
    }),
    ("searchElementInstances", |c| {
        search::search(c, Entity::ElementInstance).boxed()
    }),
    ("getElementInstance", |c| {
        search::get(
            c,
            Entity::ElementInstance,
            "elementInstanceKey",
            "Element Instance",
        )
        .boxed()
    }),
    ("searchElementInstanceIncidents", |c| {
        search::search_incidents_of_element(c).boxed()
    }),
    ("searchVariables", |c| {
        search::search(c, Entity::Variable).boxed()
    }),
    ("getVariable", |c| {
        search::get(c, Entity::Variable, "variableKey", "Variable").boxed()
    }),
    ("searchIncidents", |c| {
        search::search(c, Entity::Incident).boxed()
    }),
    ("getIncident", |c| {
        search::get(c, Entity::Incident, "incidentKey", "Incident").boxed()
    }),
    ("searchJobs", |c| search::search(c, Entity::Job).boxed()),
    ("searchUserTasks", |c| {
        search::search(c, Entity::UserTask).boxed()
    }),
    ("getUserTask", |c| {
        search::get(c, Entity::UserTask, "userTaskKey", "User Task").boxed()
    }),
    ("searchUserTaskVariables", |c| {
        search::search_task_variables(c).boxed()
    }),
    ("searchUserTaskEffectiveVariables", |c| {
        search::search_effective_variables(c).boxed()
    }),
    ("getProcessInstanceCallHierarchy", |c| {
        search::call_hierarchy(c).boxed()
    }),
    ("getProcessInstanceStatistics", |c| {
        statistics::elements_of_instance(c).boxed()
    }),
    ("getProcessDefinitionStatistics", |c| {
        statistics::elements_of_definition(c).boxed()
    }),
    ("getProcessDefinitionInstanceStatistics", |c| {
        statistics::instances_by_definition(c).boxed()
    }),
    ("getProcessDefinitionInstanceVersionStatistics", |c| {
        statistics::instances_by_version(c).boxed()
    }),
    ("getProcessDefinitionMessageSubscriptionStatistics", |c| {
        statistics::subscriptions(c).boxed()
    }),
    ("getProcessInstanceStatisticsByError", |c| {
        statistics::incidents_by_error(c).boxed()
    }),
    ("getProcessInstanceStatisticsByDefinition", |c| {
        statistics::incidents_by_definition(c).boxed()
    }),
    ("getGlobalJobStatistics", |c| statistics::jobs(c).boxed()),
    ("getJobTypeStatistics", |c| {
        statistics::jobs_by_type(c).boxed()
    }),
    ("getJobWorkerStatistics", |c| {
        statistics::jobs_by_worker(c).boxed()
    }),
    ("getJobTimeSeriesStatistics", |c| {
        statistics::jobs_over_time(c).boxed()
    }),
    ("getJobErrorStatistics", |c| {
        statistics::job_errors(c).boxed()
    }),
    ("searchAuditLogs", |c| {
        search::search(c, Entity::AuditLog).boxed()
    }),
    ("getAuditLog", |c| {
        search::get_called_id(c, Entity::AuditLog, "auditLogKey", "Audit log").boxed()
    }),
    ("searchUserTaskAuditLogs", |c| {
        search::search_within(c, Entity::AuditLog, "userTaskKey").boxed()
    }),
    ("searchProcessDefinitions", |c| {
        search::search_definitions(c).boxed()
    }),
    ("getProcessDefinition", |c| {
        search::get(
            c,
            Entity::ProcessDefinition,
            "processDefinitionKey",
            "Process Definition",
        )
        .boxed()
    }),
    ("getProcessDefinitionXML", |c| {
        search::definition_xml(c).boxed()
    }),
    ("searchMessageSubscriptions", |c| {
        search::search(c, Entity::MessageSubscription).boxed()
    }),
    ("searchCorrelatedMessageSubscriptions", |c| {
        search::search(c, Entity::CorrelatedMessageSubscription).boxed()
    }),
    ("getResource", |c| resource::get(c).boxed()),
    ("getResourceContent", |c| resource::content(c).boxed()),
    ("getResourceContentBinary", |c| {
        resource::content_binary(c).boxed()
    }),
    ("searchResources", |c| {
        search::search(c, Entity::Resource).boxed()
    }),
    ("getFormByKey", |c| {
        search::get(c, Entity::Form, "formKey", "Form").boxed()
    }),
    ("getUserTaskForm", |c| search::task_form(c).boxed()),
    ("getStartProcessForm", |c| search::start_form(c).boxed()),
    ("migrateProcessInstance", |c| {
        instance_change::migrate(c).boxed()
    }),
    ("modifyProcessInstance", |c| {
        instance_change::modify(c).boxed()
    }),
    ("evaluateConditionals", |c| conditional::evaluate(c).boxed()),
    ("activateAdHocSubProcessActivities", |c| {
        ad_hoc::activate(c).boxed()
    }),
    ("cancelProcessInstancesBatchOperation", |c| {
        batch::create(c, BatchOperationType::CancelProcessInstance).boxed()
    }),
    ("resolveIncidentsBatchOperation", |c| {
        batch::create(c, BatchOperationType::ResolveIncident).boxed()
    }),
    ("deleteProcessInstancesBatchOperation", |c| {
        batch::create(c, BatchOperationType::DeleteProcessInstance).boxed()
    }),
    ("deleteDecisionInstancesBatchOperation", |c| {
        batch::create(c, BatchOperationType::DeleteDecisionInstance).boxed()
    }),
    ("updateJobsBatchOperation", |c| {
        batch::create(c, BatchOperationType::UpdateJob).boxed()
    }),
    ("migrateProcessInstancesBatchOperation", |c| {
        batch::create(c, BatchOperationType::MigrateProcessInstance).boxed()
    }),
    ("modifyProcessInstancesBatchOperation", |c| {
        batch::create(c, BatchOperationType::ModifyProcessInstance).boxed()
    }),
    ("resolveProcessInstanceIncidents", |c| {
        batch::resolve_incidents(c).boxed()
    }),
    ("deleteProcessInstance", |c| {
        batch::delete_instance(c).boxed()
    }),
    ("deleteDecisionInstance", |c| {
        batch::delete_decision(c).boxed()
    }),
    ("cancelBatchOperation", |c| {
        batch::manage(c, batch::Manage::Cancel).boxed()
    }),
    ("suspendBatchOperation", |c| {
        batch::manage(c, batch::Manage::Suspend).boxed()
    }),
    ("resumeBatchOperation", |c| {
        batch::manage(c, batch::Manage::Resume).boxed()
    }),
    ("searchBatchOperations", |c| {
        search::search(c, Entity::BatchOperation).boxed()
    }),
    ("getBatchOperation", |c| {
        search::get_called_id(
            c,
            Entity::BatchOperation,
            "batchOperationKey",
            "Batch Operation",
        )
        .boxed()
    }),
    ("searchBatchOperationItems", |c| {
        search::search(c, Entity::BatchOperationItem).boxed()
    }),
    ("pinClock", |c| clock::pin(c).boxed()),
    ("resetClock", |c| clock::reset(c).boxed()),
    ("evaluateExpression", |c| expression::evaluate(c).boxed()),
    ("evaluateDecision", |c| decision::evaluate(c).boxed()),
    ("searchDecisionDefinitions", |c| {
        search::search(c, Entity::DecisionDefinition).boxed()
    }),
    ("getDecisionDefinition", |c| {
        search::get(
            c,
            Entity::DecisionDefinition,
            "decisionDefinitionKey",
            "Decision Definition",
        )
        .boxed()
    }),
    ("getDecisionDefinitionXML", |c| {
        search::decision_xml(c, Entity::DecisionDefinition).boxed()
    }),
    ("searchDecisionRequirements", |c| {
        search::search(c, Entity::DecisionRequirements).boxed()
    }),
    ("getDecisionRequirements", |c| {
        search::get(
            c,
            Entity::DecisionRequirements,
            "decisionRequirementsKey",
            "Decision Requirements",
        )
        .boxed()
    }),
    ("getDecisionRequirementsXML", |c| {
        search::decision_xml(c, Entity::DecisionRequirements).boxed()
    }),
    ("searchDecisionInstances", |c| {
        search::search(c, Entity::DecisionInstance).boxed()
    }),
    ("getDecisionInstance", |c| {
        search::decision_instance(c).boxed()
    }),
    ("createUser", |c| identity::create_user(c).boxed()),
    ("updateUser", |c| identity::update_user(c).boxed()),
    ("deleteUser", |c| identity::delete_user(c).boxed()),
    ("searchUsers", |c| search::search(c, Entity::User).boxed()),
    ("getUser", |c| {
        search::get_named(c, Entity::User, "username", "User").boxed()
    }),
    ("createAdminUser", |c| identity::create_admin(c).boxed()),
    ("createGroup", |c| identity::group::create(c).boxed()),
    ("updateGroup", |c| identity::group::update(c).boxed()),
    ("deleteGroup", |c| identity::group::delete(c).boxed()),
    ("searchGroups", |c| search::search(c, Entity::Group).boxed()),
    ("getGroup", |c| {
        search::get_named(c, Entity::Group, "groupId", "Group").boxed()
    }),
    ("assignUserToGroup", |c| {
        identity::group::add(c, EntityType::User).boxed()
    }),
    ("unassignUserFromGroup", |c| {
        identity::group::remove(c, EntityType::User).boxed()
    }),
    ("assignClientToGroup", |c| {
        identity::group::add(c, EntityType::Client).boxed()
    }),
    ("unassignClientFromGroup", |c| {
        identity::group::remove(c, EntityType::Client).boxed()
    }),
    ("assignMappingRuleToGroup", |c| {
        identity::group::add(c, EntityType::MappingRule).boxed()
    }),
    ("unassignMappingRuleFromGroup", |c| {
        identity::group::remove(c, EntityType::MappingRule).boxed()
    }),
    ("searchUsersForGroup", |c| {
        identity::group::members(c, Entity::GroupMember, EntityType::User).boxed()
    }),
    ("searchClientsForGroup", |c| {
        identity::group::members(c, Entity::GroupMember, EntityType::Client).boxed()
    }),
    ("searchMappingRulesForGroup", |c| {
        identity::group::members_whole(c, Entity::MappingRule).boxed()
    }),
    ("searchRolesForGroup", |c| {
        identity::group::members_whole(c, Entity::Role).boxed()
    }),
    ("createRole", |c| identity::role::create(c).boxed()),
    ("updateRole", |c| identity::role::update(c).boxed()),
    ("deleteRole", |c| identity::role::delete(c).boxed()),
    ("searchRoles", |c| search::search(c, Entity::Role).boxed()),
    ("getRole", |c| {
        search::get_named(c, Entity::Role, "roleId", "Role").boxed()
    }),
    ("assignRoleToUser", |c| {
        identity::role::add(c, EntityType::User).boxed()
    }),
    ("unassignRoleFromUser", |c| {
        identity::role::remove(c, EntityType::User).boxed()
    }),
    ("assignRoleToClient", |c| {
        identity::role::add(c, EntityType::Client).boxed()
    }),
    ("unassignRoleFromClient", |c| {
        identity::role::remove(c, EntityType::Client).boxed()
    }),
    ("assignRoleToGroup", |c| {
        identity::role::add(c, EntityType::Group).boxed()
    }),
    ("unassignRoleFromGroup", |c| {
        identity::role::remove(c, EntityType::Group).boxed()
    }),
    ("assignRoleToMappingRule", |c| {
        identity::role::add(c, EntityType::MappingRule).boxed()
    }),
    ("unassignRoleFromMappingRule", |c| {
        identity::role::remove(c, EntityType::MappingRule).boxed()
    }),
    ("searchUsersForRole", |c| {
        identity::role::members(c, Entity::RoleMember, EntityType::User).boxed()
    }),
    ("searchClientsForRole", |c| {
        identity::role::members(c, Entity::RoleMember, EntityType::Client).boxed()
    }),
    ("searchMappingRulesForRole", |c| {
        identity::role::members_whole(c, Entity::MappingRule).boxed()
    }),
    ("searchGroupsForRole", |c| {
        identity::role::members(c, Entity::RoleMember, EntityType::Group).boxed()
    }),
    ("createTenant", |c| identity::tenant::create(c).boxed()),
    ("updateTenant", |c| identity::tenant::update(c).boxed()),
    ("deleteTenant", |c| identity::tenant::delete(c).boxed()),
    ("searchTenants", |c| {
        search::search(c, Entity::Tenant).boxed()
    }),
    ("getTenant", |c| {
        search::get_named(c, Entity::Tenant, "tenantId", "Tenant").boxed()
    }),
    ("assignUserToTenant", |c| {
        identity::tenant::add(c, EntityType::User).boxed()
    }),
    ("unassignUserFromTenant", |c| {
        identity::tenant::remove(c, EntityType::User).boxed()
    }),
    ("assignClientToTenant", |c| {
        identity::tenant::add(c, EntityType::Client).boxed()
    }),
    ("unassignClientFromTenant", |c| {
        identity::tenant::remove(c, EntityType::Client).boxed()
    }),
    ("assignGroupToTenant", |c| {
        identity::tenant::add(c, EntityType::Group).boxed()
    }),
    ("unassignGroupFromTenant", |c| {
        identity::tenant::remove(c, EntityType::Group).boxed()
    }),
    ("assignMappingRuleToTenant", |c| {
        identity::tenant::add(c, EntityType::MappingRule).boxed()
    }),
    ("unassignMappingRuleFromTenant", |c| {
        identity::tenant::remove(c, EntityType::MappingRule).boxed()
    }),
    ("assignRoleToTenant", |c| {
        identity::tenant::add(c, EntityType::Role).boxed()
    }),
    ("unassignRoleFromTenant", |c| {
        identity::tenant::remove(c, EntityType::Role).boxed()
    }),
    ("searchUsersForTenant", |c| {
        identity::tenant::members(c, Entity::TenantMember, EntityType::User).boxed()
    }),
    ("searchClientsForTenant", |c| {
        identity::tenant::members(c, Entity::TenantMember, EntityType::Client).boxed()
    }),
    ("searchMappingRulesForTenant", |c| {
        identity::tenant::members_whole(c, Entity::MappingRule).boxed()
    }),
    ("searchGroupIdsForTenant", |c| {
        identity::tenant::members(c, Entity::TenantMember, EntityType::Group).boxed()
    }),
    ("searchRolesForTenant", |c| {
        identity::tenant::members_whole(c, Entity::Role).boxed()
    }),
    ("createMappingRule", |c| identity::create_rule(c).boxed()),
    ("updateMappingRule", |c| identity::update_rule(c).boxed()),
    ("deleteMappingRule", |c| identity::delete_rule(c).boxed()),
    ("searchMappingRule", |c| {
        search::search(c, Entity::MappingRule).boxed()
    }),
    ("getMappingRule", |c| {
        search::get_named(c, Entity::MappingRule, "mappingRuleId", "Mapping Rule").boxed()
    }),
    ("createAuthorization", |c| {
        identity::create_authorization(c).boxed()
    }),
    ("updateAuthorization", |c| {
        identity::update_authorization(c).boxed()
    }),
    ("deleteAuthorization", |c| {
        identity::delete_authorization(c).boxed()
    }),
    ("searchAuthorizations", |c| {
        search::search(c, Entity::Authorization).boxed()
    }),
    ("getAuthorization", |c| {
        search::get(
            c,
            Entity::Authorization,
            "authorizationKey",
            "Authorization",
        )
        .boxed()
    }),
];
