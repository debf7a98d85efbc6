//! Models that others have written: every one is deployed or refused with a reason, soon.
//!
//! `RINGFLOW_MODELS` names a folder (a checkout of a conformance suite, resources of a project); all
//! `.bpmn` and `.dmn` files below it are compiled. Without it the test says that it did nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringflow_core::{dmn, model};

/// Longest time one model may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn every_model_is_an_answer() {
    let Ok(folder) = std::env::var("RINGFLOW_MODELS") else {
        println!("skipped: RINGFLOW_MODELS names no folder with models");
        return;
    };
    let mut paths = Vec::new();
    below(Path::new(&folder), &mut paths);
    let (mut deployed, mut refused) = (0, 0);
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let started = Instant::now();
        let decision = path.extension().is_some_and(|ending| ending == "dmn");
        let reason = if decision {
            dmn::compile(&bytes).err().map(|error| error.to_string())
        } else {
            model::compile(&bytes).err().map(|error| error.to_string())
        };
        assert!(started.elapsed() < PATIENCE, "{}", path.display());
        match reason {
            None => deployed += 1,
            Some(reason) => {
                assert!(!reason.trim().is_empty(), "{}", path.display());
                refused += 1;
            }
        }
    }
    println!("{deployed} models are deployed, {refused} refused");
    assert!(deployed + refused > 0, "no models below {folder}");
}

fn below(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, paths);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "bpmn" || ending == "dmn")
        {
            paths.push(path);
        }
    }
}
