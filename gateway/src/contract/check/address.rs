//! What a mail address is: a local part, `@`, and a host with a domain or an address in brackets.
//!
//! Owned by [`check`](super). The local part is words with dots between them, each of plain characters
//! or a quoted text, of 64 characters at most; the host is labels of letters, digits and hyphens, of
//! 253 characters at most. Unlike the reference, no list of the domains there are is kept.

use std::net::IpAddr;

/// Longest local part, characters (RFC 5321, 4.5.3.1.1).
const LOCAL_CHARACTERS: usize = 64;
/// Longest label of a host (RFC 1035, 2.3.4).
const LABEL_CHARACTERS: usize = 63;
/// Longest host.
const HOST_CHARACTERS: usize = 253;

/// Whether a text is a mail address.
pub(super) fn is_address(email: &str) -> bool {
    email
        .rsplit_once('@')
        .is_some_and(|(local, host)| is_local(local) && is_host(host))
}

fn is_local(local: &str) -> bool {
    let mut rest = local;
    if local.chars().count() > LOCAL_CHARACTERS {
        return false;
    }
    loop {
        let end = match rest.strip_prefix('"') {
            Some(quoted) => quoted_end(quoted).map(|end| end + 1),
            None => plain_end(rest),
        };
        let Some(end) = end else { return false };
        rest = &rest[end..];
        if rest.is_empty() {
            return true;
        }
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None => return false,
        }
    }
}

/// Bytes of the text up to and with the quote that ends it.
fn quoted_end(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return Some(at + 1),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

/// Bytes of the word that the text begins with, if there is one.
fn plain_end(text: &str) -> Option<usize> {
    let special = |c: char| c.is_whitespace() || c.is_control() || "()<>@,;:\\\".[]".contains(c);
    let end = text.find(special).unwrap_or(text.len());
    (end > 0).then_some(end)
}

fn is_host(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[') {
        let literal = literal.strip_suffix(']').unwrap_or_default();
        let literal = literal.strip_prefix("IPv6:").unwrap_or(literal);
        return literal.parse::<IpAddr>().is_ok();
    }
    let label = |part: &str| {
        (1..=LABEL_CHARACTERS).contains(&part.chars().count())
            && part.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let domain = host.rsplit_once('.').map_or("", |(_, domain)| domain);
    host.chars().count() <= HOST_CHARACTERS
        && host.split('.').all(label)
        && domain.len() > 1
        && !domain.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_a_host_with_a_domain() {
        for (text, fits) in [
            ("a@b.de", true),
            ("first.last+tag@mail.example.com", true),
            ("o'neil@b.de", true),
            ("\"a b\"@c.de", true),
            ("\"a\\\"b\".c@d.de", true),
            ("a@[127.0.0.1]", true),
            ("a@[IPv6:::1]", true),
            ("a@[localhost]", false),
            ("\"a@c.de", false),
            ("\"a\"b@c.de", false),
            ("a@localhost", false),
            ("a", false),
            ("@b.de", false),
            ("a@", false),
            ("a b@c.de", false),
            ("a@b@c.de", false),
            ("a..b@c.de", false),
            ("a@-b.de", false),
            ("a@b..de", false),
            ("a@1.2.3.4", false),
        ] {
            assert_eq!(is_address(text), fits, "{text}");
        }
        assert!(!is_address(&format!("{}@b.de", "a".repeat(65))));
        assert!(!is_address(&format!("a@{}.de", "b".repeat(64))));
    }
}
