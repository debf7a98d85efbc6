//! XML text to a tree with positions, behind a guard that keeps hostile files cheap.
//!
//! The tree builder is safe against entity expansion (no DTD) but quadratic in the attributes of
//! one tag and in the namespaces in scope, and our own recursion follows the depth. So one linear
//! pass counts first. It is no parser: what it lets through may still be malformed, and the tree
//! builder says so with line and column. What it refuses is over a limit or has a DOCTYPE.
//!
//! | limit | value | why |
//! |---|---|---|
//! | [`MAX_BYTES`] | 16 MiB | four times Camunda's largest message |
//! | [`MAX_DEPTH`] | 256 | real models stay below 30; bounds recursion |
//! | [`MAX_ATTRIBUTES`] | 256 a tag | real tags have under 20; duplicates are searched pairwise |
//! | [`MAX_NODES`] | 1,000,000 | bounds memory to about 100 MB |
//! | [`MAX_NAMESPACE_WORK`] | 1,000,000 | copies of namespaces in scope, made per declaring tag |

use memchr::{memchr, memmem};
use roxmltree::{Document, ParsingOptions};

/// Largest file.
pub(super) const MAX_BYTES: usize = 16 << 20;
/// Deepest nesting of elements.
pub(super) const MAX_DEPTH: usize = 256;
/// Most attributes of one tag, namespace declarations included.
pub(super) const MAX_ATTRIBUTES: usize = 256;
/// Most nodes (elements, texts, comments).
pub(super) const MAX_NODES: u32 = 1_000_000;
/// Most namespaces copied in all: for each tag that declares one, those in scope.
pub(super) const MAX_NAMESPACE_WORK: usize = 1_000_000;

/// Why a text is not acceptable XML, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason} (line {line}, column {column})")]
pub(crate) struct XmlError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

impl XmlError {
    fn at(bytes: &[u8], offset: usize, reason: impl Into<String>) -> Self {
        let before = &bytes[..offset.min(bytes.len())];
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |at| at + 1) + 1;
        Self {
            line,
            column,
            reason: reason.into(),
        }
    }
}

/// The text of a file: UTF-8, with or without byte order mark, within the size limit.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, XmlError> {
    if bytes.len() > MAX_BYTES {
        let reason = format!(
            "The file has {} bytes; at most {MAX_BYTES} are allowed",
            bytes.len()
        );
        return Err(XmlError::at(bytes, 0, reason));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes)
        .map_err(|error| XmlError::at(bytes, error.valid_up_to(), "The file is not UTF-8"))
}

/// The tree of a text.
pub(crate) fn tree(text: &str) -> Result<Document<'_>, XmlError> {
    guard(text.as_bytes())?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|error| {
        let pos = error.pos();
        // The position stands at the end of the builder's message too; it is given once.
        let message = error.to_string();
        let reason = message
            .strip_suffix(&format!(" at {pos}"))
            .unwrap_or(&message)
            .to_owned();
        XmlError {
            line: pos.row as usize,
            column: pos.col as usize,
            reason,
        }
    })
}

/// Counts depth, attributes and namespaces; linear in the text.
fn guard(bytes: &[u8]) -> Result<(), XmlError> {
    let mut at = 0;
    // Namespaces declared by each open element.
    let mut open: Vec<usize> = Vec::new();
    let mut in_scope = 0;
    let mut work = 0;
    while let Some(found) = memchr(b'<', &bytes[at..]) {
        let start = at + found;
        let rest = &bytes[start..];
        if let Some(end) = skipped(rest) {
            at = start + end;
        } else if rest.starts_with(b"<!") {
            return Err(XmlError::at(bytes, start, "DOCTYPE is not allowed"));
        } else if rest.starts_with(b"</") {
            in_scope -= open.pop().unwrap_or(0);
            at = start + 2;
        } else {
            let tag = tag(rest);
            if tag.attributes > MAX_ATTRIBUTES {
                let reason = format!("A tag has more than {MAX_ATTRIBUTES} attributes");
                return Err(XmlError::at(bytes, start, reason));
            }
            in_scope += tag.namespaces;
            work += if tag.namespaces > 0 { in_scope } else { 0 };
            if work > MAX_NAMESPACE_WORK {
                return Err(XmlError::at(
                    bytes,
                    start,
                    "Too many namespace declarations",
                ));
            }
            if tag.closed {
                in_scope -= tag.namespaces;
            } else {
                open.push(tag.namespaces);
                if open.len() > MAX_DEPTH {
                    let reason = format!("Elements are nested deeper than {MAX_DEPTH}");
                    return Err(XmlError::at(bytes, start, reason));
                }
            }
            at = start + tag.length;
        }
    }
    Ok(())
}

/// Length of the comment, CDATA section or processing instruction at the front, if there is one.
fn skipped(rest: &[u8]) -> Option<usize> {
    [
        (&b"<!--"[..], &b"-->"[..]),
        (b"<![CDATA[", b"]]>"),
        (b"<?", b"?>"),
    ]
    .into_iter()
    .find(|(open, _)| rest.starts_with(open))
    .map(|(open, close)| {
        let end = memmem::find(&rest[open.len()..], close);
        end.map_or(rest.len(), |end| open.len() + end + close.len())
    })
}

struct OpenTag {
    length: usize,
    attributes: usize,
    namespaces: usize,
    closed: bool,
}

/// Measures the start tag at the front.
fn tag(rest: &[u8]) -> OpenTag {
    let mut tag = OpenTag {
        length: rest.len(),
        attributes: 0,
        namespaces: 0,
        closed: false,
    };
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'>' => {
                tag.length = at + 1;
                tag.closed = rest[at - 1] == b'/';
                return tag;
            }
            quote @ (b'"' | b'\'') => {
                tag.attributes += 1;
                tag.namespaces += usize::from(declares_namespace(&rest[..at]));
                let Some(end) = memchr(quote, &rest[at + 1..]) else {
                    return tag;
                };
                at += end + 2;
            }
            _ => at += 1,
        }
    }
    tag
}

/// True if the attribute whose value follows `before` declares a namespace.
fn declares_namespace(before: &[u8]) -> bool {
    let equals = before.trim_ascii_end();
    let name = equals.strip_suffix(b"=").unwrap_or(equals).trim_ascii_end();
    let start = name
        .iter()
        .rposition(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\''));
    name[start.map_or(0, |at| at + 1)..].starts_with(b"xmlns")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        tree(text).unwrap_err().to_string()
    }

    #[test]
    fn limits_refuse_with_a_position() {
        let deep = "<a>".repeat(100_000);
        assert_eq!(
            refused(&deep),
            "Elements are nested deeper than 256 (line 1, column 769)"
        );
        let wide: String = (0..50_000).map(|n| format!(" a{n}='1'")).collect();
        assert_eq!(
            refused(&format!("<r>\n<a{wide}/></r>")),
            "A tag has more than 256 attributes (line 2, column 1)"
        );
        let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
        assert_eq!(refused(bomb), "DOCTYPE is not allowed (line 1, column 1)");
        let names: String = (0..200).map(|n| format!(" xmlns:a{n}='u{n}'")).collect();
        let many = format!("<r{names}>{}</r>", "<b xmlns:c='d'/>".repeat(10_000));
        assert!(refused(&many).starts_with("Too many namespace declarations"));
        assert!(text(&vec![b' '; MAX_BYTES + 1]).is_err());
        assert_eq!(
            text(b"a\n\xff").unwrap_err().to_string(),
            "The file is not UTF-8 (line 2, column 1)"
        );
    }

    #[test]
    fn malformed_text_is_an_error_and_never_a_panic() {
        for text in [
            "",
            " ",
            "<",
            "<a",
            "<a ",
            "<a b",
            "<a b=",
            "<a b='",
            "<a b='c",
            "<a/",
            "</a>",
            "<a></b>",
            "<a/><b/>",
            "<!",
            "<!--",
            "<![CDATA[",
            "<?",
            "<?xml",
            "<a>&b;</a>",
            "<a b='1' b='2'/>",
            "<p:a/>",
            "<a>\u{1}</a>",
            "<a =''/>",
            "<a '''/>",
            "plain",
        ] {
            assert!(tree(text).is_err(), "{text:?}");
        }
        assert_eq!(tree("<a>\n  <b></c>\n</a>").unwrap_err().line, 2);
    }

    #[test]
    fn what_looks_like_markup_inside_values_does_not_count() {
        let text = "<?xml version='1.0'?><!-- <a><a> --><a b='>' c=\"/>\"><![CDATA[<x><y>]]></a>";
        assert_eq!(tree(text).unwrap().root_element().attributes().len(), 2);
    }
}
