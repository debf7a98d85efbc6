//! Mappings as one expression, as incidents show them.
//!
//! Camunda makes one context of all mappings of an element and evaluates that; incidents name it and
//! list the warnings of all of it. It is written here only when a mapping has failed, so that mappings
//! that work cost no parsing. A context beyond the limits here is not written: the incident then shows
//! the failed mapping alone.

use crate::engine::fault::{Failure, Stop};
use crate::engine::output::Processing;
use crate::engine::rule::expressions;
use crate::ids::Key;
use crate::model::Expr;
use crate::record::Text;

/// Names in a target.
const MAX_PATH: usize = 32;
/// Bytes of a context; nested output mappings are written twice per level.
const MAX_CONTEXT: usize = 64 << 10;

/// What stands under a name.
enum Node {
    Source(String),
    Context(Vec<(Text, Node)>),
}

/// The context of input mappings, given by target and source.
pub(crate) fn inputs<'m>(mappings: impl Iterator<Item = (&'m [Text], &'m Expr)>) -> Option<String> {
    written(&tree(mappings)?, None)
}

/// The context of output mappings: nested targets keep what their variables have now.
pub(crate) fn outputs<'m>(
    mappings: impl Iterator<Item = (&'m [Text], &'m Expr)>,
) -> Option<String> {
    written(&tree(mappings)?, Some(""))
}

/// The failure of a mapping with the text of the failure of all of them.
pub(crate) fn explain(p: &Processing<'_>, stop: Stop, context: Option<String>, scope: Key) -> Stop {
    let Stop::Incident(failure) = stop else {
        return stop;
    };
    let whole = context
        .and_then(|context| Expr::parse(&format!("={context}")).ok())
        .map(|expr| expressions::any(p, &expr, scope));
    match whole {
        Some(Err(Stop::Incident(Failure { message, .. }))) => {
            Stop::Incident(Failure { message, ..failure })
        }
        Some(Ok(_) | Err(Stop::Reject(_) | Stop::TooLarge | Stop::Fault(_))) | None => {
            Stop::Incident(failure)
        }
    }
}

fn tree<'m>(mappings: impl Iterator<Item = (&'m [Text], &'m Expr)>) -> Option<Vec<(Text, Node)>> {
    let mut root = Vec::new();
    for (target, expr) in mappings {
        if target.len() > MAX_PATH {
            return None;
        }
        put(&mut root, target, source(expr));
    }
    Some(root)
}

/// Puts `source` at the path `target`; what is in the way gives way, in its place.
fn put(level: &mut Vec<(Text, Node)>, target: &[Text], source: String) {
    let Some((name, rest)) = target.split_first() else {
        return;
    };
    let at = level.iter().position(|(known, _)| known == name);
    let at = at.unwrap_or_else(|| {
        level.push((name.clone(), Node::Context(Vec::new())));
        level.len() - 1
    });
    let node = &mut level[at].1;
    if rest.is_empty() {
        *node = Node::Source(source);
        return;
    }
    match node {
        Node::Context(entries) => put(entries, rest, source),
        Node::Source(_) => {
            let mut entries = Vec::new();
            put(&mut entries, rest, source);
            *node = Node::Context(entries);
        }
    }
}

/// An expression as it stands inside another one.
fn source(expr: &Expr) -> String {
    if expr.is_static() {
        return format!("\"{}\"", expr.source.replace('"', "\\\""));
    }
    (expr.source.strip_prefix('=').unwrap_or(&expr.source)).to_owned()
}

/// A context as FEEL; with a path, nested contexts are merged with the variable they stand for.
fn written(entries: &[(Text, Node)], path: Option<&str>) -> Option<String> {
    let mut out = String::from("{");
    for (name, node) in entries {
        if out.len() > 1 {
            out.push(',');
        }
        match (node, path) {
            (Node::Source(source), _) => out.push_str(&format!("{name}:{source}")),
            (Node::Context(nested), None) => {
                out.push_str(&format!("{name}:{}", written(nested, None)?));
            }
            (Node::Context(nested), Some(path)) => {
                let path = match path {
                    "" => name.to_string(),
                    path => format!("{path}.{name}"),
                };
                let nested = written(nested, Some(&path))?;
                out.push_str(&format!(
                    "{name}:if ({path} != null) then context merge({path},{nested}) else {nested}"
                ));
            }
        }
        if out.len() > MAX_CONTEXT {
            return None;
        }
    }
    out.push('}');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_one_context() {
        let mappings: Vec<(Vec<Text>, Expr)> = [
            ("a", "=x + 1"),
            ("b.c", "say \"hi\""),
            ("a", "=y"),
            ("b.d.e", "=z"),
        ]
        .into_iter()
        .map(|(target, source)| {
            let path = target.split('.').map(Text::from).collect();
            (path, Expr::parse(source).unwrap())
        })
        .collect();
        let all = || mappings.iter().map(|(target, source)| (&**target, source));
        assert_eq!(
            inputs(all()).unwrap(),
            r#"{a:y,b:{c:"say \"hi\"",d:{e:z}}}"#
        );
        assert_eq!(
            outputs(all()).unwrap(),
            r#"{a:y,b:if (b != null) then context merge(b,{c:"say \"hi\"",d:if (b.d != null) then context merge(b.d,{e:z}) else {e:z}}) else {c:"say \"hi\"",d:if (b.d != null) then context merge(b.d,{e:z}) else {e:z}}}"#
        );
        let deep = (vec![Text::from("a"); 30], Expr::parse("=x").unwrap());
        assert!(outputs([(&*deep.0, &deep.1)].into_iter()).is_none());
    }
}
