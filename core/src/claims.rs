//! What a command says about who sends it, and what a token says about its bearer.
//!
//! Claims travel with a command as a document; the front writes them, the engine believes them. A
//! command without claims comes from this cluster itself and is not checked. The texts of the
//! members are the reference's, because records show them.
//!
//! | member | meaning |
//! |---|---|
//! | `authorized_anonymous_user` | nobody in particular; checks do not apply |
//! | `authorized_username` | a user |
//! | `authorized_client_id` | a program; goes before the user |
//! | `user_groups_claims` | groups by token; those kept here do not count then |
//! | `user_token_claims` | all of the token, for mapping rules |
//!
//! A mapping rule names a claim by its plain name, or by a path that begins with `$`: members by
//! `.name` or `['name']`, list items by number or `*`. Other forms of JSONPath fit nothing.

use crate::msgpack::{self, Reader, Token};
use crate::record::{Document, Text};

const ANONYMOUS: &str = "authorized_anonymous_user";
const USERNAME: &str = "authorized_username";
const CLIENT_ID: &str = "authorized_client_id";
const GROUPS: &str = "user_groups_claims";
const TOKEN: &str = "user_token_claims";

/// Steps a path to a claim may have.
const PATH_STEPS_MAX: usize = 16;

/// Who sends a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// Nobody in particular.
    pub anonymous: bool,
    /// A user.
    pub username: Option<Text>,
    /// A program.
    pub client_id: Option<Text>,
    /// Groups that the token names; `None` = those kept by the engine count.
    pub groups: Option<Vec<Text>>,
    /// All claims of the token.
    pub token: Document,
}

impl Claims {
    /// Claims of nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            anonymous: true,
            ..Self::default()
        }
    }

    /// Claims of a user.
    #[must_use]
    pub fn of_user(name: &str) -> Self {
        Self {
            username: Some(Text::from(name)),
            ..Self::default()
        }
    }

    /// Reads claims; what is not understood is not there.
    #[must_use]
    pub fn read(document: &Document) -> Self {
        let mut claims = Self::default();
        let Ok(entries) = msgpack::entries(document.as_bytes()) else {
            return claims;
        };
        for entry in entries {
            let Ok((name, value)) = entry else {
                return claims;
            };
            let mut reader = Reader::new(value);
            match name {
                ANONYMOUS => claims.anonymous = reader.next() == Ok(Token::Bool(true)),
                USERNAME => claims.username = reader.string_value().ok().map(Text::from),
                CLIENT_ID => claims.client_id = reader.string_value().ok().map(Text::from),
                GROUPS => claims.groups = texts(&mut reader),
                TOKEN => claims.token = Document::from(value),
                _ => {}
            }
        }
        claims
    }

    /// The form in which they travel.
    #[must_use]
    pub fn document(&self) -> Document {
        let text = |value: &Text| {
            let mut out = Vec::new();
            msgpack::write_str(&mut out, value);
            out
        };
        let mut members: Vec<(&str, Vec<u8>)> = Vec::new();
        if self.anonymous {
            let mut value = Vec::new();
            msgpack::write_bool(&mut value, true);
            members.push((ANONYMOUS, value));
        }
        if let Some(name) = &self.username {
            members.push((USERNAME, text(name)));
        }
        if let Some(id) = &self.client_id {
            members.push((CLIENT_ID, text(id)));
        }
        if let Some(groups) = &self.groups {
            let mut value = Vec::new();
            msgpack::write_array_header(&mut value, groups.len());
            for group in groups {
                msgpack::write_str(&mut value, group);
            }
            members.push((GROUPS, value));
        }
        if !self.token.is_empty() {
            members.push((TOKEN, self.token.as_bytes().to_vec()));
        }
        let members = members
            .iter()
            .map(|(name, value)| (*name, value.as_slice()));
        Document::from(msgpack::build_document(members))
    }
}

fn texts(reader: &mut Reader<'_>) -> Option<Vec<Text>> {
    let count = reader.array().ok()?;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(Text::from(reader.string_value().ok()?));
    }
    Some(all)
}

/// One step of a path.
enum Step<'p> {
    Member(&'p str),
    Item(u32),
    All,
}

/// The steps of a claim's name; `None` if it is a path of a form that is not supported.
fn steps(name: &str) -> Option<Vec<Step<'_>>> {
    let Some(mut rest) = name.strip_prefix('$') else {
        return Some(vec![Step::Member(name)]);
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == PATH_STEPS_MAX {
            return None;
        }
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            if end == 0 {
                return None;
            }
            steps.push(match &after[..end] {
                "*" => Step::All,
                member => Step::Member(member),
            });
            rest = &after[end..];
        } else {
            let inside = rest.strip_prefix('[')?;
            let (inside, after) = inside.split_once(']')?;
            let quoted = |quote| inside.strip_prefix(quote)?.strip_suffix(quote);
            steps.push(match quoted('\'').or_else(|| quoted('"')) {
                Some(member) => Step::Member(member),
                None if inside == "*" => Step::All,
                None => Step::Item(inside.parse().ok()?),
            });
            rest = after;
        }
    }
    Some(steps)
}

/// Values of a claim in a token, as texts: itself, or the items of a list.
#[must_use]
pub fn claim_values(token: &Document, name: &str) -> Vec<Text> {
    let mut values = Vec::new();
    if let Some(steps) = steps(name) {
        collect(token.as_bytes(), &steps, &mut values);
    }
    values
}

/// Whether a token has a claim with a value, or with a list that holds it.
#[must_use]
pub fn claim_fits(token: &Document, name: &str, value: &str) -> bool {
    !token.is_empty()
        && claim_values(token, name)
            .iter()
            .any(|found| found.as_str() == value)
}

fn collect(value: &[u8], steps: &[Step<'_>], out: &mut Vec<Text>) {
    let mut reader = Reader::new(value);
    let Some((step, rest)) = steps.split_first() else {
        match reader.next() {
            Ok(Token::Array(count)) => {
                for _ in 0..count {
                    let Ok(token) = Reader::new(&value[reader.position()..]).next() else {
                        return;
                    };
                    out.extend(scalar(&token));
                    if reader.skip().is_err() {
                        return;
                    }
                }
            }
            Ok(token) => out.extend(scalar(&token)),
            Err(_) => {}
        }
        return;
    };
    match step {
        Step::Member(name) => {
            if let Ok(Some(found)) = msgpack::get(value, name) {
                collect(found, rest, out);
            }
        }
        Step::Item(_) | Step::All => {
            let Ok(count) = reader.array() else { return };
            for at in 0..count {
                let Ok(item) = reader.skip() else { return };
                let wanted = match step {
                    Step::Item(number) => *number == at,
                    Step::All | Step::Member(_) => true,
                };
                if wanted {
                    collect(item, rest, out);
                }
            }
        }
    }
}

fn scalar(token: &Token<'_>) -> Option<Text> {
    match token {
        Token::Str(text) => Some(Text::from(*text)),
        Token::Bool(flag) => Some(Text::from(flag.to_string())),
        Token::Int(number) => Some(Text::from(number.to_string())),
        Token::Uint(number) => Some(Text::from(number.to_string())),
        Token::Float(number) => Some(Text::from(number.to_string())),
        Token::Nil | Token::Bin(_) | Token::Array(_) | Token::Map(_) | Token::Ext(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(json: &str) -> Document {
        Document::from(crate::json::to_msgpack(json).unwrap())
    }

    #[test]
    fn claims_are_what_was_written() {
        let claims = Claims {
            anonymous: false,
            username: Some(Text::from("demo")),
            client_id: Some(Text::from("worker")),
            groups: Some(vec![Text::from("a"), Text::from("b")]),
            token: token(r#"{"sub":"x"}"#),
        };
        assert_eq!(Claims::read(&claims.document()), claims);
        let anonymous = Claims::anonymous();
        assert_eq!(Claims::read(&anonymous.document()), anonymous);
        assert_eq!(Claims::read(&Document::EMPTY), Claims::default());
        assert!(!anonymous.document().is_empty());
    }

    #[test]
    fn claims_fit_by_name_and_by_path() {
        let token = token(
            r#"{"sub":"demo","a.b":"dotted","realm":{"roles":["x","y"],"n":7},
                "orgs":[{"id":"o1"},{"id":"o2"}],"on":true}"#,
        );
        for (name, value, fits) in [
            ("sub", "demo", true),
            ("sub", "other", false),
            ("a.b", "dotted", true),
            ("$['a.b']", "dotted", true),
            ("$.realm.roles", "y", true),
            ("$.realm.roles[1]", "y", true),
            ("$.realm.roles[0]", "y", false),
            ("$.realm.n", "7", true),
            ("$.orgs[*].id", "o2", true),
            ("$.on", "true", true),
            ("$.realm", "x", false),
            ("$..roles", "x", false),
            ("$.realm[?(@.n)]", "7", false),
        ] {
            assert_eq!(claim_fits(&token, name, value), fits, "{name} = {value}");
        }
        assert!(!claim_fits(&Document::EMPTY, "sub", "demo"));
    }
}
