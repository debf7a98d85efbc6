//! Appends MessagePack values to a byte vector, always in the shortest form.
//!
//! Free functions instead of a writer object: the caller owns the vector and may mix written values
//! with value bytes copied from elsewhere. Lengths above `u32::MAX` cannot occur, since no record
//! comes near 4 GiB; they are clamped nowhere and refused by an `expect`.

/// Appends nil.
pub fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends a boolean.
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends an integer in the narrowest width; non-negative ones use the unsigned forms.
pub fn write_int(out: &mut Vec<u8>, value: i64) {
    if let Ok(unsigned) = u64::try_from(value) {
        write_uint(out, unsigned);
    } else if value >= -32 {
        out.push(value as u8);
    } else if let Ok(narrow) = i8::try_from(value) {
        out.extend_from_slice(&[0xd0, narrow as u8]);
    } else if let Ok(narrow) = i16::try_from(value) {
        header(out, 0xd1, &narrow.to_be_bytes());
    } else if let Ok(narrow) = i32::try_from(value) {
        header(out, 0xd2, &narrow.to_be_bytes());
    } else {
        header(out, 0xd3, &value.to_be_bytes());
    }
}

/// Appends a non-negative integer in the narrowest width.
pub fn write_uint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else if let Ok(narrow) = u8::try_from(value) {
        out.extend_from_slice(&[0xcc, narrow]);
    } else if let Ok(narrow) = u16::try_from(value) {
        header(out, 0xcd, &narrow.to_be_bytes());
    } else if let Ok(narrow) = u32::try_from(value) {
        header(out, 0xce, &narrow.to_be_bytes());
    } else {
        header(out, 0xcf, &value.to_be_bytes());
    }
}

/// Appends a floating-point number: four bytes if that loses nothing, else eight.
pub fn write_float(out: &mut Vec<u8>, value: f64) {
    let narrow = value as f32;
    if f64::from(narrow) == value {
        header(out, 0xca, &narrow.to_be_bytes());
    } else {
        write_double(out, value);
    }
}

/// Appends a floating-point number in eight bytes, as a JSON source writes it.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    header(out, 0xcb, &value.to_be_bytes());
}

/// Appends a string.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    let len = length(text.len());
    if len < 32 {
        out.push(0xa0 | len as u8);
    } else {
        sized_header(out, [0xd9, 0xda, 0xdb], len);
    }
    out.extend_from_slice(text.as_bytes());
}

/// Appends binary data.
pub fn write_bin(out: &mut Vec<u8>, data: &[u8]) {
    sized_header(out, [0xc4, 0xc5, 0xc6], length(data.len()));
    out.extend_from_slice(data);
}

/// Appends the header of an array of `len` items, which the caller writes next.
pub fn write_array_header(out: &mut Vec<u8>, len: usize) {
    container(out, 0x90, [0xdc, 0xdd], length(len));
}

/// Appends the header of a map of `len` entries, which the caller writes next.
pub fn write_map_header(out: &mut Vec<u8>, len: usize) {
    container(out, 0x80, [0xde, 0xdf], length(len));
}

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("a value of one record is far below 4 GiB")
}

fn header(out: &mut Vec<u8>, marker: u8, bytes: &[u8]) {
    out.push(marker);
    out.extend_from_slice(bytes);
}

fn sized_header(out: &mut Vec<u8>, markers: [u8; 3], len: u32) {
    if let Ok(narrow) = u8::try_from(len) {
        out.extend_from_slice(&[markers[0], narrow]);
    } else if let Ok(narrow) = u16::try_from(len) {
        header(out, markers[1], &narrow.to_be_bytes());
    } else {
        header(out, markers[2], &len.to_be_bytes());
    }
}

fn container(out: &mut Vec<u8>, fix: u8, markers: [u8; 2], len: u32) {
    if len < 16 {
        out.push(fix | len as u8);
    } else if let Ok(narrow) = u16::try_from(len) {
        header(out, markers[0], &narrow.to_be_bytes());
    } else {
        header(out, markers[1], &len.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, Token};
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn integers_take_the_narrowest_width() {
        let widths = [
            (0, 1),
            (127, 1),
            (128, 2),
            (255, 2),
            (256, 3),
            (65_535, 3),
            (65_536, 5),
            (4_294_967_295, 5),
            (4_294_967_296, 9),
            (-1, 1),
            (-32, 1),
            (-33, 2),
            (-128, 2),
            (-129, 3),
            (-32_769, 5),
            (i64::MIN, 9),
        ];
        for (value, width) in widths {
            let bytes = written(|out| write_int(out, value));
            assert_eq!(bytes.len(), width, "{value}");
            assert_eq!(Reader::new(&bytes).next(), Ok(Token::Int(value)));
        }
    }

    #[test]
    fn floats_are_narrow_when_nothing_is_lost() {
        assert_eq!(written(|out| write_float(out, 0.5)), [0xca, 0x3f, 0, 0, 0]);
        assert_eq!(written(|out| write_float(out, 0.1)).len(), 9);
        assert_eq!(written(|out| write_double(out, 0.5)).len(), 9);
    }

    #[test]
    fn headers_at_their_limits() {
        for (len, width) in [(0, 1), (31, 1), (32, 2), (255, 2), (256, 3), (65_536, 5)] {
            let text = "x".repeat(len);
            let bytes = written(|out| write_str(out, &text));
            assert_eq!(bytes.len(), width + len);
            assert_eq!(Reader::new(&bytes).next(), Ok(Token::Str(&text)));
        }
        for (len, width) in [(15, 1), (16, 3), (65_535, 3), (65_536, 5)] {
            assert_eq!(written(|out| write_array_header(out, len)).len(), width);
            assert_eq!(written(|out| write_map_header(out, len)).len(), width);
        }
    }
}
