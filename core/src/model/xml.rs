//! XML text to a tree with positions, behind a guard that keeps hostile files cheap.
//!
//! What is wrong with a file is said in the words of the parser that Camunda uses, as far as the tree
//! builder tells the cases apart; files are read in UTF-8, UTF-16 and Latin-1, as they declare.
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

use std::borrow::Cow;

use memchr::{memchr, memmem};
use roxmltree::{Document, Error, ParsingOptions};

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
#[error("{0}")]
pub(crate) struct XmlError(String);

impl XmlError {
    /// No XML from this offset on.
    fn at(bytes: &[u8], offset: usize, reason: impl Into<String>) -> Self {
        let (line, reason) = (line(bytes, offset), reason.into());
        Self(format!("Fatal Error: URI=null Line={line}: {reason}"))
    }

    /// Well-formed XML that is not what it should be, up to this offset.
    pub(crate) fn invalid(text: &str, offset: usize, reason: impl Into<String>) -> Self {
        let (line, reason) = (line(text.as_bytes(), offset), reason.into());
        Self(format!("Error: URI=null Line={line}: {reason}"))
    }

    /// Something that has no place in the file.
    pub(crate) fn plain(reason: String) -> Self {
        Self(reason)
    }
}

/// The line of an offset, from 1.
fn line(bytes: &[u8], offset: usize) -> usize {
    memchr::memchr_iter(b'\n', &bytes[..offset.min(bytes.len())]).count() + 1
}

/// The text of a file, within the size limit, with or without byte order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    if bytes.len() > MAX_BYTES {
        let reason = format!(
            "The file has {} bytes; at most {MAX_BYTES} are allowed",
            bytes.len()
        );
        return Err(XmlError::at(bytes, 0, reason));
    }
    if let [0xFE, 0xFF, rest @ ..] | [0xFF, 0xFE, rest @ ..] = bytes {
        let unit = if bytes[0] == 0xFE {
            u16::from_be_bytes
        } else {
            u16::from_le_bytes
        };
        let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        let text: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        return Ok(Cow::Owned(text));
    }
    if latin1(bytes) {
        return Ok(Cow::Owned(bytes.iter().copied().map(char::from).collect()));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|error| {
            let at = error.valid_up_to();
            let length = match bytes[at] {
                0xC2..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF4 => 4,
                _ => 1,
            };
            let wrong = error
                .error_len()
                .unwrap_or(bytes.len() - at)
                .min(length - 1)
                + 1;
            let reason = format!("Invalid byte {wrong} of {length}-byte UTF-8 sequence.");
            XmlError::at(bytes, at, reason)
        })
}

/// True if the file says that it is written in Latin-1 or a part of it.
fn latin1(bytes: &[u8]) -> bool {
    let declaration = bytes.strip_prefix(b"<?xml").and_then(|rest| {
        let end = memmem::find(rest, b"?>")?;
        std::str::from_utf8(&rest[..end]).ok()
    });
    let encoding = declaration.and_then(|text| {
        let (_, value) = text.split_once("encoding")?;
        let value = value.trim_start().strip_prefix('=')?.trim_start();
        value.strip_prefix(['"', '\''])?.split(['"', '\'']).next()
    });
    encoding.is_some_and(|name| {
        ["ISO-8859-1", "US-ASCII", "LATIN1"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    })
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
        let offset = offset(text, pos.row as usize, pos.col as usize);
        let end = matches!(
            error,
            Error::UnexpectedEndOfStream | Error::UnclosedRootNode
        );
        let offset = if end { text.len() } else { offset };
        XmlError::at(text.as_bytes(), offset, malformed(text, offset, &error))
    })
}

/// Byte offset of a line and a column in characters, both from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => memchr::memchr_iter(b'\n', text.as_bytes())
            .nth(line - 2)
            .map_or(text.len(), |at| at + 1),
    };
    let rest = &text[start..];
    start
        + rest
            .char_indices()
            .nth(column.max(1) - 1)
            .map_or(rest.len(), |(at, _)| at)
}

/// The words for what the tree builder complains about.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the tree builder knows more cases than the words"
)]
fn malformed(text: &str, offset: usize, error: &Error) -> String {
    // The tag in which the offset stands, up to there.
    let tag = text[..offset]
        .rfind('<')
        .map_or("", |at| &text[at + 1..offset]);
    let element = name(tag);
    match error {
        Error::NoRootNode => "Premature end of file.".to_owned(),
        Error::UnexpectedEndOfStream | Error::UnclosedRootNode => {
            "XML document structures must start and end within the same entity.".to_owned()
        }
        Error::DtdDetected => DOCTYPE.to_owned(),
        Error::UnknownNamespace(prefix, _) => {
            let found = name(&text[offset..]);
            if tag.is_empty() {
                format!("The prefix \"{prefix}\" for element \"{found}\" is not bound.")
            } else {
                format!(
                    "The prefix \"{prefix}\" for attribute \"{found}\" associated with an element \
                     type \"{element}\" is not bound."
                )
            }
        }
        Error::UnexpectedCloseTag(expected, _, _) => format!(
            "The element type \"{expected}\" must be terminated by the matching end-tag \
             \"</{expected}>\"."
        ),
        Error::DuplicatedAttribute(attribute, _) => {
            format!("Attribute \"{attribute}\" was already specified for element \"{element}\".")
        }
        Error::UnknownEntityReference(entity, _) => {
            format!("The entity \"{entity}\" was referenced, but not declared.")
        }
        Error::MalformedEntityReference(_) => {
            "The entity name must immediately follow the '&' in the entity reference.".to_owned()
        }
        Error::NonXmlChar(c, _) => {
            let code = u32::from(*c);
            match tag
                .rsplit_once(['"', '\''])
                .map(|(front, _)| name(last_word(front)))
            {
                Some(attribute) if !tag.contains('>') => format!(
                    "An invalid XML character (Unicode: 0x{code:x}) was found in the value of \
                     attribute \"{attribute}\" and element is \"{element}\"."
                ),
                Some(_) | None => format!(
                    "An invalid XML character (Unicode: 0x{code:x}) was found in the element \
                     content of the document."
                ),
            }
        }
        Error::InvalidAttributeValue(_) => {
            let attribute = tag
                .rsplit_once(['"', '\''])
                .map_or("", |(front, _)| name(last_word(front)));
            format!(
                "The value of attribute \"{attribute}\" associated with an element type \
                 \"{element}\" must not contain the '<' character."
            )
        }
        Error::InvalidComment(_) => {
            "The string \"--\" is not permitted within comments.".to_owned()
        }
        Error::InvalidCharacterData(_) => {
            "The character sequence \"]]>\" must not appear in content unless used to mark the end \
             of a CDATA section."
                .to_owned()
        }
        Error::UnexpectedDeclaration(_) => {
            "The processing instruction target matching \"[xX][mM][lL]\" is not allowed.".to_owned()
        }
        Error::UnknownToken(_) if text[..offset].contains('<') => {
            "Content is not allowed in trailing section.".to_owned()
        }
        Error::UnknownToken(_) => "Content is not allowed in prolog.".to_owned(),
        _ => "The content of elements must consist of well-formed character data or markup."
            .to_owned(),
    }
}

/// The name at the front.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '='));
    &text[..end.unwrap_or(text.len())]
}

/// The last word before an equals sign.
fn last_word(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches('=').trim_end();
    text.rsplit(|c: char| c.is_ascii_whitespace())
        .next()
        .unwrap_or(text)
}

/// The refusal of a document type.
const DOCTYPE: &str = "DOCTYPE is disallowed when the feature \
                       \"http://apache.org/xml/features/disallow-doctype-decl\" set to true.";

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
            return Err(XmlError::at(bytes, start, DOCTYPE));
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
            "Fatal Error: URI=null Line=1: Elements are nested deeper than 256"
        );
        let wide: String = (0..50_000).map(|n| format!(" a{n}='1'")).collect();
        assert_eq!(
            refused(&format!("<r>\n<a{wide}/></r>")),
            "Fatal Error: URI=null Line=2: A tag has more than 256 attributes"
        );
        let bomb = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
        assert!(refused(bomb).starts_with("Fatal Error: URI=null Line=1: DOCTYPE is disallowed"));
        let names: String = (0..200).map(|n| format!(" xmlns:a{n}='u{n}'")).collect();
        let many = format!("<r{names}>{}</r>", "<b xmlns:c='d'/>".repeat(10_000));
        assert!(refused(&many).ends_with("Too many namespace declarations"));
        assert!(text(&vec![b' '; MAX_BYTES + 1]).is_err());
        assert_eq!(
            text(b"a\n\xff").unwrap_err().to_string(),
            "Fatal Error: URI=null Line=2: Invalid byte 1 of 1-byte UTF-8 sequence."
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
        assert_eq!(
            refused("<a>\n  <b></c>\n</a>"),
            "Fatal Error: URI=null Line=2: The element type \"b\" must be terminated by the \
             matching end-tag \"</b>\"."
        );
    }

    #[test]
    fn what_looks_like_markup_inside_values_does_not_count() {
        let text = "<?xml version='1.0'?><!-- <a><a> --><a b='>' c=\"/>\"><![CDATA[<x><y>]]></a>";
        assert_eq!(tree(text).unwrap().root_element().attributes().len(), 2);
    }
}
