//! Static headers of a task: pairs of texts, a JSON object.
//!
//! One section holds names and values in turn, each with its length in front. Order is kept, because
//! it is that of the model; a name that comes twice stays twice.

use std::sync::Arc;

use super::{
    DecodeError, Field, Shape, ValueReader, ValueWriter, put_prefixed, take_prefixed, text_from,
};
use crate::json::write_string;
use crate::record::Text;

/// Text pairs in order; JSON object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Arc<Vec<(Text, Text)>>);

impl Field for Headers {
    fn shape() -> Shape {
        Shape::Opaque
    }
    fn put(&self, writer: &mut ValueWriter) {
        writer.section_with(|out| {
            for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
                put_prefixed(out, |out| out.extend_from_slice(text.as_bytes()));
            }
        });
    }
    fn take(reader: &mut ValueReader<'_>) -> Result<Option<Self>, DecodeError> {
        let Some(mut bytes) = reader.section()? else {
            return Ok(None);
        };
        let mut pairs = Vec::new();
        while !bytes.is_empty() {
            let name = text_from(take_prefixed(&mut bytes)?)?;
            pairs.push((name, text_from(take_prefixed(&mut bytes)?)?));
        }
        Ok(Some(Self(Arc::new(pairs))))
    }
    fn json(&self, out: &mut String) {
        out.push('{');
        for (i, (name, value)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_string(name, out);
            out.push(':');
            write_string(value, out);
        }
        out.push('}');
    }
    fn weight(&self) -> usize {
        let pairs = self.0.iter();
        4 + pairs
            .map(|(name, value)| 8 + name.len() + value.len())
            .sum::<usize>()
    }
}
