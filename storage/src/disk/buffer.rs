//! A byte buffer that starts at a block boundary in memory, as direct I/O demands.
//!
//! Owned by whoever reads or writes with it; grows by whole blocks and never shrinks, so that a
//! steady stream of commits allocates nothing. Alignment is had by over-allocating one block and
//! starting at its first aligned byte, which needs no unsafe code.

use super::BLOCK;

/// See the module.
#[derive(Debug)]
pub struct AlignedBuf {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    /// A buffer of `len` zero bytes, rounded up to whole blocks.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let len = len.next_multiple_of(BLOCK);
        let memory = vec![0; len + BLOCK];
        let start = memory.as_ptr().align_offset(BLOCK);
        assert!(start < BLOCK, "a byte pointer can always be aligned");
        Self { memory, start, len }
    }

    /// A buffer of no bytes, which allocates nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            memory: Vec::new(),
            start: 0,
            len: 0,
        }
    }

    /// Bytes in the buffer, a multiple of [`BLOCK`].
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True for a buffer without bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for at least `len` bytes; what was in it is lost if it has to grow.
    pub fn reserve(&mut self, len: usize) {
        if len > self.len {
            *self = Self::zeroed(len.next_power_of_two());
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    /// The bytes, to be changed.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_a_block_boundary_before_and_after_growing() {
        let mut buffer = AlignedBuf::zeroed(1);
        assert_eq!(buffer.len(), BLOCK);
        assert_eq!(buffer.as_slice().as_ptr().align_offset(BLOCK), 0);
        buffer.reserve(3 * BLOCK);
        assert_eq!(buffer.len(), 4 * BLOCK);
        assert_eq!(buffer.as_mut_slice().as_ptr().align_offset(BLOCK), 0);
    }
}
