//! What is logged: a filter made of the setting, which operators change while the program runs.
//!
//! The filter is a list of modules with a level each, and one level for everything else. The
//! subscriber asks it once per place that logs and keeps the answer until the filter is exchanged,
//! so that being changeable costs nothing.
//!
//! Lines go to standard error; standard output has only what a task prints.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ringflow_gateway::Loggers;
use tracing_subscriber::EnvFilter;

use crate::arguments::Failure;
use crate::config::Config;

/// Levels by module; the empty name is everything else. What is no module with a level stays as it
/// was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Directives {
    levels: BTreeMap<String, String>,
    others: Vec<String>,
}

impl Directives {
    fn read(filter: &str) -> Self {
        let mut read = Self::default();
        for directive in filter.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            let (name, level) = directive.split_once('=').unwrap_or(("", directive));
            let is_level = ["off", "error", "warn", "info", "debug", "trace"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(level));
            if is_level && !name.contains(['[', '{']) {
                read.levels
                    .insert(name.to_owned(), level.to_ascii_uppercase());
            } else {
                read.others.push(directive.to_owned());
            }
        }
        read
    }

    fn filter(&self) -> String {
        let levels = self.levels.iter().map(|(name, level)| match name.as_str() {
            "" => level.to_ascii_lowercase(),
            name => format!("{name}={}", level.to_ascii_lowercase()),
        });
        let all: Vec<String> = levels.chain(self.others.iter().cloned()).collect();
        all.join(",")
    }
}

type Exchange = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// The filter of this process.
struct Logging {
    now: Mutex<Directives>,
    exchange: Exchange,
}

/// There is one subscriber in a process, hence one of these.
static LOGGING: OnceLock<Arc<Logging>> = OnceLock::new();

impl Loggers for Logging {
    fn levels(&self) -> Vec<(String, String)> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut levels: Vec<(String, String)> = now
            .levels
            .iter()
            .map(|(name, level)| (name.clone(), level.clone()))
            .collect();
        if !now.levels.contains_key("") {
            // What a filter does not name is left out.
            levels.insert(0, (String::new(), "OFF".to_owned()));
        }
        levels
    }

    fn set(&self, module: &str, level: Option<&str>) -> Result<(), String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
        if !module.chars().all(fits) {
            return Err(format!("'{module}' is no name of a module"));
        }
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut then = now.clone();
        match level {
            Some(level) => {
                then.levels
                    .insert(module.to_owned(), level.to_ascii_uppercase());
            }
            None => {
                then.levels.remove(module);
            }
        }
        let filter = EnvFilter::try_new(then.filter()).map_err(|error| error.to_string())?;
        (self.exchange)(filter)?;
        *now = then;
        Ok(())
    }
}

/// Begins to log as the configuration says.
///
/// # Errors
/// If the filter does not parse.
pub(crate) fn begin(config: &Config) -> Result<(), Failure> {
    // The consensus library tells each of its steps at this level: for its developers only.
    let wanted = match config.log_filter.as_str() {
        "info" => "info,openraft=error",
        other => other,
    };
    let filter = EnvFilter::try_new(wanted)
        .map_err(|error| Failure(format!("setting 'log.level': {error}")))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let exchange: Exchange = if config.log_json {
        let lines = lines.json().with_filter_reloading();
        let handle = lines.reload_handle();
        lines.init();
        Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
    } else {
        let lines = lines.with_ansi(false).with_filter_reloading();
        let handle = lines.reload_handle();
        lines.init();
        Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
    };
    let logging = Logging {
        now: Mutex::new(Directives::read(wanted)),
        exchange,
    };
    // Whoever was first has the subscriber.
    let _ = LOGGING.set(Arc::new(logging));
    Ok(())
}

/// What operators change it with; `None` before it has begun.
pub(crate) fn loggers() -> Option<Arc<dyn Loggers>> {
    LOGGING
        .get()
        .map(|logging| Arc::clone(logging) as Arc<dyn Loggers>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_written() {
        let read = Directives::read("info, openraft=error,ringflow_io[span]=debug");
        assert_eq!(read.levels[""], "INFO");
        assert_eq!(read.levels["openraft"], "ERROR");
        assert_eq!(read.others, ["ringflow_io[span]=debug"]);
        assert_eq!(read.filter(), "info,openraft=error,ringflow_io[span]=debug");
    }

    #[test]
    fn levels_change_and_go() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sent = Arc::clone(&seen);
        let logging = Logging {
            now: Mutex::new(Directives::read("info")),
            exchange: Box::new(move |filter| {
                sent.lock().unwrap().push(filter.to_string());
                Ok(())
            }),
        };
        logging.set("ringflow", Some("DEBUG")).unwrap();
        assert_eq!(
            logging.levels(),
            [
                (String::new(), "INFO".to_owned()),
                ("ringflow".to_owned(), "DEBUG".to_owned())
            ]
        );
        logging.set("ringflow", None).unwrap();
        logging.set("", Some("WARN")).unwrap();
        assert!(logging.set("a b", Some("WARN")).is_err());
        assert_eq!(seen.lock().unwrap().last().unwrap(), "warn");
        assert_eq!(seen.lock().unwrap().len(), 3);
    }
}
