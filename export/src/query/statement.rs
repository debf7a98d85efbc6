//! SQL text in the making, with the values it refers to.
//!
//! The text is put together from constants of this crate; what a client sends is only ever bound.
//! PostgreSQL gets a cast with each parameter, so that the server need not guess its type; times are
//! bound as milliseconds, but in MySQL, whose server cannot convert them beyond 2038.

use crate::database::Dialect;

/// A value bound to a statement.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Bind {
    Text(String),
    Int(i64),
    Time(i64),
    Float(f64),
}

/// SQL text in the making, with the values it refers to.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) dialect: Dialect,
    pub(crate) text: String,
    pub(crate) binds: Vec<Bind>,
}

impl Statement {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            text: String::with_capacity(512),
            binds: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, sql: &str) {
        self.text.push_str(sql);
    }

    /// Appends a parameter and remembers its value.
    pub(crate) fn bind(&mut self, bind: Bind) {
        let number = self.binds.len() + 1;
        let text = match (self.dialect, &bind) {
            (Dialect::Sqlite, _) => format!("?{number}"),
            (Dialect::Mysql, Bind::Time(_)) => "CAST(? AS DATETIME(3))".to_owned(),
            // No cast: LIMIT takes none, and what it is compared with has a type.
            (Dialect::Mysql, Bind::Text(_) | Bind::Int(_) | Bind::Float(_)) => "?".to_owned(),
            (Dialect::Postgres, Bind::Text(_)) => format!("${number}::text"),
            (Dialect::Postgres, Bind::Int(_)) => format!("${number}::bigint"),
            (Dialect::Postgres, Bind::Time(_)) => {
                format!("to_timestamp(${number}::bigint / 1000.0)")
            }
            (Dialect::Postgres, Bind::Float(_)) => format!("${number}::double precision"),
        };
        self.text.push_str(&text);
        self.binds.push(bind);
    }
}
