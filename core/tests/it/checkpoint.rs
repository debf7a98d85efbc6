//! Checkpoints: the first command of a number creates it, later ones hear of the newest.

use ringflow_core::engine::EngineConfig;
use ringflow_core::engine::effect::Effect;
use ringflow_core::engine::input::Command;
use ringflow_core::ids::Key;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{CheckpointRecord, CheckpointType};
use ringflow_core::record::{Intent, RejectionType, Value};

use super::harness::{Answer, EngineHarness};

fn ask(h: &mut EngineHarness, intent: of::Checkpoint, id: i64) -> Answer {
    let record = CheckpointRecord {
        checkpoint_id: id,
        checkpoint_type: CheckpointType::ManualBackup,
        ..CheckpointRecord::default()
    };
    h.request(Command::internal(Key::NONE, intent, record))
        .expect("answered")
}

fn told(answer: Answer) -> (Intent, CheckpointRecord) {
    let answer = answer.expect("accepted");
    let Value::Checkpoint(value) = answer.value else {
        panic!("{:?}", answer.intent);
    };
    (answer.intent, (*value).clone())
}

#[test]
fn a_checkpoint_is_created_once_and_stands_at_its_command() {
    let mut h = EngineHarness::new();
    let before = h.engine.position();
    assert_eq!(h.engine.checkpoint(), 0);
    let (intent, created) = told(ask(&mut h, of::Checkpoint::Create, 7));
    assert_eq!(intent, of::Checkpoint::Created.into());
    assert_eq!(created.checkpoint_id, 7);
    assert_eq!(created.checkpoint_position, before.next());
    assert_eq!(h.engine.checkpoint(), 7);
    let stored = std::mem::take(&mut h.effects);
    let [Effect::CheckpointCreated(stored)] = &stored[..] else {
        panic!("{stored:?}");
    };
    assert_eq!(**stored, created);
    for older in [7, 6, 0] {
        let (intent, newest) = told(ask(&mut h, of::Checkpoint::Create, older));
        assert_eq!(intent, of::Checkpoint::Ignored.into());
        assert_eq!(newest, created);
    }
    assert!(h.effects.is_empty());
    h.restart(EngineConfig::default());
    assert_eq!(h.engine.checkpoint(), 7);
    let (intent, _) = told(ask(&mut h, of::Checkpoint::Create, 8));
    assert_eq!(intent, of::Checkpoint::Created.into());
}

#[test]
fn backups_are_confirmed_in_order() {
    let mut h = EngineHarness::new();
    assert_eq!(h.engine.state().newest_backup().checkpoint_id, 0);
    let (intent, _) = told(ask(&mut h, of::Checkpoint::ConfirmBackup, 3));
    assert_eq!(intent, of::Checkpoint::ConfirmedBackup.into());
    assert_eq!(h.engine.state().newest_backup().checkpoint_id, 3);
    let refused = ask(&mut h, of::Checkpoint::ConfirmBackup, 3).unwrap_err();
    assert_eq!(refused.kind, RejectionType::InvalidState);
    assert_eq!(h.engine.state().newest_backup().checkpoint_id, 3);
    assert_eq!(h.engine.checkpoint(), 0, "only stored, never created here");
}
