//! The databases the tests run on.
//!
//! PostgreSQL refuses to run as root, so as root its programs run as the user `postgres`. Each server
//! lives in a temporary directory and is killed when the test lets go of it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ringflow_export::Database;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tempfile::TempDir;

/// A database of the test's own.
pub(crate) enum Db {
    Sqlite(TempDir),
    Postgres(Server),
}

impl Db {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(Server::start())
    }

    pub(crate) fn database(&self) -> Database {
        let url = match self {
            Self::Sqlite(dir) => format!("sqlite:{}", dir.path().join("data.db").display()),
            Self::Postgres(server) => server.url(),
        };
        Database::parse(&url, None, None).unwrap().unwrap()
    }

    /// Runs statements.
    pub(crate) fn run(&self, sql: &str) {
        block_on(async {
            match self.database() {
                Database::Sqlite(options) => {
                    let mut connection = sqlx::SqliteConnection::connect_with(&options)
                        .await
                        .unwrap();
                    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                    connection.close().await.unwrap();
                }
                Database::Postgres(options) => {
                    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
                    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                        .execute(&mut connection)
                        .await
                        .unwrap();
                }
            }
        });
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        block_on(async {
            match self.database() {
                Database::Sqlite(options) => {
                    let mut connection = sqlx::SqliteConnection::connect_with(&options)
                        .await
                        .unwrap();
                    let row = sqlx::query(AssertSqlSafe(sql.to_owned()))
                        .fetch_one(&mut connection)
                        .await
                        .unwrap();
                    let number = row.try_get_unchecked(0).unwrap();
                    connection.close().await.unwrap();
                    number
                }
                Database::Postgres(options) => {
                    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
                    let row = sqlx::query(AssertSqlSafe(format!("SELECT ({sql})::bigint")))
                        .fetch_one(&mut connection)
                        .await
                        .unwrap();
                    row.try_get(0).unwrap()
                }
            }
        })
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A PostgreSQL server.
pub(crate) struct Server {
    dir: TempDir,
    bin: PathBuf,
    port: u16,
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

    pub(crate) const fn port(&self) -> u16 {
        self.port
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
        let options = match Database::parse(&self.url(), None, None).unwrap().unwrap() {
            Database::Postgres(options) => options,
            Database::Sqlite(_) => unreachable!("a server URL"),
        };
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
            let up = block_on(async { sqlx::PgConnection::connect_with(&options).await.is_ok() });
            if up {
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
