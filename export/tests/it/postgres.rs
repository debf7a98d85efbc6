//! A PostgreSQL server of a test's own: on loopback, in a temporary directory, ended by its id.
//!
//! Needs the server's programs, found below /usr/lib/postgresql; as root they run as the user
//! `postgres`. Flushes are off: a test kills the server, not the machine. Used by the tests of this
//! crate and, by path, by those of the whole broker.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A PostgreSQL server.
pub(crate) struct Server {
    dir: TempDir,
    bin: PathBuf,
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let bin = binaries().expect(
            "PostgreSQL's server programs are not installed; install them with \
             'apt-get install postgresql' (or your distribution's package) and run again",
        );
        let dir = TempDir::new().unwrap();
        if is_root() {
            let status = Command::new("chown")
                .arg("postgres")
                .arg(dir.path())
                .status();
            assert!(status.unwrap().success(), "the user postgres is missing");
        }
        let data = dir.path().join("data");
        let output = as_postgres(&bin.join("initdb"), dir.path())
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Self {
            dir,
            bin,
            port,
            child: None,
        };
        server.resume();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "postgresql://postgres@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    /// Starts it again after [`Server::kill`].
    pub(crate) fn resume(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            // Right after a kill the old backends may still hold the data directory.
            let exited = match &mut self.child {
                Some(child) => child.try_wait().unwrap().is_some(),
                None => true,
            };
            if exited {
                self.child = Some(
                    as_postgres(&self.bin.join("postgres"), self.dir.path())
                        .args(["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"])
                        .args([
                            "-c",
                            "unix_socket_directories=",
                            "-c",
                            "shared_buffers=32MB",
                        ])
                        .args(["-p", &self.port.to_string(), "-D"])
                        .arg(self.dir.path().join("data"))
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .spawn()
                        .unwrap(),
                );
            }
            let mut asked = Command::new(self.bin.join("pg_isready"));
            let port = self.port.to_string();
            let up = asked
                .args(["-q", "-h", "127.0.0.1", "-U", "postgres", "-p", &port])
                .status()
                .unwrap();
            if up.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL did not come up within a minute");
    }

    /// As by power loss of the database host.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing to do about a server that is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

fn as_postgres(program: &Path, dir: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(dir).env("LC_ALL", "C");
    command
}
