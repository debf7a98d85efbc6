//! Filter tree -> WHERE with bind parameters.
//!
//! Each node becomes a parenthesised condition. Values never become SQL text: they are bound, with a
//! cast in PostgreSQL so that the server need not guess. `$neq` and `$notIn` also match rows without
//! a value, as a document store's "must not" does. Patterns become LIKE, and GLOB in SQLite
//! (its LIKE ignores case). Comparisons of texts are by bytes everywhere.
//!
//! Limits: [`super::VALUES_MAX`] values, [`super::FILTER_DEPTH_MAX`] levels.

use super::field::{EntityFields, Field, Kind, Related};
use super::pattern::like;
use super::statement::{Bind, Statement};
use super::variable::FULL_VALUE;
use super::{FILTER_DEPTH_MAX, Filter, Literal, Op, VALUES_MAX};
use crate::database::Dialect;
use crate::error::QueryError;

/// Appends the condition of `filter`.
pub(crate) fn condition(
    out: &mut Statement,
    entity: &'static EntityFields,
    filter: &Filter,
    depth: usize,
) -> Result<(), QueryError> {
    if depth > FILTER_DEPTH_MAX {
        return Err(QueryError::TooLarge {
            reason: format!("filters nest deeper than {FILTER_DEPTH_MAX} levels"),
        });
    }
    match filter {
        Filter::All(parts) => all(out, entity, parts, depth),
        Filter::Any(parts) if parts.is_empty() => {
            out.push("1 = 0");
            Ok(())
        }
        Filter::Any(parts) => {
            for (i, part) in parts.iter().enumerate() {
                out.push(if i == 0 { "(" } else { " OR (" });
                condition(out, entity, part, depth + 1)?;
                out.push(")");
            }
            Ok(())
        }
        Filter::Field { field, op, values } => {
            let field = filterable(entity, field)?;
            match field.related {
                Some(related) => related_alone(out, related, field, *op, values),
                None => compare(out, field, *op, values),
            }
        }
        Filter::Variable {
            name,
            op,
            values,
            local,
        } => variable(out, entity, name, *op, values, *local),
        Filter::Effective { scopes } => effective(out, scopes),
    }
}

/// Variables of the scopes that no inner one hides. Inner scopes have greater keys: an element
/// instance is created after what encloses it, by the same partition.
fn effective(out: &mut Statement, scopes: &[i64]) -> Result<(), QueryError> {
    if out.binds.len() + 2 * scopes.len() > VALUES_MAX {
        return Err(QueryError::TooLarge {
            reason: format!("more than {VALUES_MAX} values"),
        });
    }
    if scopes.is_empty() {
        out.push("1 = 0");
        return Ok(());
    }
    let list = |out: &mut Statement| {
        for (at, scope) in scopes.iter().enumerate() {
            out.push(if at == 0 { "(" } else { ", " });
            out.bind(Bind::Int(*scope));
        }
        out.push(")");
    };
    out.push("t.scope_key IN ");
    list(out);
    out.push(
        " AND NOT EXISTS (SELECT 1 FROM variable w WHERE w.var_name = t.var_name \
         AND w.scope_key > t.scope_key AND w.scope_key IN ",
    );
    list(out);
    out.push(")");
    Ok(())
}

fn all(
    out: &mut Statement,
    entity: &'static EntityFields,
    parts: &[Filter],
    depth: usize,
) -> Result<(), QueryError> {
    if parts.is_empty() {
        out.push("1 = 1");
        return Ok(());
    }
    // Positive conditions on one related row are collected behind the others.
    let mut joint: Vec<(&'static Related, &'static Field, Op, &[Literal])> = Vec::new();
    let mut first = true;
    for part in parts {
        if let Filter::Field { field, op, values } = part {
            let field = filterable(entity, field)?;
            if let Some(related) = field.related.filter(|related| related.same_row) {
                joint.push((related, field, *op, values));
                continue;
            }
        }
        out.push(if first { "(" } else { " AND (" });
        first = false;
        condition(out, entity, part, depth + 1)?;
        out.push(")");
    }
    while let Some(&(related, ..)) = joint.first() {
        out.push(if first {
            "EXISTS (SELECT 1 FROM "
        } else {
            " AND EXISTS (SELECT 1 FROM "
        });
        first = false;
        out.push(related.from);
        for (_, field, op, values) in joint.iter().filter(|part| std::ptr::eq(part.0, related)) {
            out.push(" AND (");
            compare(out, field, *op, values)?;
            out.push(")");
        }
        out.push(")");
        joint.retain(|part| !std::ptr::eq(part.0, related));
    }
    Ok(())
}

fn filterable(entity: &'static EntityFields, name: &str) -> Result<&'static Field, QueryError> {
    entity
        .field(name)
        .filter(|field| field.filterable)
        .ok_or_else(|| QueryError::InvalidField {
            field: name.to_owned(),
            reason: "there is no such filter".into(),
        })
}

/// A condition on related rows of which there may be several (tags, candidates): a negation means
/// that no row fits.
fn related_alone(
    out: &mut Statement,
    related: &Related,
    field: &Field,
    op: Op,
    values: &[Literal],
) -> Result<(), QueryError> {
    let exists = |out: &mut Statement, not: bool, op: Op, values: &[Literal]| {
        out.push(if not {
            "NOT EXISTS (SELECT 1 FROM "
        } else {
            "EXISTS (SELECT 1 FROM "
        });
        out.push(related.from);
        out.push(" AND (");
        compare(out, field, op, values)?;
        out.push("))");
        Ok(())
    };
    match op {
        Op::Eq if field.all_of => {
            if values.is_empty() {
                out.push("1 = 1");
            }
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.push(" AND ");
                }
                exists(out, false, Op::Eq, std::slice::from_ref(value))?;
            }
            Ok(())
        }
        Op::Neq if !related.same_row => exists(out, true, Op::Eq, values),
        Op::NotIn if !related.same_row => exists(out, true, Op::In, values),
        Op::Exists if !related.same_row => {
            let there = flag(field, values)?;
            exists(out, !there, Op::Exists, &[Literal::Bool(true)])
        }
        Op::Eq
        | Op::Neq
        | Op::Exists
        | Op::Gt
        | Op::Gte
        | Op::Lt
        | Op::Lte
        | Op::In
        | Op::NotIn
        | Op::Like => exists(out, false, op, values),
    }
}

/// The condition that one field states, whatever entity it is of.
pub(crate) fn compare(
    out: &mut Statement,
    field: &Field,
    op: Op,
    values: &[Literal],
) -> Result<(), QueryError> {
    if out.binds.len() + values.len() > VALUES_MAX {
        return Err(QueryError::TooLarge {
            reason: format!("more than {VALUES_MAX} values"),
        });
    }
    let column = field.renamed.map_or(field.sql, |renamed| renamed.column);
    match op {
        Op::Exists => {
            out.push(field.sql);
            out.push(if flag(field, values)? {
                " IS NOT NULL"
            } else {
                " IS NULL"
            });
            Ok(())
        }
        Op::Eq | Op::Neq => {
            let value = single(field, values)?;
            if matches!(value, Literal::Null) {
                out.push(field.sql);
                out.push(if op == Op::Eq {
                    " IS NULL"
                } else {
                    " IS NOT NULL"
                });
                return Ok(());
            }
            if op == Op::Neq {
                out.push("(");
                out.push(field.sql);
                out.push(" IS NULL OR NOT (");
            }
            match (field.kind, value) {
                (Kind::Bool, value) => {
                    if !boolean(field, value)? {
                        out.push("NOT ");
                    }
                    out.push("(");
                    out.push(field.sql);
                    out.push(")");
                }
                (_, value) if field.phrase => phrase(out, field, value)?,
                (_, value) => {
                    let value = bind_of(field, value)?;
                    if field.sql == FULL_VALUE {
                        begins(out, "t", &value);
                    }
                    out.push(column);
                    out.push(" = ");
                    out.bind(value);
                }
            }
            if op == Op::Neq {
                out.push("))");
            }
            Ok(())
        }
        Op::In | Op::NotIn => {
            if field.kind == Kind::Bool {
                return Err(refuse(field, "it is a flag, which takes no list"));
            }
            let mut binds = Vec::with_capacity(values.len());
            for value in values
                .iter()
                .filter(|value| !matches!(value, Literal::Null))
            {
                binds.push(bind_of(field, value)?);
            }
            if binds.is_empty() {
                out.push(if op == Op::In { "1 = 0" } else { "1 = 1" });
                return Ok(());
            }
            if op == Op::NotIn {
                out.push("(");
                out.push(field.sql);
                out.push(" IS NULL OR ");
            }
            out.push(column);
            out.push(if op == Op::In { " IN (" } else { " NOT IN (" });
            for (i, bind) in binds.into_iter().enumerate() {
                if i > 0 {
                    out.push(", ");
                }
                out.bind(bind);
            }
            out.push(if op == Op::In { ")" } else { "))" });
            Ok(())
        }
        Op::Gt | Op::Gte | Op::Lt | Op::Lte => {
            if !matches!(field.kind, Kind::Int | Kind::Time | Kind::Key) {
                return Err(refuse(field, "it has no order to compare by"));
            }
            let bind = bind_of(field, single(field, values)?)?;
            out.push(column);
            out.push(match op {
                Op::Gt => " > ",
                Op::Gte => " >= ",
                Op::Lt => " < ",
                Op::Lte | Op::Eq | Op::Neq | Op::Exists | Op::In | Op::NotIn | Op::Like => " <= ",
            });
            out.bind(bind);
            Ok(())
        }
        Op::Like => {
            if field.kind != Kind::Text {
                return Err(refuse(field, "it is not a text"));
            }
            let Literal::Text(pattern) = single(field, values)? else {
                return Err(invalid(field, "a pattern is a text"));
            };
            like(out, field.sql, pattern, field.phrase);
            Ok(())
        }
    }
}

/// What an index knows of a value of a variable: how it begins. Says nothing that equality does not
/// say as well.
fn begins(out: &mut Statement, table: &str, value: &Bind) {
    let Bind::Text(value) = value else {
        return;
    };
    let (before, behind) = match out.dialect {
        Dialect::Postgres => ("LEFT(", ".var_value, 64) = "),
        Dialect::Sqlite => ("substr(", ".var_value, 1, 64) = "),
        // It has no index on an expression.
        Dialect::Mysql => return,
    };
    out.push(before);
    out.push(table);
    out.push(behind);
    out.bind(Bind::Text(value.chars().take(64).collect()));
    out.push(" AND ");
}

/// "Contains, whatever the case", as a full-text index answers a phrase.
fn phrase(out: &mut Statement, field: &Field, value: &Literal) -> Result<(), QueryError> {
    let Literal::Text(text) = value else {
        return Err(invalid(field, "expected a text"));
    };
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('*');
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    like(out, field.sql, &pattern, true);
    Ok(())
}

fn variable(
    out: &mut Statement,
    entity: &'static EntityFields,
    name: &str,
    op: Op,
    values: &[Literal],
    local: bool,
) -> Result<(), QueryError> {
    const TEXT: &str = "COALESCE(v.var_full_value, v.var_value)";
    let refuse = |reason: &str| QueryError::InvalidField {
        field: "variables".into(),
        reason: reason.into(),
    };
    let scope = entity
        .variables
        .as_ref()
        .and_then(|scopes| {
            if local {
                scopes.local
            } else {
                Some(scopes.instance)
            }
        })
        .ok_or_else(|| refuse("this entity has no such variables"))?;
    let (not, positive) = match op {
        // A variable with another value still leaves the name itself to be there.
        Op::Exists => (!flag_of("variables", values)?, Op::Exists),
        Op::Eq | Op::Neq | Op::In | Op::NotIn | Op::Like => (false, op),
        Op::Gt | Op::Gte | Op::Lt | Op::Lte => {
            return Err(refuse(
                "variables are compared as texts, which have no order here",
            ));
        }
    };
    out.push(if not { "NOT EXISTS (" } else { "EXISTS (" });
    out.push("SELECT 1 FROM variable v WHERE ");
    out.push(scope);
    out.push(" AND v.var_name = ");
    out.bind(Bind::Text(name.to_owned()));
    match positive {
        Op::Exists => {}
        Op::Like => {
            let [Literal::Text(pattern)] = values else {
                return Err(refuse("a pattern is one text"));
            };
            out.push(" AND ");
            like(out, TEXT, pattern, false);
        }
        Op::Eq | Op::In | Op::Neq | Op::NotIn => {
            if matches!(positive, Op::Eq | Op::Neq) && values.len() != 1 {
                return Err(refuse("expected one value"));
            }
            if out.binds.len() + 2 * values.len() > VALUES_MAX {
                return Err(QueryError::TooLarge {
                    reason: format!("more than {VALUES_MAX} values"),
                });
            }
            out.push(if matches!(positive, Op::Eq | Op::In) {
                " AND ("
            } else {
                " AND NOT ("
            });
            if values.is_empty() {
                out.push("1 = 0");
            }
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    out.push(" OR ");
                }
                variable_equals(out, TEXT, value);
            }
            out.push(")");
        }
        Op::Gt | Op::Gte | Op::Lt | Op::Lte => {}
    }
    out.push(")");
    Ok(())
}

/// Numbers compare as numbers (`10` finds `10.0`), everything else as JSON text.
fn variable_equals(out: &mut Statement, text: &str, value: &Literal) {
    let literal = match value {
        Literal::Text(text) => text.clone(),
        Literal::Int(number) | Literal::Time(number) => number.to_string(),
        Literal::Bool(flag) => flag.to_string(),
        Literal::Null => "null".to_owned(),
    };
    if let Ok(number) = literal.parse::<i64>() {
        out.push("(v.long_value IS NOT NULL AND v.long_value = ");
        out.bind(Bind::Int(number));
        out.push(" OR v.double_value IS NOT NULL AND v.double_value = ");
        out.bind(Bind::Float(number as f64));
        out.push(")");
    } else if let Some(number) = literal.parse::<f64>().ok().filter(|number| {
        number.is_finite() && literal.starts_with(|c: char| c == '-' || c.is_ascii_digit())
    }) {
        out.push("(v.double_value IS NOT NULL AND v.double_value = ");
        out.bind(Bind::Float(number));
        out.push(")");
    } else {
        let literal = Bind::Text(literal);
        begins(out, "v", &literal);
        out.push(text);
        out.push(" = ");
        out.bind(literal);
    }
}

/// The bound form of a literal, if it fits the field.
pub(crate) fn bind_of(field: &Field, value: &Literal) -> Result<Bind, QueryError> {
    match (field.kind, value) {
        (Kind::Text | Kind::Json, Literal::Text(text)) => {
            let pairs = field.renamed.map_or(&[][..], |renamed| renamed.pairs);
            let row = pairs.iter().find(|(rest, _)| rest == text);
            Ok(Bind::Text(match row {
                Some((_, row)) => (*row).to_owned(),
                None => text.clone(),
            }))
        }
        (Kind::Key | Kind::Int, Literal::Int(number)) => Ok(Bind::Int(*number)),
        (Kind::Key | Kind::Int, Literal::Text(text)) => text
            .parse()
            .map(Bind::Int)
            .map_err(|_| invalid(field, "expected a whole number")),
        (Kind::Time, Literal::Time(time) | Literal::Int(time)) => Ok(Bind::Time(*time)),
        (Kind::Key | Kind::Int, _) => Err(invalid(field, "expected a whole number")),
        (Kind::Text | Kind::Json, _) => Err(invalid(field, "expected a text")),
        (Kind::Time, _) => Err(invalid(field, "expected a time")),
        (Kind::Bool, _) => Err(refuse(field, "a flag is only equal or not")),
    }
}

fn single<'v>(field: &Field, values: &'v [Literal]) -> Result<&'v Literal, QueryError> {
    match values {
        [value] => Ok(value),
        _ => Err(invalid(field, "expected one value")),
    }
}

fn boolean(field: &Field, value: &Literal) -> Result<bool, QueryError> {
    match value {
        Literal::Bool(flag) => Ok(*flag),
        Literal::Text(_) | Literal::Int(_) | Literal::Time(_) | Literal::Null => {
            Err(invalid(field, "expected true or false"))
        }
    }
}

fn flag(field: &Field, values: &[Literal]) -> Result<bool, QueryError> {
    flag_of(field.name, values)
}

fn flag_of(name: &str, values: &[Literal]) -> Result<bool, QueryError> {
    match values {
        [Literal::Bool(flag)] => Ok(*flag),
        _ => Err(QueryError::InvalidValue {
            field: name.to_owned(),
            reason: "expected true or false".into(),
        }),
    }
}

fn refuse(field: &Field, reason: &str) -> QueryError {
    QueryError::InvalidField {
        field: field.name.to_owned(),
        reason: reason.to_owned(),
    }
}

fn invalid(field: &Field, reason: &str) -> QueryError {
    QueryError::InvalidValue {
        field: field.name.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Dialect;
    use crate::query::Entity;
    use crate::query::field::entity;

    fn sql(dialect: Dialect, filter: &Filter) -> (String, Vec<Bind>) {
        let mut out = Statement::new(dialect);
        condition(&mut out, entity(Entity::ProcessInstance), filter, 0).unwrap();
        (out.text, out.binds)
    }

    #[test]
    fn patterns_are_translated_for_each_dialect() {
        let filter = Filter::Field {
            field: "businessId".into(),
            op: Op::Like,
            values: vec![Literal::Text(r"a*b?\*%_[\\".into())],
        };
        let (text, binds) = sql(Dialect::Postgres, &filter);
        assert_eq!(text, r"t.business_id LIKE $1::text ESCAPE '\'");
        assert_eq!(binds, [Bind::Text(r"a%b_*\%\_[\\".into())]);
        let (text, binds) = sql(Dialect::Mysql, &filter);
        assert_eq!(text, "t.business_id LIKE ? ESCAPE '!'");
        assert_eq!(binds, [Bind::Text(r"a%b_*!%!_[\".into())]);
        let (text, binds) = sql(Dialect::Sqlite, &filter);
        assert_eq!(text, "t.business_id GLOB ?1");
        assert_eq!(binds, [Bind::Text(r"a*b?[*]%_[[]\".into())]);
    }

    #[test]
    fn element_conditions_of_one_conjunction_hold_for_one_element() {
        let field = |name: &str, value: Literal| Filter::Field {
            field: name.into(),
            op: Op::Eq,
            values: vec![value],
        };
        let (text, _) = sql(
            Dialect::Sqlite,
            &Filter::All(vec![
                field("elementId", Literal::Text("a".into())),
                field("elementInstanceState", Literal::Text("ACTIVE".into())),
            ]),
        );
        assert_eq!(text.matches("EXISTS").count(), 1, "{text}");
    }

    #[test]
    fn values_never_become_text() {
        let evil = "x'; DROP TABLE variable; --";
        for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql] {
            for op in [Op::Eq, Op::Neq, Op::In, Op::NotIn, Op::Like] {
                let (text, _) = sql(
                    dialect,
                    &Filter::Field {
                        field: "businessId".into(),
                        op,
                        values: vec![Literal::Text(evil.into())],
                    },
                );
                assert!(!text.contains("DROP"), "{text}");
            }
        }
    }
}
