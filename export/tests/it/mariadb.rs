//! A MariaDB server of a test's own: on loopback, in a temporary directory, ended by its id.
//!
//! Needs the server's programs; as root they run as the user `mysql`. Flushes are off: a test kills
//! the server, not the machine. Used by the tests of this crate and, by path, by those of the whole
//! broker.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A MariaDB server.
pub(crate) struct Server {
    dir: TempDir,
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    /// Options of a server that is unlike the others.
    more: Vec<String>,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(more: &[&str]) -> Self {
        let install = program("mariadb-install-db").expect(
            "MariaDB's server programs are not installed; install them with \
             'apt-get install mariadb-server' (or your distribution's package) and run again",
        );
        let dir = TempDir::new().unwrap();
        if is_root() {
            let status = Command::new("chown").arg("mysql").arg(dir.path()).status();
            assert!(status.unwrap().success(), "the user mysql is missing");
        }
        let output = as_mysql(&install, dir.path())
            .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
            .args(["--auth-root-authentication-method=normal"])
            .args(["--innodb-log-file-size=32M", "--innodb-use-native-aio=OFF"])
            // A server that starts removes what others left in this directory.
            .arg(format!("--tmpdir={}", dir.path().display()))
            .arg(format!("--datadir={}", dir.path().join("data").display()))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "mariadb-install-db: {}{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            errors(&dir.path().join("data"))
        );
        std::fs::write(
            dir.path().join("init.sql"),
            "CREATE DATABASE IF NOT EXISTS ringflow CHARACTER SET latin1;\n",
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Self {
            dir,
            port,
            more: more.iter().map(|&option| option.to_owned()).collect(),
            child: None,
        };
        server.resume();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("mariadb://root@127.0.0.1:{}/ringflow", self.port)
    }

    /// Starts it again after [`Server::kill`].
    pub(crate) fn resume(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let exited = match &mut self.child {
                Some(child) => child.try_wait().unwrap().is_some(),
                None => true,
            };
            if exited {
                self.child = Some(self.spawn());
            }
            let asked = Command::new(program("mariadb-admin").unwrap())
                .args([
                    "--no-defaults",
                    "-uroot",
                    "-h127.0.0.1",
                    "--connect-timeout=5",
                ])
                .args(["-P", &self.port.to_string(), "ping"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            if asked.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.dir.path().join("log.err")).unwrap_or_default();
        panic!("MariaDB did not come up within a minute: {log}");
    }

    fn spawn(&self) -> Child {
        let dir = self.dir.path();
        as_mysql(&program("mariadbd").unwrap(), dir)
            .args([
                "--no-defaults",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
            ])
            .args([
                "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=64M",
            ])
            .args(["--innodb-log-file-size=32M", "--innodb-use-native-aio=OFF"])
            .arg(format!("--tmpdir={}", dir.display()))
            .arg(format!("--datadir={}", dir.join("data").display()))
            .arg(format!("--socket={}", dir.join("socket").display()))
            .arg(format!("--init-file={}", dir.join("init.sql").display()))
            .arg(format!("--log-error={}", dir.join("log.err").display()))
            .arg(format!("--port={}", self.port))
            .args(&self.more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
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

/// What the server wrote into its own directory.
fn errors(data: &Path) -> String {
    let files = std::fs::read_dir(data).into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|end| end == "err"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect()
}

fn program(name: &str) -> Option<PathBuf> {
    [
        "/usr/sbin",
        "/usr/bin",
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/libexec",
    ]
    .iter()
    .map(|dir| Path::new(dir).join(name))
    .find(|path| path.exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

fn as_mysql(program: &Path, dir: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=mysql", "--regid=mysql", "--clear-groups", "--"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(dir).env("LC_ALL", "C");
    command
}
