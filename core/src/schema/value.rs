//! Texts of attributes and of elements without children: which forms there are.
//!
//! Blanks around a value are no part of it, except for plain text and enumerations of it. Names
//! follow XML; addresses may contain nearly anything, as in the reference.

/// The form of a text.
#[derive(Clone, Debug)]
pub(super) enum Simple {
    Text,
    Uri,
    Boolean,
    Integer,
    /// An integer of 32 bits.
    Int,
    Double,
    /// A name that is unique in the file.
    Id,
    /// A name of which there is one in the file.
    IdRef,
    /// A name with an optional prefix that has to be declared.
    QName,
    /// One of these texts.
    OneOf(Vec<&'static str>),
    /// One of these texts or of another form.
    Either(Box<Simple>, Vec<&'static str>),
}

/// Why a text has not its form.
pub(super) enum Wrong {
    /// It is no value of the type of this name.
    NotA(&'static str),
    /// It is none of these.
    NoneOf(Vec<&'static str>),
    /// It is of none of the forms it may have.
    OfNoForm,
    /// Its prefix is not declared.
    Undeclared(String),
}

impl Simple {
    /// Types that every table knows; the last one is no text but anything at all.
    pub(super) const BUILT_IN: [&'static str; 10] = [
        "string", "anyURI", "boolean", "integer", "int", "double", "ID", "IDREF", "QName",
        "anyType",
    ];

    pub(super) fn built_in(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::Text,
            "anyURI" => Self::Uri,
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "int" => Self::Int,
            "double" => Self::Double,
            "ID" => Self::Id,
            "IDREF" => Self::IdRef,
            "QName" => Self::QName,
            _ => return None,
        })
    }

    /// Checks a text; `declared` says whether a prefix is.
    pub(super) fn check(&self, text: &str, declared: &dyn Fn(&str) -> bool) -> Result<(), Wrong> {
        let value = text.trim_matches([' ', '\t', '\n', '\r']);
        let held = |holds: bool, name| {
            if holds {
                Ok(())
            } else {
                Err(Wrong::NotA(name))
            }
        };
        match self {
            Self::Text => Ok(()),
            Self::Uri => held(is_uri(value), "anyURI"),
            Self::Boolean => held(matches!(value, "true" | "false" | "1" | "0"), "boolean"),
            Self::Integer => held(is_integer(value), "integer"),
            Self::Int => held(value.parse::<i32>().is_ok(), "int"),
            Self::Double => held(is_double(value), "double"),
            Self::Id | Self::IdRef => held(is_name(value), "NCName"),
            Self::QName => {
                let (prefix, local) = match value.split_once(':') {
                    Some((prefix, local)) => (Some(prefix), local),
                    None => (None, value),
                };
                held(is_name(local) && prefix.is_none_or(is_name), "QName")?;
                match prefix {
                    Some(prefix) if !declared(prefix) => Err(Wrong::Undeclared(prefix.to_owned())),
                    Some(_) | None => Ok(()),
                }
            }
            Self::OneOf(values) if values.contains(&text) => Ok(()),
            Self::OneOf(values) => Err(Wrong::NoneOf(values.clone())),
            Self::Either(_, values) if values.contains(&value) => Ok(()),
            Self::Either(other, _) => other.check(text, declared).map_err(|_| Wrong::OfNoForm),
        }
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn is_double(text: &str) -> bool {
    if matches!(text, "INF" | "-INF" | "NaN") {
        return true;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let numeric = digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().filter(|b| *b == b'.').count() < 2;
    numeric && exponent.is_none_or(is_integer)
}

/// True unless an escape, a scheme or a bracket is malformed: all else is escaped first.
fn is_uri(text: &str) -> bool {
    let escapes = text.split('%').skip(1).all(|rest| {
        let code = rest.as_bytes();
        code.len() > 1 && code[..2].iter().all(u8::is_ascii_hexdigit)
    });
    let scheme = match text.find([':', '/', '?', '#']) {
        Some(at) if text.as_bytes()[at] == b':' => {
            let (scheme, rest) = text.split_at(at);
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
                && rest.len() > 1
                && !rest.starts_with(":#")
        }
        Some(_) | None => true,
    };
    escapes && scheme && !text.contains(['[', ']']) && text.matches('#').count() < 2
}

/// True for a name without a colon.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(|c| starts_name(c) || continues_name(c))
}

fn starts_name(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}')
}

fn continues_name(c: char) -> bool {
    matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_values() {
        let check = |name: &str, text: &str| {
            let form = Simple::built_in(name).unwrap();
            form.check(text, &|prefix| prefix == "p").is_ok()
        };
        for (name, good, bad) in [
            ("boolean", vec!["true", "0", " 1 "], vec!["TRUE", "yes", ""]),
            (
                "integer",
                vec!["1", "-5", "+007"],
                vec!["1.0", "", "-", "1e3"],
            ),
            (
                "double",
                vec!["1", "-.5", "1e3", "5.", "INF", "NaN"],
                vec!["", ".", "1e", "x"],
            ),
            (
                "ID",
                vec!["a", "_1", "a-b.c", " a "],
                vec!["1a", "a:b", "a b", ""],
            ),
            ("QName", vec!["a", "p:a"], vec!["q:a", "p:", ":a", "1", ""]),
            ("string", vec!["", " "], vec![]),
            (
                "anyURI",
                vec!["", "a b", "http://x/y", "a:b", "%20"],
                vec!["%zz", ":", "a:", "##x"],
            ),
        ] {
            for text in good {
                assert!(check(name, text), "{name} {text:?}");
            }
            for text in bad {
                assert!(!check(name, text), "{name} {text:?}");
            }
        }
    }
}
