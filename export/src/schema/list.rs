//! Tables that hold the lists of a row.
//!
//! A list is replaced as a whole: it has no rows of its own, only an owner and values. Values are
//! kept once each and come back ascending, whatever order the record had them in.

/// Tables that hold the lists of a row: (owner, value), replaced as a whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum ListTable {
    /// Tags of process instances.
    ProcessInstanceTag,
    /// Tags of user tasks.
    UserTaskTag,
    /// Users that may claim a task.
    CandidateUser,
    /// Groups that may claim a task.
    CandidateGroup,
    /// What an authorization allows.
    AuthorizationPermission,
    /// When a global listener is called.
    GlobalListenerEventType,
    /// Element instances that worked for an agent instance.
    AgentInstanceElementInstance,
}

impl ListTable {
    /// All of them, in writing order.
    pub const ALL: &'static [Self] = &[
        Self::ProcessInstanceTag,
        Self::UserTaskTag,
        Self::CandidateUser,
        Self::CandidateGroup,
        Self::AuthorizationPermission,
        Self::GlobalListenerEventType,
        Self::AgentInstanceElementInstance,
    ];

    /// Name, owner column, value column.
    #[must_use]
    pub const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ProcessInstanceTag => {
                ("process_instance_tag", "process_instance_key", "tag_value")
            }
            Self::UserTaskTag => ("user_task_tag", "user_task_key", "tag_value"),
            Self::CandidateUser => ("candidate_user", "user_task_key", "candidate_user"),
            Self::CandidateGroup => ("candidate_group", "user_task_key", "candidate_group"),
            Self::AuthorizationPermission => (
                "authorization_permission",
                "authorization_key",
                "permission_type",
            ),
            Self::GlobalListenerEventType => (
                "global_listener_event_type",
                "global_listener_key",
                "event_type",
            ),
            Self::AgentInstanceElementInstance => (
                "agent_instance_element_instance",
                "agent_instance_key",
                "element_instance_key",
            ),
        }
    }
}

/// Most characters of a list's value.
pub const LIST_VALUE_CHARS: usize = 400;
