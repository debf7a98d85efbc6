//! Cheaply cloned, immutable payloads of records: text, documents, single values, raw bytes.
//!
//! A record is built once and then shared by the state tables, the log encoder, the response and
//! the export feed, which sits on another thread; each holds a reference count, not a copy. The
//! empty payload allocates nothing.
//!
//! | type | holds | JSON form |
//! |---|---|---|
//! | [`Text`] | UTF-8 | string |
//! | [`Document`] | a MessagePack map, empty = `{}` | object |
//! | [`RawValue`] | any MessagePack value, empty = `null` | string that holds JSON |
//! | [`Blob`] | bytes | base64 string |

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Immutable UTF-8 text; cloning costs one reference count.
#[derive(Clone, Default)]
pub struct Text(Option<Arc<str>>);

impl Text {
    /// The empty text.
    pub const EMPTY: Self = Self(None);

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self((!text.is_empty()).then(|| Arc::from(text)))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

macro_rules! shared_bytes {
    ($(#[$doc:meta])* $name:ident, empty = $empty:expr) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub struct $name(Option<Arc<[u8]>>);

        impl $name {
            /// What stands for "nothing given"; allocates nothing.
            pub const EMPTY: Self = Self(None);
            const EMPTY_BYTES: &'static [u8] = $empty;

            /// The bytes; those of the empty form where nothing was given.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_deref().unwrap_or(Self::EMPTY_BYTES)
            }

            /// True if nothing was given or the bytes equal the empty form.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.as_bytes() == Self::EMPTY_BYTES
            }
        }

        impl From<&[u8]> for $name {
            fn from(bytes: &[u8]) -> Self {
                Self((!bytes.is_empty() && bytes != Self::EMPTY_BYTES).then(|| Arc::from(bytes)))
            }
        }

        impl From<Vec<u8>> for $name {
            fn from(bytes: Vec<u8>) -> Self {
                Self::from(bytes.as_slice())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.as_bytes().len())
            }
        }
    };
}

shared_bytes! {
    /// A variables document: a MessagePack map with text keys. Built from bytes that were
    /// validated where they entered the system.
    Document, empty = &[0x80]
}
shared_bytes! {
    /// One MessagePack value of any kind (the value of a variable).
    RawValue, empty = &[0xc0]
}
shared_bytes! {
    /// Opaque bytes (the text of a deployed resource).
    Blob, empty = &[]
}
