//! Kinds of resources and of permissions, and which belong together.
//!
//! Zeebe: `AuthorizationResourceType`, `PermissionType`. The table is the reference's; a set of
//! permissions is a bit set, in the log as well, so numbers of permissions are frozen.

use crate::field_enum;
use crate::record::field::{DecodeError, Field, Shape, ValueReader, ValueWriter};

field_enum! {
    /// Something that can be allowed.
    pub enum PermissionType {
        /// See `PermissionType::Create` of the reference, as for all of these.
        Access = 0 "ACCESS",
        #[default] Create = 1 "CREATE",
        Read = 2 "READ",
        Update = 3 "UPDATE",
        Delete = 4 "DELETE",
        CreateProcessInstance = 5 "CREATE_PROCESS_INSTANCE",
        ReadProcessDefinition = 6 "READ_PROCESS_DEFINITION",
        ReadProcessInstance = 7 "READ_PROCESS_INSTANCE",
        UpdateProcessInstance = 8 "UPDATE_PROCESS_INSTANCE",
        ModifyProcessInstance = 9 "MODIFY_PROCESS_INSTANCE",
        CancelProcessInstance = 10 "CANCEL_PROCESS_INSTANCE",
        DeleteProcessInstance = 11 "DELETE_PROCESS_INSTANCE",
        ReadUserTask = 12 "READ_USER_TASK",
        Claim = 13 "CLAIM",
        ClaimUserTask = 14 "CLAIM_USER_TASK",
        UpdateUserTask = 15 "UPDATE_USER_TASK",
        Complete = 16 "COMPLETE",
        CompleteUserTask = 17 "COMPLETE_USER_TASK",
        CreateDecisionInstance = 18 "CREATE_DECISION_INSTANCE",
        ReadDecisionDefinition = 19 "READ_DECISION_DEFINITION",
        ReadDecisionInstance = 20 "READ_DECISION_INSTANCE",
        DeleteDecisionInstance = 21 "DELETE_DECISION_INSTANCE",
        CreateBatchOperationCancelProcessInstance = 22
            "CREATE_BATCH_OPERATION_CANCEL_PROCESS_INSTANCE",
        CreateBatchOperationDeleteProcessInstance = 23
            "CREATE_BATCH_OPERATION_DELETE_PROCESS_INSTANCE",
        CreateBatchOperationMigrateProcessInstance = 24
            "CREATE_BATCH_OPERATION_MIGRATE_PROCESS_INSTANCE",
        CreateBatchOperationModifyProcessInstance = 25
            "CREATE_BATCH_OPERATION_MODIFY_PROCESS_INSTANCE",
        CreateBatchOperationResolveIncident = 26 "CREATE_BATCH_OPERATION_RESOLVE_INCIDENT",
        CreateBatchOperationDeleteDecisionInstance = 27
            "CREATE_BATCH_OPERATION_DELETE_DECISION_INSTANCE",
        CreateBatchOperationDeleteDecisionDefinition = 28
            "CREATE_BATCH_OPERATION_DELETE_DECISION_DEFINITION",
        CreateBatchOperationDeleteProcessDefinition = 29
            "CREATE_BATCH_OPERATION_DELETE_PROCESS_DEFINITION",
        CreateTaskListener = 30 "CREATE_TASK_LISTENER",
        ReadTaskListener = 31 "READ_TASK_LISTENER",
        UpdateTaskListener = 32 "UPDATE_TASK_LISTENER",
        DeleteTaskListener = 33 "DELETE_TASK_LISTENER",
        Evaluate = 34 "EVALUATE",
        DeleteDrd = 35 "DELETE_DRD",
        DeleteForm = 36 "DELETE_FORM",
        DeleteProcess = 37 "DELETE_PROCESS",
        DeleteResource = 38 "DELETE_RESOURCE",
        ReadJobMetric = 39 "READ_JOB_METRIC",
        ReadUsageMetric = 40 "READ_USAGE_METRIC",
        CreateBatchOperationSuspendProcessInstance = 41
            "CREATE_BATCH_OPERATION_SUSPEND_PROCESS_INSTANCE",
        CreateBatchOperationUpdateJob = 42 "CREATE_BATCH_OPERATION_UPDATE_JOB",
        SuspendProcessInstance = 43 "SUSPEND_PROCESS_INSTANCE",
        Pause = 44 "PAUSE",
        Restore = 45 "RESTORE",
        Reveal = 46 "REVEAL",
    }
}

impl PermissionType {
    /// The permission that REST and configurations call `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// Whether it lets its owner look and do nothing else.
    #[must_use]
    pub fn only_reads(self) -> bool {
        self == Self::Access || self.name().starts_with("READ")
    }
}

/// A set of permissions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PermissionSet(pub u64);

impl PermissionSet {
    /// The set of `permissions`.
    #[must_use]
    pub const fn of(permissions: &[PermissionType]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < permissions.len() {
            bits |= 1 << permissions[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// Whether `permission` is in it.
    #[must_use]
    pub const fn has(self, permission: PermissionType) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = PermissionType> {
        PermissionType::ALL
            .iter()
            .copied()
            .filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<PermissionType> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = PermissionType>>(permissions: I) -> Self {
        let bits = permissions.into_iter().map(|it| 1_u64 << it as u8);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

/// `[READ, UPDATE]`, as texts of refusals have it.
impl std::fmt::Display for PermissionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.iter().map(PermissionType::name).collect();
        write!(f, "[{}]", names.join(", "))
    }
}

impl Field for PermissionSet {
    fn shape() -> Shape {
        Shape::Text
    }
    fn put(&self, writer: &mut ValueWriter) {
        self.0.put(writer);
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(u64::take(reader)?.map(Self))
    }
    fn json(&self, out: &mut String) {
        out.push('[');
        for (at, permission) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            crate::json::write_string(permission.name(), out);
        }
        out.push(']');
    }
}

field_enum! {
    /// What can be protected.
    pub enum ResourceType {
        /// None.
        #[default] Unspecified = 0 "UNSPECIFIED",
        Authorization = 1 "AUTHORIZATION",
        MappingRule = 2 "MAPPING_RULE",
        Message = 3 "MESSAGE",
        Batch = 4 "BATCH",
        Component = 5 "COMPONENT",
        System = 6 "SYSTEM",
        Tenant = 7 "TENANT",
        Resource = 8 "RESOURCE",
        ProcessDefinition = 9 "PROCESS_DEFINITION",
        DecisionRequirementsDefinition = 10 "DECISION_REQUIREMENTS_DEFINITION",
        DecisionDefinition = 11 "DECISION_DEFINITION",
        Group = 12 "GROUP",
        User = 13 "USER",
        Role = 14 "ROLE",
        Document = 15 "DOCUMENT",
        AuditLog = 16 "AUDIT_LOG",
        UserTask = 17 "USER_TASK",
        ClusterVariable = 18 "CLUSTER_VARIABLE",
        Expression = 19 "EXPRESSION",
        GlobalListener = 20 "GLOBAL_LISTENER",
        Secret = 21 "SECRET",
        Backup = 22 "BACKUP",
        Exporter = 23 "EXPORTER",
    }
}

impl ResourceType {
    /// The type that REST and configurations call `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|it| it.name() == name && *it != Self::Unspecified)
    }

    /// What can be allowed on resources of this type.
    #[must_use]
    pub const fn permissions(self) -> PermissionSet {
        use PermissionType as P;
        const CRUD: &[PermissionType] = &[P::Create, P::Read, P::Update, P::Delete];
        PermissionSet::of(match self {
            Self::Unspecified => &[],
            Self::Authorization
            | Self::MappingRule
            | Self::Tenant
            | Self::Group
            | Self::User
            | Self::Role
            | Self::ClusterVariable => CRUD,
            Self::Message => &[P::Create, P::Read],
            Self::Batch => &[
                P::Create,
                P::CreateBatchOperationCancelProcessInstance,
                P::CreateBatchOperationDeleteProcessInstance,
                P::CreateBatchOperationMigrateProcessInstance,
                P::CreateBatchOperationModifyProcessInstance,
                P::CreateBatchOperationResolveIncident,
                P::CreateBatchOperationDeleteDecisionInstance,
                P::CreateBatchOperationDeleteDecisionDefinition,
                P::CreateBatchOperationDeleteProcessDefinition,
                P::CreateBatchOperationSuspendProcessInstance,
                P::CreateBatchOperationUpdateJob,
                P::Read,
                P::Update,
            ],
            Self::Component => &[P::Access],
            Self::System => &[P::Read, P::ReadUsageMetric, P::ReadJobMetric, P::Update],
            Self::Resource => &[
                P::Create,
                P::Read,
                P::DeleteDrd,
                P::DeleteForm,
                P::DeleteProcess,
                P::DeleteResource,
            ],
            Self::ProcessDefinition => &[
                P::CreateProcessInstance,
                P::ReadProcessDefinition,
                P::ReadProcessInstance,
                P::ReadUserTask,
                P::UpdateProcessInstance,
                P::UpdateUserTask,
                P::ClaimUserTask,
                P::CompleteUserTask,
                P::ModifyProcessInstance,
                P::CancelProcessInstance,
                P::DeleteProcessInstance,
                P::SuspendProcessInstance,
            ],
            Self::DecisionRequirementsDefinition => &[P::Read],
            Self::DecisionDefinition => &[
                P::CreateDecisionInstance,
                P::ReadDecisionDefinition,
                P::ReadDecisionInstance,
                P::DeleteDecisionInstance,
            ],
            Self::Document => &[P::Create, P::Read, P::Delete],
            Self::AuditLog => &[P::Read],
            Self::UserTask => &[P::Read, P::Update, P::Claim, P::Complete],
            Self::Expression => &[P::Evaluate],
            Self::GlobalListener => &[
                P::CreateTaskListener,
                P::ReadTaskListener,
                P::UpdateTaskListener,
                P::DeleteTaskListener,
            ],
            Self::Secret => &[P::Read, P::Reveal],
            Self::Backup => &[P::Create, P::Read, P::Delete, P::Restore],
            Self::Exporter => &[P::Pause],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_they_are_made_of() {
        let set = PermissionSet::of(&[PermissionType::Read, PermissionType::Reveal]);
        assert!(set.has(PermissionType::Reveal) && !set.has(PermissionType::Access));
        assert_eq!(set.to_string(), "[READ, REVEAL]");
        assert_eq!(set.iter().collect::<PermissionSet>(), set);
        assert!(set.without(set).is_empty());
    }

    #[test]
    fn every_permission_belongs_somewhere() {
        let all = ResourceType::ALL.iter().map(|it| it.permissions().0);
        assert_eq!(
            PermissionSet(all.fold(0, |all, bits| all | bits)),
            PermissionType::ALL.iter().copied().collect()
        );
    }
}
