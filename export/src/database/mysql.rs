//! MariaDB and MySQL: their URLs, what a session is set to, and the classes of their errors.
//!
//! Both speak one protocol and nearly one SQL. Which one answers is asked of every new connection,
//! because upserts, collations and time-outs are spelled differently. Sessions are set to one mode
//! whatever the server's defaults are: strict, UTC, READ COMMITTED (no gap locks between
//! partitions), comparison by bytes.
//!
//! Options of a URL, in the words of both JDBC drivers and of the command line, are mapped, ignored
//! with a log line where they only tune the driver, or refused by name where ignoring them would
//! weaken what was asked for (key stores, cipher lists, several hosts).
//!
//! | option | here |
//! |---|---|
//! | `sslMode`, `ssl-mode`, `useSSL`, `requireSSL`, `verifyServerCertificate`, `trustServerCertificate`, `disableSslHostnameVerification` | the TLS mode |
//! | `serverSslCert`, `ssl-ca`; `ssl-cert`, `ssl-key` | PEM files: trusted CA; client certificate and key |
//! | `user`, `password`, `localSocket`, `socket` | as they say |
//! | `characterEncoding`, `charset` | must be UTF-8 |
//! | `trustStore`, `keyStore`, `trustCertificateKeyStoreUrl` ... | refused: PEM files are taken |

use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection, Row as _};

use super::{CONNECT_TIMEOUT, Failure, IDLE_IN_TRANSACTION_MS, STATEMENT_CACHE};
use crate::error::ConfigError;

/// Oldest servers: JSON_TABLE of MariaDB, row aliases and NO PAD comparison by bytes of MySQL.
const MARIADB_MIN: (u32, u32, u32) = (10, 6, 0);
const MYSQL_MIN: (u32, u32, u32) = (8, 0, 19);
/// Idle writers are left alone for so long. MySQL cannot end idle transactions alone, only idle
/// connections.
pub(crate) const IDLE_CONNECTION: Duration = Duration::from_secs(10);
/// Bytes that sorting looks at: the longest text column there is.
const SORT_BYTES: u32 = 4 * 8192;

/// Who made the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Product {
    MariaDb,
    MySql,
}

/// What is known of the server behind a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) product: Product,
    /// Bytes of a statement with its values at most.
    pub(crate) packet: usize,
}

impl Product {
    /// The collation that compares bytes and does not ignore trailing blanks.
    pub(crate) const fn collation(self) -> &'static str {
        match self {
            Self::MariaDb => "utf8mb4_nopad_bin",
            Self::MySql => "utf8mb4_0900_bin",
        }
    }
}

/// Reads a URL whose scheme is `mysql` or `mariadb`.
pub(super) fn options(plain: &str, jdbc: bool) -> Result<MySqlConnectOptions, ConfigError> {
    let refuse = |reason: String| ConfigError::Url { reason };
    let (scheme, rest) = plain.split_once("://").ok_or_else(|| {
        refuse("expected mysql://HOST:PORT/DATABASE; one host, no fail-over mode".into())
    })?;
    let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
    if scheme.contains(':') {
        return Err(refuse(
            "one host is taken, no fail-over or load-balancing mode".into(),
        ));
    }
    let authority = base.split('/').next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    if hosts.contains(',') || hosts.contains('(') {
        return Err(refuse(
            "several hosts are not taken; give one address, for example that of a proxy".into(),
        ));
    }
    let mut given = Given::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        given.take(name, value, scheme == "mariadb")?;
    }
    let mut url = String::from("mysql://");
    if let Some(user) = &given.user {
        url.push_str(&in_authority(user));
        if let Some(password) = &given.password {
            url.push(':');
            url.push_str(&in_authority(password));
        }
        url.push('@');
        url.push_str(base.rsplit_once('@').map_or(base, |(_, base)| base));
    } else {
        url.push_str(base);
    }
    if !given.kept.is_empty() {
        url.push('?');
        url.push_str(&given.kept.join("&"));
    }
    let mut options =
        MySqlConnectOptions::from_str(&url).map_err(|error| refuse(error.to_string()))?;
    if options.get_database().unwrap_or_default().is_empty() {
        return Err(refuse(
            "it names no database (mysql://HOST:PORT/DATABASE)".into(),
        ));
    }
    let host = options.get_host().trim_matches(['[', ']']).to_owned();
    options = options.host(&host);
    if let Some(mode) = given.mode(scheme == "mariadb" && jdbc) {
        options = options.ssl_mode(mode);
    }
    // Names and mode of the session are set once the server is known.
    Ok(options
        .set_names(false)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging())
}

/// What the options of a URL say.
#[derive(Default)]
struct Given {
    user: Option<String>,
    password: Option<String>,
    mode: Option<MySqlSslMode>,
    tls: Option<bool>,
    required: bool,
    verify: bool,
    trust: bool,
    any_host: bool,
    /// Options that the driver reads itself, in its words.
    kept: Vec<String>,
}

impl Given {
    fn take(&mut self, name: &str, value: &str, mariadb: bool) -> Result<(), ConfigError> {
        let refuse = |reason: &str| {
            Err(ConfigError::Url {
                reason: format!("option {name}: {reason}"),
            })
        };
        let on = value.is_empty() || value.eq_ignore_ascii_case("true") || value == "1";
        match name {
            "user" | "username" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(value.to_owned()),
            "sslMode" | "sslmode" | "ssl-mode" => match mode(value) {
                Some(mode) => self.mode = Some(mode),
                None => {
                    return refuse(
                        "expected DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY or \
                         disable, trust, verify-ca, verify-full",
                    );
                }
            },
            "useSSL" | "useSsl" | "ssl" => self.tls = Some(on),
            "requireSSL" => self.required = on,
            "verifyServerCertificate" => self.verify = on,
            "trustServerCertificate" => self.trust = on,
            "disableSslHostnameVerification" => self.any_host = on,
            "serverSslCert" | "sslCa" | "sslca" | "ssl-ca" => {
                if value.starts_with("-----") || value.starts_with("classpath:") {
                    return refuse("expected the path of a PEM file");
                }
                self.verify = true;
                let path = value.strip_prefix("file:").unwrap_or(value);
                self.kept.push(format!("ssl-ca={path}"));
            }
            "sslCert" | "sslcert" | "ssl-cert" => self.kept.push(format!("ssl-cert={value}")),
            "sslKey" | "sslkey" | "ssl-key" => self.kept.push(format!("ssl-key={value}")),
            "localSocket" | "socket" => self.kept.push(format!("socket={value}")),
            "characterEncoding" | "charset" => {
                let plain = value.to_ascii_lowercase().replace('-', "");
                if !matches!(plain.as_str(), "utf8" | "utf8mb4") {
                    return refuse("texts are UTF-8");
                }
            }
            "trustStore"
            | "keyStore"
            | "trustStorePassword"
            | "keyStorePassword"
            | "trustStoreType"
            | "keyStoreType"
            | "keyPassword"
            | "trustCertificateKeyStoreUrl"
            | "trustCertificateKeyStorePassword"
            | "trustCertificateKeyStoreType"
            | "clientCertificateKeyStoreUrl"
            | "clientCertificateKeyStorePassword"
            | "clientCertificateKeyStoreType" => {
                return refuse(
                    "Java key stores are not read; give PEM files: serverSslCert (or ssl-ca), ssl-cert, ssl-key",
                );
            }
            "enabledSslProtocolSuites"
            | "enabledTLSProtocols"
            | "tlsVersions"
            | "enabledSslCipherSuites"
            | "tlsCiphersuites"
            | "enabledSSLCipherSuites" => {
                return refuse(
                    "TLS 1.2 and 1.3 with the cipher suites of rustls are spoken, and nothing else",
                );
            }
            "authenticationPlugins"
            | "restrictedAuth"
            | "defaultAuthenticationPlugin"
            | "credentialType" => {
                return refuse(
                    "mysql_native_password and caching_sha2_password are spoken, and nothing else",
                );
            }
            other => tracing::warn!(
                option = other,
                "option of the {} URL has no meaning here and is ignored",
                if mariadb { "MariaDB" } else { "MySQL" }
            ),
        }
        Ok(())
    }

    /// The TLS mode that the flags add up to. The JDBC driver of MariaDB verifies where that of
    /// MySQL only encrypts.
    fn mode(&self, mariadb: bool) -> Option<MySqlSslMode> {
        if let Some(mode) = self.mode {
            return Some(mode);
        }
        if self.tls == Some(false) {
            return Some(MySqlSslMode::Disabled);
        }
        let asked = self.tls == Some(true);
        if self.trust {
            return Some(MySqlSslMode::Required);
        }
        if self.any_host || (self.verify && !(mariadb && asked)) {
            return Some(MySqlSslMode::VerifyCa);
        }
        if asked && mariadb {
            return Some(MySqlSslMode::VerifyIdentity);
        }
        (asked || self.required).then_some(MySqlSslMode::Required)
    }
}

fn mode(value: &str) -> Option<MySqlSslMode> {
    Some(
        match value.to_ascii_lowercase().replace('-', "_").as_str() {
            "disabled" | "disable" => MySqlSslMode::Disabled,
            "preferred" => MySqlSslMode::Preferred,
            "required" | "trust" => MySqlSslMode::Required,
            "verify_ca" => MySqlSslMode::VerifyCa,
            "verify_identity" | "verify_full" => MySqlSslMode::VerifyIdentity,
            _ => return None,
        },
    )
}

/// A value of the query, percent-encoded or not, in the place before the host.
fn in_authority(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '@' => out.push_str("%40"),
            ':' => out.push_str("%3A"),
            '/' => out.push_str("%2F"),
            '#' => out.push_str("%23"),
            '[' => out.push_str("%5B"),
            ']' => out.push_str("%5D"),
            _ => out.push(c),
        }
    }
    out
}

/// Opens a connection with the session settings every connection of ours has.
///
/// # Errors
/// If the server cannot be reached within [`CONNECT_TIMEOUT`], refuses, or is too old.
pub(crate) async fn connect(
    options: &MySqlConnectOptions,
    statement_timeout: Duration,
) -> Result<(MySqlConnection, Server), sqlx::Error> {
    let open = async {
        let mut connection = MySqlConnection::connect_with(options).await?;
        let server = set_session(&mut connection, statement_timeout).await?;
        Ok((connection, server))
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, open).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "the database did not answer the connection attempt in time",
        ))),
    }
}

/// Asks who the server is, sets the session, and bounds what the server does for this connection
/// once nobody listens any more.
pub(crate) async fn set_session(
    connection: &mut MySqlConnection,
    statement_timeout: Duration,
) -> Result<Server, sqlx::Error> {
    let row = sqlx::query("SELECT CAST(VERSION() AS CHAR), CAST(@@max_allowed_packet AS SIGNED)")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    let version: String = row.try_get_unchecked(0)?;
    let packet: i64 = row.try_get_unchecked(1)?;
    let server = Server {
        product: product(&version).map_err(|reason| sqlx::Error::Configuration(reason.into()))?,
        packet: usize::try_from(packet).unwrap_or(1 << 20),
    };
    let collation = server.product.collation();
    let idle = IDLE_IN_TRANSACTION_MS / 1000;
    let idle_connection = IDLE_CONNECTION.as_secs();
    let bounds = match server.product {
        Product::MariaDb => format!(
            "idle_transaction_timeout = {idle}, max_statement_time = {}",
            statement_timeout.as_secs_f64()
        ),
        // Ends reading statements only; the time-out of the client covers the others.
        Product::MySql => format!(
            "wait_timeout = {idle_connection}, max_execution_time = {}",
            statement_timeout.as_millis()
        ),
    };
    sqlx::raw_sql(AssertSqlSafe(format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', \
         net_read_timeout = {idle_connection}, max_sort_length = {SORT_BYTES}, {bounds}, \
         NAMES utf8mb4 COLLATE {collation}"
    )))
    .execute(connection)
    .await?;
    Ok(server)
}

/// Who says `VERSION()` to be so.
fn product(version: &str) -> Result<Product, String> {
    let mut numbers = version
        .split(['.', '-'])
        .map(|part| part.parse::<u32>().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    let found = (next(), next(), next());
    let (product, name, least) = if version.to_ascii_lowercase().contains("mariadb") {
        (Product::MariaDb, "MariaDB", MARIADB_MIN)
    } else {
        (Product::MySql, "MySQL", MYSQL_MIN)
    };
    if found < least {
        let (major, minor, patch) = least;
        return Err(format!(
            "{name} {version} is too old; {name} {major}.{minor}.{patch} or newer is needed"
        ));
    }
    Ok(product)
}

/// What kind of failure an error of the server is.
pub(super) fn classify(error: &MySqlDatabaseError) -> Failure {
    match error.number() {
        // Larger than max_allowed_packet; no such value for an upsert or a JSON document.
        1153 | 1301 => Failure::Data,
        // 1292, 1366: texts that are no time, no number, no UTF-8. 3140 to 3160: JSON. 3819, 4025:
        // CHECK. 4078 is MariaDB's for a value of a type that a column cannot take.
        1048
        | 1062
        | 1118
        | 1264
        | 1265
        | 1292
        | 1300
        | 1364
        | 1366
        | 1406
        | 1441
        | 1452
        | 1690
        | 3140..=3160
        | 3669
        | 3819
        | 4025
        | 4078 => Failure::Data,
        // Disk or table space full, memory, handles, engine errors.
        3 | 28 | 1014 | 1021 | 1023 | 1026 | 1030 | 1037 | 1038 | 1041 | 1114 | 1135 => {
            Failure::Down
        }
        // Connections: too many, blocked, shut down, killed, cut.
        1040
        | 1047
        | 1053
        | 1077
        | 1078
        | 1079
        | 1080
        | 1129
        | 1152
        | 1158..=1161
        | 1184
        | 1203
        | 1226
        | 1317
        | 1927
        | 2002
        | 2003
        | 2006
        | 2013
        | 2055
        | 3168
        | 4031 => Failure::Down,
        // Lock wait, deadlock, changed meanwhile, statement to be prepared again or too many.
        1020 | 1180 | 1181 | 1205 | 1206 | 1213 | 1243 | 1412 | 1461 | 1479 | 1614 | 1615
        | 1637 => Failure::Down,
        // Read-only for now: a replica, or a fail-over that is not finished. Time-outs.
        1290 | 1792 | 1836 | 1969 | 3024 | 3100 | 3101 | 3572 => Failure::Down,
        _ => match error.code().and_then(|code| code.get(..2)) {
            Some("22" | "23" | "45") => Failure::Data,
            Some("08" | "40" | "70") => Failure::Down,
            Some(_) | None => Failure::Statement,
        },
    }
}

/// A table or a file that is broken.
pub(crate) fn damaged(error: &MySqlDatabaseError) -> bool {
    matches!(
        error.number(),
        1034 | 1035 | 1194 | 1195 | 1712 | 1815 | 1877 | 1932
    )
}

#[cfg(test)]
mod tests {
    use super::super::Database;
    use super::*;

    fn parsed(url: &str) -> MySqlConnectOptions {
        match Database::parse(url, None, None).unwrap() {
            Some(Database::Mysql(options)) => options,
            Some(Database::Sqlite(_) | Database::Postgres(_)) | None => unreachable!("{url}"),
        }
    }

    #[test]
    fn urls_of_both_products_and_of_their_drivers_are_taken() {
        for url in [
            "mysql://u:p@db:3307/camunda",
            "mariadb://u:p@db:3307/camunda?characterEncoding=UTF-8",
            "jdbc:mysql://db:3307/camunda?user=u&password=p&rewriteBatchedStatements=true",
            "jdbc:mariadb://db:3307/camunda?user=u&password=p&useBulkStmts=true",
        ] {
            let options = parsed(url);
            assert_eq!(
                (
                    options.get_host(),
                    options.get_port(),
                    options.get_username()
                ),
                ("db", 3307, "u"),
                "{url}"
            );
            assert_eq!(options.get_database(), Some("camunda"), "{url}");
        }
        assert_eq!(parsed("jdbc:mysql:///d").get_port(), 3306);
        assert_eq!(parsed("mysql://[::1]/d").get_host(), "::1");
        let odd = parsed("jdbc:mysql://h/d?user=a@b%25c");
        assert_eq!(odd.get_username(), "a@b%c");
        let given = Database::parse("jdbc:mysql://h/d?user=a", Some("b"), Some("s")).unwrap();
        let Some(Database::Mysql(given)) = given else {
            unreachable!("a MySQL URL")
        };
        assert_eq!(given.get_username(), "b");
        assert_eq!(format!("{:?}", Database::Mysql(given)), "mysql://h:3306/d");
    }

    #[test]
    fn tls_options_of_both_drivers_are_honoured() {
        let mode = |query: &str| {
            let mysql = parsed(&format!("jdbc:mysql://h/d?{query}")).get_ssl_mode();
            let mariadb = parsed(&format!("jdbc:mariadb://h/d?{query}")).get_ssl_mode();
            (format!("{mysql:?}"), format!("{mariadb:?}"))
        };
        let both = |name: &str| (name.to_owned(), name.to_owned());
        assert_eq!(mode(""), both("Preferred"));
        assert_eq!(mode("useSSL=false"), both("Disabled"));
        assert_eq!(
            mode("useSSL=true"),
            ("Required".into(), "VerifyIdentity".into())
        );
        assert_eq!(
            mode("useSSL=true&trustServerCertificate=true"),
            both("Required")
        );
        assert_eq!(mode("requireSSL=true"), both("Required"));
        assert_eq!(mode("sslMode=VERIFY_IDENTITY"), both("VerifyIdentity"));
        assert_eq!(
            mode("sslMode=verify-full&useSSL=false"),
            both("VerifyIdentity")
        );
        assert_eq!(mode("ssl-mode=trust"), both("Required"));
        assert_eq!(mode("serverSslCert=/ca.pem"), both("VerifyCa"));
        assert_eq!(mode("verifyServerCertificate=true"), both("VerifyCa"));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        for (url, word) in [
            ("mysql://h1,h2/d", "several hosts"),
            ("jdbc:mysql:loadbalance://h1,h2/d", "one host"),
            ("mysql://h", "no database"),
            ("mysql://h/d?trustStore=/a.jks", "trustStore"),
            ("mysql://h/d?sslMode=maybe", "sslMode"),
            ("mysql://h/d?characterEncoding=latin1", "characterEncoding"),
            (
                "mysql://h/d?enabledTLSProtocols=TLSv1",
                "enabledTLSProtocols",
            ),
        ] {
            let text = Database::parse(url, None, None).unwrap_err().to_string();
            assert!(text.contains(word), "{url}: {text}");
        }
    }

    #[test]
    fn servers_are_told_apart_and_old_ones_refused() {
        assert_eq!(product("10.11.19-MariaDB-0+deb12u1"), Ok(Product::MariaDb));
        assert!(product("5.5.5-10.5.1-MariaDB").is_err());
        assert_eq!(product("8.4.3"), Ok(Product::MySql));
        assert_eq!(product("9.1.0-commercial"), Ok(Product::MySql));
        for old in ["8.0.18", "5.7.44-log", "10.5.29-MariaDB"] {
            assert!(product(old).unwrap_err().contains("too old"), "{old}");
        }
    }
}
