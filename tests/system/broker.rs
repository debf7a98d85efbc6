//! One ringflow process: how it is started, where it listens, how it ends.
//!
//! Whatever a test does, the process does not outlive it: the handle kills by id when it is dropped.
//! Standard error goes to a file beside the data directory, which grows over restarts.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::client::Client;

/// Longest start, recovery included.
const START_WITHIN: Duration = Duration::from_secs(60);
/// Longest orderly end, with room above the product's own bound.
const STOP_WITHIN: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(5);

/// A temporary directory with the data of one broker in it, and what it wrote to standard error.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

/// What a process that did not start said.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Refusal {
    /// The one line that is not of the log.
    pub(crate) fn sentence(&self) -> &str {
        let line = self
            .said
            .lines()
            .rfind(|line| line.starts_with("ringflow: "));
        line.unwrap_or_else(|| panic!("no sentence in {self:?}"))
    }
}

/// How a process is started: arguments and environment beside the usual ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Network namespace the process is put into.
    pub(crate) space: Option<String>,
}

impl Start {
    /// With these arguments behind the usual ones.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            environment: Vec::new(),
            space: None,
        }
    }

    /// With this variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running process.
pub(crate) struct Broker {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) rest: SocketAddr,
    pub(crate) management: SocketAddr,
}

/// The binary with an empty environment.
pub(crate) fn ringflow() -> Command {
    ringflow_in(None)
}

/// The same in a network namespace; the process is the binary's own.
fn ringflow_in(space: Option<&str>) -> Command {
    let other = std::env::var_os("SYSTEM_TEST_BINARY");
    let binary = other.unwrap_or(env!("CARGO_BIN_EXE_ringflow").into());
    let mut command = match space {
        None => Command::new(binary),
        Some(space) => {
            let mut command = Command::new(crate::network::IP);
            command.args(["netns", "exec", space]).arg(binary);
            command
        }
    };
    command.env_clear().stdin(Stdio::null());
    command
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Its temporary directory.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Everything that processes here wrote to standard error.
    pub(crate) fn said(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut file) = File::open(self.path().join("stderr")) {
            file.read_to_end(&mut text).unwrap();
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Fails if a process here panicked.
    pub(crate) fn assert_no_panic(&self) {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        let at = lines.iter().position(|line| line.contains("panicked"));
        if let Some(at) = at {
            panic!("{}", lines[at..lines.len().min(at + 6)].join("\n"));
        }
    }

    /// Starts a process that is expected to serve.
    pub(crate) fn start(&self, start: &Start) -> Broker {
        match self.try_start(start) {
            Ok(broker) => broker,
            Err(refusal) => panic!("did not start: {refusal:?}"),
        }
    }

    /// Starts a process and waits until it serves or has ended.
    pub(crate) fn try_start(&self, start: &Start) -> Result<Broker, Refusal> {
        let before = self.said().len();
        let mut child = self.spawn(start);
        let stdout = child.stdout.take().unwrap();
        let (tell, told) = mpsc::sync_channel(1);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line);
            let _ = tell.send(read.map(|_| line));
        });
        let line = match told.recv_timeout(START_WITHIN) {
            Ok(line) => line.unwrap(),
            Err(_) => {
                end_now(&mut child);
                panic!("neither ready nor ended in time: {}", self.said());
            }
        };
        reader.join().unwrap();
        if line.is_empty() {
            let status = wait(&mut child, STOP_WITHIN);
            return Err(Refusal {
                code: status.code(),
                said: self.said().split_off(before),
            });
        }
        let address = |name: &str| -> SocketAddr {
            let found = line.split_whitespace().find_map(|word| {
                let (key, value) = word.split_once('=')?;
                (key == name).then_some(value)
            });
            found.expect(&line).parse().expect(&line)
        };
        assert!(line.starts_with("ringflow is ready: "), "{line}");
        Ok(Broker {
            grpc: address("grpc"),
            rest: address("rest"),
            management: address("management"),
            child,
        })
    }

    /// Starts a process without waiting for anything, and kills it after `life`.
    pub(crate) fn start_and_kill(&self, start: &Start, life: Duration) {
        let mut child = self.spawn(start);
        std::thread::sleep(life);
        end_now(&mut child);
    }

    fn spawn(&self, start: &Start) -> Child {
        let said = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path().join("stderr"))
            .unwrap();
        let mut command = ringflow_in(start.space.as_deref());
        command
            .arg("start")
            .arg("--data-dir")
            .arg(self.data())
            // As variables, so that the flags of a test override them.
            .env("RINGFLOW_API_GRPC_ADDRESS", "127.0.0.1:0")
            .env("RINGFLOW_API_REST_ADDRESS", "127.0.0.1:0")
            .env("RINGFLOW_API_MANAGEMENT_ADDRESS", "127.0.0.1:0")
            .env("RINGFLOW_SHARDS_CORES", "none")
            // Small, so that tests write megabytes and not hundreds of them.
            .env("RINGFLOW_DATA_LOG_SEGMENT_SIZE", "16MB")
            .env("RINGFLOW_DATA_STATE_MEMORY", "64MB")
            .args(&start.arguments)
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .stderr(said);
        for (name, value) in &start.environment {
            command.env(name, value);
        }
        command.spawn().unwrap()
    }

    /// Digest lines of `inspect state --digest`: partition, state, replay.
    pub(crate) fn digests(&self) -> Vec<(String, String, String)> {
        let output = ringflow()
            .args(["inspect", "state", "--digest"])
            .arg(self.data())
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(output.status.success(), "{out}{err}");
        let lines = out.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [
                "partition",
                partition,
                "position",
                _,
                "state",
                state,
                "replay",
                replay,
            ] = words[..]
            else {
                panic!("not a digest line: {line}");
            };
            (partition.to_owned(), state.to_owned(), replay.to_owned())
        });
        lines.collect()
    }
}

impl Broker {
    /// A client of its REST API.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.rest)
    }

    /// A client of health and metrics.
    pub(crate) fn probe(&self) -> Client {
        Client::new(self.management)
    }

    /// Process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        end_now(&mut self.child);
    }

    /// Asks it to end and waits.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let id = i32::try_from(self.child.id()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        wait(&mut self.child, STOP_WITHIN)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        end_now(&mut self.child);
    }
}

fn wait(child: &mut Child, bound: Duration) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > bound {
            end_now(child);
            panic!("the process did not end within {bound:?}");
        }
        std::thread::sleep(POLL);
    }
}

fn end_now(child: &mut Child) {
    // Both fail only if it has ended already, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

/// Tries `what` until it gives something; `about` says what was waited for.
pub(crate) fn until<T>(about: &str, bound: Duration, mut what: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = what() {
            return value;
        }
        assert!(begun.elapsed() < bound, "{about}: not within {bound:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
