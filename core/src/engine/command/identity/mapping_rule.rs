//! MAPPING_RULE CREATE, UPDATE, DELETE.
//!
//! Id and claim are both unique. A rule that goes takes its memberships and authorizations along.

use std::sync::Arc;

use super::{QUEUE, delete_authorizations, exists, leave_all, settle};
use crate::engine::distribute;
use crate::engine::fault::{Outcome, Stop};
use crate::engine::input::Command;
use crate::engine::output::Processing;
use crate::record::intent::of;
use crate::record::value::{EntityType, MappingRuleRecord, OwnerType};

type Value = Arc<MappingRuleRecord>;

fn require_all(value: &Value, doing: &str) -> Outcome {
    let fields = [
        &value.claim_name,
        &value.claim_value,
        &value.name,
        &value.mapping_rule_id,
    ];
    if fields.iter().all(|field| !field.trim().is_empty()) {
        return Ok(());
    }
    Err(Stop::invalid_argument(format!(
        "Expected to {doing} mapping rule with claimName '{}' and claimValue '{}' and name '{}' \
         and mappingRuleId '{}', but at least one of them is null.",
        value.claim_name, value.claim_value, value.name, value.mapping_rule_id
    )))
}

fn same_claim(value: &Value, doing: &str) -> Stop {
    exists(format!(
        "Expected to {doing} mapping rule with claimName '{}' and claimValue '{}', but a mapping \
         rule with this claim already exists.",
        value.claim_name, value.claim_value
    ))
}

/// Creates a rule.
pub(crate) fn create(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let id = &value.mapping_rule_id;
    let known = p.state().mapping_rule(id)?.is_some();
    if distribute::is_distributed(p, command.key) {
        if !known {
            p.event(command.key, of::MappingRule::Created, value.clone())?;
        }
        return distribute::acknowledge(p, command.key, command.intent);
    }
    require_all(value, "create")?;
    let (name, claim) = (&value.claim_name, &value.claim_value);
    if p.state().mapping_rule_of_claim(name, claim)?.is_some() {
        return Err(same_claim(value, "create"));
    }
    if known {
        return Err(exists(format!(
            "Expected to create mapping rule with id '{id}', but a mapping rule with this id \
             already exists."
        )));
    }
    let key = p.next_key();
    let record = Arc::new(MappingRuleRecord {
        mapping_rule_key: key,
        ..MappingRuleRecord::clone(value)
    });
    p.event(key, of::MappingRule::Created, record.clone())?;
    settle(p, command, key, of::MappingRule::Created, record, Some(key))
}

/// Changes claim and name.
pub(crate) fn update(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    if distribute::is_distributed(p, command.key) {
        p.event(
            value.mapping_rule_key,
            of::MappingRule::Updated,
            value.clone(),
        )?;
        return distribute::acknowledge(p, command.key, command.intent);
    }
    require_all(value, "update")?;
    let id = &value.mapping_rule_id;
    let Some(row) = p.state().mapping_rule(id)? else {
        return Err(Stop::not_found(format!(
            "Expected to update mapping rule with id '{id}', but a mapping rule with this id does \
             not exist."
        )));
    };
    let (name, claim) = (&value.claim_name, &value.claim_value);
    let holder = p.state().mapping_rule_of_claim(name, claim)?;
    if holder.is_some_and(|holder| holder.record.mapping_rule_id != *id) {
        return Err(same_claim(value, "update"));
    }
    let key = row.record.mapping_rule_key;
    let record = Arc::new(MappingRuleRecord {
        mapping_rule_key: key,
        ..MappingRuleRecord::clone(value)
    });
    p.event(key, of::MappingRule::Updated, record.clone())?;
    settle(p, command, key, of::MappingRule::Updated, record, None)
}

/// Deletes a rule, its memberships and its authorizations.
pub(crate) fn delete(p: &mut Processing<'_>, command: &Command, value: &Value) -> Outcome {
    let distributed = distribute::is_distributed(p, command.key);
    let id = &value.mapping_rule_id;
    let Some(row) = p.state().mapping_rule(id)? else {
        if distributed {
            return distribute::acknowledge(p, command.key, command.intent);
        }
        return Err(Stop::not_found(format!(
            "Expected to delete mapping rule with id '{id}', but a mapping rule with this id does \
             not exist."
        )));
    };
    delete_authorizations(p, OwnerType::MappingRule, id)?;
    leave_all(p, EntityType::MappingRule, id)?;
    let key = row.record.mapping_rule_key;
    p.event(key, of::MappingRule::Deleted, row.record.clone())?;
    if distributed {
        return distribute::acknowledge(p, command.key, command.intent);
    }
    p.respond(key, of::MappingRule::Deleted, row.record.clone());
    let distribution = p.next_key();
    let value = value.clone().into();
    distribute::distribute(p, distribution, QUEUE, of::MappingRule::Delete, &value)
}
