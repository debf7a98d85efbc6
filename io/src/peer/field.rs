//! Fields of a frame's body: little endian, lengths checked, nothing trusted.
//!
//! The writing half is a handful of functions over a `Vec<u8>`; the reading half is a [`Fields`],
//! which knows at every step how much is left. Errors are sentences that name what was being read.

use bytes::Bytes;

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Bytes behind their length, 32 bits.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// Reads the fields of one body in order.
pub(crate) struct Fields {
    what: &'static str,
    rest: Bytes,
}

impl Fields {
    /// `what` names the body in errors.
    pub(crate) fn of(what: &'static str, body: Bytes) -> Self {
        Self { what, rest: body }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let array = self
            .rest
            .first_chunk()
            .copied()
            .ok_or_else(|| format!("{} cut short", self.what))?;
        self.rest = self.rest.slice(N..);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, String> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, String> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    /// Bytes behind their length; shares the body's memory.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, String> {
        let len = self.u32()? as usize;
        if len > self.rest.len() {
            return Err(format!("{} cut short", self.what));
        }
        Ok(self.rest.split_to(len))
    }

    /// Text behind its length.
    pub(crate) fn text(&mut self) -> Result<String, String> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes)
            .map(str::to_owned)
            .map_err(|_| format!("text in {} that is not UTF-8", self.what))
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> Bytes {
        self.rest
    }

    /// True if nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Says that nothing is left.
    pub(crate) fn end(self) -> Result<(), String> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(format!("bytes after {}", self.what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_and_lengths_are_not_trusted() {
        let mut out = Vec::new();
        put_u16(&mut out, 7);
        put_u64(&mut out, 8);
        put_bytes(&mut out, b"abc");
        let whole = Bytes::from(out);
        let mut fields = Fields::of("a test", whole.clone());
        assert_eq!((fields.u16(), fields.u64()), (Ok(7), Ok(8)));
        assert_eq!(fields.text(), Ok("abc".to_owned()));
        assert_eq!(fields.end(), Ok(()));
        for len in 0..whole.len() {
            let mut fields = Fields::of("a test", whole.slice(..len));
            let read = fields
                .u16()
                .and_then(|_| fields.u64())
                .and_then(|_| fields.bytes());
            assert_eq!(read, Err("a test cut short".to_owned()));
        }
        let mut huge = Fields::of("a test", Bytes::from_static(&[0xff; 8]));
        assert!(huge.bytes().is_err());
    }
}
