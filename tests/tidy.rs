//! The house rules as a test: what review would otherwise have to repeat.
//!
//! Each rule is one function over the tracked files and returns what it found, so that a failure
//! lists every place at once. Exceptions stand in tables with their reason. The rules themselves are
//! tested at the bottom on small made-up files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 600;
/// Largest tracked file outside fixtures, in bytes.
const BLOB_BYTES_MAX: usize = 100 * 1024;

/// Files that may be longer, and why.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "core/tests/it/event.rs",
        "one table of event models and what they do, read from top to bottom",
    ),
    ("core/tests/it/schedule.rs", "tables of dates"),
    (
        "core/src/engine/apply.rs",
        "the registry of appliers, one match without a wildcard",
    ),
    (
        "core/src/engine/dispatch.rs",
        "the registry of processors, one match without a wildcard",
    ),
    ("core/src/state.rs", "the registry of state families"),
    (
        "export/src/schema.rs",
        "the registry of tables and their columns",
    ),
    ("src/settings.rs", "the registry of settings"),
    (
        "core/tests/it/dmn.rs",
        "cases of decision logic and the small language they are written in",
    ),
    (
        "export/tests/it/search.rs",
        "one exported world and what is found in it",
    ),
    (
        "core/tests/it/permission.rs",
        "one table of commands and what they need, and what shares its helpers",
    ),
];
/// Files that may be larger, and why.
const LARGE_FILES: &[(&str, &str)] = &[("Cargo.lock", "written by cargo")];

/// A tracked file.
struct File {
    path: String,
    text: String,
    bytes: usize,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
    fn is_product_source(&self) -> bool {
        self.is_rust()
            && !self.path.contains("/tests/")
            && !self.path.starts_with("tests/")
            && !self.path.ends_with("/tests.rs")
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn tracked_files() -> Vec<File> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listed.status.success(), "git ls-files failed: {listed:?}");
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let files: Vec<File> = names
        .split('\0')
        .filter(|name| !name.is_empty() && root().join(name).is_file())
        .map(|name| {
            let bytes = std::fs::read(root().join(name)).expect("a tracked file can be read");
            File {
                path: name.to_owned(),
                bytes: bytes.len(),
                text: String::from_utf8_lossy(&bytes).into_owned(),
            }
        })
        .collect();
    assert!(files.len() > 20, "only {} files found", files.len());
    files
}

fn check(rule: impl Fn(&File) -> Vec<String>) {
    let found: Vec<String> = tracked_files().iter().flat_map(rule).collect();
    assert!(
        found.is_empty(),
        "{} findings:\n{}",
        found.len(),
        found.join("\n")
    );
}

fn lines_of(file: &File, wrong: impl Fn(&str) -> Option<String>) -> Vec<String> {
    file.text
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            wrong(line).map(|what| format!("{}:{}: {what}", file.path, at + 1))
        })
        .collect()
}

fn excepted(path: &str, table: &[(&str, &str)]) -> bool {
    table.iter().any(|(name, _)| *name == path)
}

fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if !file.is_rust() || lines <= FILE_LINES_MAX || excepted(&file.path, LONG_FILES) {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines, at most {FILE_LINES_MAX}",
        file.path
    )]
}

fn too_large(file: &File) -> Vec<String> {
    let fixture = file.path.contains("/fixture") || file.path.contains("/golden");
    if file.bytes <= BLOB_BYTES_MAX || fixture || excepted(&file.path, LARGE_FILES) {
        return Vec::new();
    }
    vec![format!(
        "{}: {} bytes, at most {BLOB_BYTES_MAX}",
        file.path, file.bytes
    )]
}

fn without_header(file: &File) -> Vec<String> {
    let header = file
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .count();
    if !file.is_product_source() || header >= 3 {
        return Vec::new();
    }
    vec![format!(
        "{}: no module header of at least 3 lines",
        file.path
    )]
}

fn badly_named(file: &File) -> Vec<String> {
    let stem = Path::new(&file.path)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("");
    let banned = [
        "utils", "util", "common", "helpers", "helper", "misc", "types", "mod",
    ];
    if !file.is_rust() || !banned.contains(&stem) {
        return Vec::new();
    }
    vec![format!("{}: the name says no idea", file.path)]
}

fn leftovers(file: &File) -> Vec<String> {
    if !file.is_rust() || file.path == "tests/tidy.rs" {
        return Vec::new();
    }
    let words = [
        "FIXME",
        "XXX",
        "dbg!(",
        "todo!(",
        "unimplemented!(",
        "#[ignore",
    ];
    lines_of(file, |line| {
        words
            .iter()
            .find(|word| line.contains(*word))
            .map(|word| format!("leftover '{word}'"))
    })
}

fn unbounded_queues(file: &File) -> Vec<String> {
    if !file.is_product_source() {
        return Vec::new();
    }
    let words = [
        "unbounded_channel",
        "unbounded()",
        "SegQueue",
        "mpsc::channel()",
    ];
    lines_of(file, |line| {
        let code = line.split("//").next().unwrap_or("");
        words
            .iter()
            .find(|word| code.contains(*word))
            .map(|word| format!("unbounded queue '{word}'"))
    })
}

fn not_ascii(file: &File) -> Vec<String> {
    if !file.is_rust() || file.path.contains("/fixture") {
        return Vec::new();
    }
    lines_of(file, |line| {
        (!line.is_ascii()).then(|| "not ASCII".to_owned())
    })
}

fn machine_paths(file: &File) -> Vec<String> {
    if file.path == "tests/tidy.rs" {
        return Vec::new();
    }
    let paths = ["/work/", "/home/", "/root/", "/Users/"];
    lines_of(file, |line| {
        paths
            .iter()
            .find(|path| line.contains(*path))
            .map(|path| format!("absolute path '{path}'"))
    })
}

/// Names of our crates that the manifest depends on, tests aside.
fn own_dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.trim();
        } else if section == "[dependencies]"
            && let Some(rest) = line.strip_prefix("ringflow-")
        {
            found.push(rest.split(['.', ' ', '=']).next().unwrap_or("").to_owned());
        }
    }
    found
}

#[test]
fn files_are_short_enough_to_read() {
    check(too_long);
}

#[test]
fn no_large_blobs() {
    check(too_large);
}

#[test]
fn every_source_file_says_what_it_is() {
    check(without_header);
}

#[test]
fn file_names_say_an_idea() {
    check(badly_named);
}

#[test]
fn nothing_is_left_over() {
    check(leftovers);
}

#[test]
fn every_queue_is_bounded() {
    check(unbounded_queues);
}

#[test]
fn sources_are_ascii() {
    check(not_ascii);
}

#[test]
fn nothing_names_a_machine() {
    check(machine_paths);
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("core", &[] as &[&str]),
        ("storage", &["core"]),
        ("io", &["core", "storage"]),
        ("export", &["core"]),
        ("backup", &["core", "storage", "io"]),
        ("gateway", &["core", "io", "export", "backup"]),
        ("bench", &["core", "storage", "io", "export"]),
        ("perf", &[]),
    ]);
    for (name, allowed) in allowed {
        let path = root().join(name).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path).expect("every crate has a manifest");
        for dependency in own_dependencies(&manifest) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn heavy_crates_stay_where_they_belong() {
    let homes: &[(&str, &[&str])] = &[
        ("rocksdb", &["storage"]),
        ("io-uring", &["storage"]),
        ("openraft", &["io"]),
        ("glommio", &["io"]),
        ("sqlx", &["export"]),
        ("object_store", &["backup", "gateway"]),
        ("tonic", &["gateway", "perf"]),
        ("axum", &["gateway"]),
        ("criterion", &["bench"]),
    ];
    for name in [
        "core", "storage", "io", "export", "backup", "gateway", "bench", "perf", ".",
    ] {
        let manifest =
            std::fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
        let package = manifest
            .split("[package]")
            .nth(1)
            .expect("a package section");
        for (heavy, homes) in homes {
            let uses = package.lines().any(|line| {
                line.split(['.', ' ', '='])
                    .next()
                    .is_some_and(|dependency| dependency == *heavy)
            });
            assert!(
                !uses || homes.contains(&name),
                "{heavy} does not belong into {name}"
            );
        }
    }
}

#[test]
fn the_rules_find_what_they_are_for() {
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
        bytes: text.len(),
    };
    assert_eq!(too_long(&file("core/src/a.rs", &"\n".repeat(601))).len(), 1);
    assert_eq!(
        too_large(&file("a.bin", &"x".repeat(BLOB_BYTES_MAX + 1))).len(),
        1
    );
    assert_eq!(
        without_header(&file("core/src/a.rs", "//! One line.\n")).len(),
        1
    );
    assert_eq!(badly_named(&file("core/src/utils.rs", "")).len(), 1);
    assert_eq!(leftovers(&file("core/src/a.rs", "// FIXME later")).len(), 1);
    assert_eq!(
        unbounded_queues(&file("io/src/a.rs", "let q = SegQueue::new();")).len(),
        1
    );
    assert_eq!(
        unbounded_queues(&file("io/src/a.rs", "// not a SegQueue")).len(),
        0
    );
    assert_eq!(not_ascii(&file("core/src/a.rs", "// \u{e9}")).len(), 1);
    assert_eq!(machine_paths(&file("README.md", "see /home/me")).len(), 1);
    assert_eq!(
        own_dependencies("[dependencies]\nringflow-core.workspace = true\n"),
        ["core"]
    );
}
