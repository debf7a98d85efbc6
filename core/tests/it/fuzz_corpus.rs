//! What fuzzing has found, again: every file of the corpora through the functions that were fuzzed.
//!
//! The targets and how to run them are in `fuzz`; a file that once broke something stays in its
//! folder there.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/subject.rs"]
#[expect(unreachable_pub, reason = "the targets are another crate")]
mod subject;

#[test]
fn nothing_that_was_found_comes_back() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, subject) in subject::SUBJECTS {
        let files: Vec<_> = fs::read_dir(corpora.join(name)).unwrap().collect();
        assert!(!files.is_empty(), "{name} has a corpus");
        for file in files {
            subject(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}
