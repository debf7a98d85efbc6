//! Random processes that are changed by hand while they run: modifications of all kinds and
//! migrations to the same process under other ids, between everything else that can happen. Process equals replay after every step, nothing faults, and at
//! the end no row is left.
//!
//! A failure prints its seed and process.

use ringflow_core::engine::EngineConfig;
use ringflow_core::ids::Key;
use ringflow_core::record::value::{
    ActivateInstruction, BpmnElementType, ModificationVariables, MoveInstruction,
    ProcessInstanceModificationRecord, TerminateInstruction,
};
use ringflow_core::record::{RecordType, Value};

use super::harness::{EngineHarness, document};
use super::migrate::{definition, migrate};
use super::modify::modify;
use super::random::Dice;
use super::random_event::{no_faults, process, treat};

/// A living element instance.
#[derive(Clone, Debug)]
pub(crate) struct Living {
    pub(crate) key: Key,
    pub(crate) instance: Key,
    pub(crate) element: String,
}

/// All living element instances, in the order of their keys.
pub(crate) fn living(h: &EngineHarness) -> Vec<Living> {
    let mut found: Vec<Living> = Vec::new();
    for record in &h.log {
        if let Value::ProcessInstance(value) = &record.value
            && record.record_type == RecordType::Event
            && value.bpmn_element_type != BpmnElementType::SequenceFlow
            && !found.iter().any(|known| known.key == record.key)
            && let Some(row) = h.engine.state().elements.get(&record.key).unwrap()
        {
            found.push(Living {
                key: record.key,
                instance: value.process_instance_key,
                element: row.record.element_id.to_string(),
            });
        }
    }
    found
}

/// Ids of all elements that occur in a model.
fn ids(model: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in model.split(" id=\"").skip(1) {
        if let Some((id, _)) = part.split_once('"') {
            found.push(id.to_owned());
        }
    }
    found
}

fn pick<'l, T>(dice: &mut Dice, from: &'l [T]) -> Option<&'l T> {
    let sides = from.len() as u64;
    (sides > 0).then(|| &from[dice.roll(sides) as usize])
}

fn change(h: &mut EngineHarness, dice: &mut Dice, models: &[String]) -> Option<bool> {
    let all = living(h);
    let target = pick(dice, &all)?.clone();
    let of_it: Vec<Living> = all
        .into_iter()
        .filter(|other| other.instance == target.instance)
        .collect();
    let root = of_it.iter().find(|known| known.key == known.instance)?;
    let id = root.element.as_str();
    let plain = id.strip_prefix("new_").unwrap_or(id);
    let mut known = ids(&models[usize::from(plain == "process")]);
    if plain != id {
        for known in &mut known {
            *known = format!("new_{known}");
        }
    }
    let mut record = ProcessInstanceModificationRecord {
        process_instance_key: target.instance,
        ..ProcessInstanceModificationRecord::default()
    };
    for _ in 0..dice.roll(3) {
        let element_id = pick(dice, &known)?.as_str().into();
        let ancestor_scope_key = match dice.roll(3) {
            0 => pick(dice, &of_it)?.key,
            _ => Key::NONE,
        };
        record.activate_instructions.push(ActivateInstruction {
            variable_instructions: vec![ModificationVariables {
                element_id: Default::default(),
                variables: document(r#"{"changed":1}"#),
            }],
            element_id,
            ancestor_scope_key,
            ancestor_scope_keys: Vec::new(),
        });
    }
    for _ in 0..dice.roll(3) {
        let ended = pick(dice, &of_it)?;
        record.terminate_instructions.push(match dice.roll(2) {
            0 => TerminateInstruction {
                element_id: ended.element.as_str().into(),
                ..TerminateInstruction::default()
            },
            _ => TerminateInstruction {
                element_instance_key: ended.key,
                ..TerminateInstruction::default()
            },
        });
    }
    if dice.roll(2) == 0 {
        let moved = pick(dice, &of_it)?;
        let how = dice.roll(3);
        record.move_instructions.push(MoveInstruction {
            source_element_id: moved.element.as_str().into(),
            target_element_id: pick(dice, &known)?.as_str().into(),
            infer_ancestor_scope: how == 0,
            use_source_parent: how == 1,
            ..MoveInstruction::default()
        });
    }
    Some(modify(h, record).is_ok())
}

/// The same process with other ids of its own.
fn renamed(model: &str, id: &str) -> String {
    let mut model = model.to_owned();
    for known in ids(&model) {
        if !SHARED.contains(&known.as_str()) && known != id {
            model = model.replace(&format!("\"{known}\""), &format!("\"new_{known}\""));
        }
    }
    model.replace(
        &format!(r#"<bpmn:process id="{id}""#),
        &format!(r#"<bpmn:process id="new_{id}""#),
    )
}

/// Ids that are not elements of a process.
const SHARED: &[&str] = &["definitions", "m1", "m2", "s", "error", "esc"];

/// Migrates a random instance to its process of other ids, or back; most elements are mapped.
fn go_over(h: &mut EngineHarness, dice: &mut Dice, models: &[String]) -> Option<bool> {
    let all = living(h);
    let target = pick(dice, &all)?.instance;
    let state = h.engine.state();
    let record = state.elements.get(&target).unwrap()?.record.clone();
    let id = record.bpmn_process_id.as_str();
    let (plain, back) = match id.strip_prefix("new_") {
        Some(plain) => (plain.to_owned(), true),
        None => (id.to_owned(), false),
    };
    let model = &models[usize::from(plain == "process")];
    let mut mapping = Vec::new();
    for known in ids(model) {
        if SHARED.contains(&known.as_str()) || known == plain || dice.roll(60) == 0 {
            continue;
        }
        let new = format!("new_{known}");
        mapping.push(if back { (new, known) } else { (known, new) });
    }
    let other = if back { plain } else { format!("new_{plain}") };
    let mapping: Vec<(&str, &str)> = (mapping.iter())
        .map(|(source, target)| (source.as_str(), target.as_str()))
        .collect();
    let definition = definition(h, &other);
    Some(migrate(h, target, definition, &mapping).is_ok())
}

/// How many modifications and migrations were accepted.
fn run(seed: u64) -> (usize, usize) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut h = EngineHarness::with_config(EngineConfig {
        max_commands_in_batch: 1 + dice.roll(40) as usize,
        ..EngineConfig::default()
    });
    let models = [process(seed, "child"), process(seed, "process")];
    for model in &models {
        h.deploy(model);
    }
    h.deploy(&renamed(&models[0], "child"));
    h.deploy(&renamed(&models[1], "process"));
    let instances: Vec<Key> = (0..2)
        .map(|_| h.create("process", r#"{"key":"k"}"#))
        .collect();
    h.run_due();
    let (mut modified, mut migrated) = (0, 0);
    for _ in 0..40 {
        match dice.roll(6) {
            0 | 1 => {
                if let Some(true) = change(&mut h, &mut dice, &models) {
                    modified += 1;
                }
            }
            2 => {
                if let Some(true) = go_over(&mut h, &mut dice, &models) {
                    migrated += 1;
                }
            }
            _ => treat(&mut h, &mut dice, "k"),
        }
        h.run_due();
    }
    no_faults(&h);
    for instance in instances {
        let _ = h.cancel(instance);
        h.run_due();
    }
    h.advance(100_000);
    no_faults(&h);
    h.assert_clean();
    (modified, migrated)
}

#[test]
fn changed_processes_leave_nothing() {
    let asked = std::env::var("RANDOM_SEEDS").ok();
    let count: usize = asked.and_then(|count| count.parse().ok()).unwrap_or(60);
    let (mut modified, mut migrated) = (0, 0);
    for seed in 1..=count as u64 {
        match std::panic::catch_unwind(|| run(seed)) {
            Ok(changes) => {
                modified += changes.0;
                migrated += changes.1;
            }
            Err(panic) => {
                let (process, child) = (process(seed, "process"), process(seed, "child"));
                println!("seed {seed}:\n{process}\n{child}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(modified > count / 2, "{modified} modifications");
    assert!(migrated > count / 2, "{migrated} migrations");
}
