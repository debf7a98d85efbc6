//! REST's JSON: reading a checked body, writing an answer.
//!
//! A body that comes here was checked against the contract: what is there has the right type, so
//! the readers below treat another type like an absent member. Answers are written as text in one
//! pass; documents are copied from their MessagePack without a tree.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;
use ringflow_core::ids::Key;
use ringflow_core::json;
use ringflow_core::record::{Document, RawValue, Text};
use serde_json::Value;

use crate::document;
use crate::problem::Problem;

/// The members of a checked object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members<'v>(pub(crate) &'v Value);

impl<'v> Members<'v> {
    pub(crate) fn get(self, name: &str) -> Option<&'v Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn object(self, name: &str) -> Option<Self> {
        self.get(name).filter(|value| value.is_object()).map(Self)
    }

    pub(crate) fn str(self, name: &str) -> Option<&'v str> {
        self.get(name).and_then(Value::as_str)
    }

    /// Empty if absent.
    pub(crate) fn text(self, name: &str) -> Text {
        Text::from(self.str(name).unwrap_or_default())
    }

    pub(crate) fn int(self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::as_i64)
    }

    /// The contract bounds it to 32 bits.
    pub(crate) fn int32(self, name: &str) -> Option<i32> {
        self.int(name).and_then(|value| i32::try_from(value).ok())
    }

    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// Keys are digits in text.
    pub(crate) fn key(self, name: &str) -> Option<Key> {
        self.str(name)
            .and_then(|digits| digits.parse().ok())
            .map(Key)
    }

    pub(crate) fn list(self, name: &str) -> &'v [Value] {
        self.get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn strings(self, name: &str) -> Vec<String> {
        self.list(name)
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn texts(self, name: &str) -> Vec<Text> {
        self.list(name)
            .iter()
            .filter_map(Value::as_str)
            .map(Text::from)
            .collect()
    }

    pub(crate) fn document(self, name: &str) -> Document {
        document::from_value(self.get(name))
    }

    /// Any JSON value; null where there is none.
    pub(crate) fn raw_value(self, name: &str) -> RawValue {
        self.get(name).map(document::raw_value).unwrap_or_default()
    }
}

/// Writes one JSON object, member by member.
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    out: String,
}

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        Self { out: "{".into() }
    }

    /// Continues in `out`.
    pub(crate) fn in_text(mut out: String) -> Self {
        out.push('{');
        Self { out }
    }

    fn name(&mut self, name: &str) -> &mut String {
        if !self.out.ends_with('{') {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        &mut self.out
    }

    pub(crate) fn str(&mut self, name: &str, value: &str) -> &mut Self {
        json::write_string(value, self.name(name));
        self
    }

    /// Null if empty.
    pub(crate) fn str_or_null(&mut self, name: &str, value: &str) -> &mut Self {
        if value.is_empty() {
            return self.null(name);
        }
        self.str(name, value)
    }

    pub(crate) fn int(&mut self, name: &str, value: i64) -> &mut Self {
        let text = value.to_string();
        self.name(name).push_str(&text);
        self
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.name(name)
            .push_str(if value { "true" } else { "false" });
        self
    }

    /// Text of digits.
    pub(crate) fn key(&mut self, name: &str, key: Key) -> &mut Self {
        let text = key.0.to_string();
        self.str(name, &text)
    }

    /// Null if there is none.
    pub(crate) fn key_or_null(&mut self, name: &str, key: Key) -> &mut Self {
        if key.is_some() {
            self.key(name, key)
        } else {
            self.null(name)
        }
    }

    pub(crate) fn null(&mut self, name: &str) -> &mut Self {
        self.name(name).push_str("null");
        self
    }

    pub(crate) fn strs<'t>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = &'t str>,
    ) -> &mut Self {
        let out = self.name(name);
        out.push('[');
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            json::write_string(value, out);
        }
        out.push(']');
        self
    }

    /// # Errors
    /// The document is unreadable.
    pub(crate) fn document(&mut self, name: &str, value: &Document) -> Result<&mut Self, Problem> {
        document::put_json(value, self.name(name))?;
        Ok(self)
    }

    /// JSON that is ready.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.name(name).push_str(json);
        self
    }

    /// Whatever `put` appends as the value.
    pub(crate) fn with(&mut self, name: &str, put: impl FnOnce(&mut String)) -> &mut Self {
        put(self.name(name));
        self
    }

    pub(crate) fn finish(mut self) -> String {
        self.out.push('}');
        self.out
    }
}

/// Appends items between brackets.
pub(crate) fn put_list<T>(out: &mut String, items: &[T], put: impl Fn(&T) -> String) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&put(item));
    }
    out.push(']');
}

/// Milliseconds since the epoch as ISO-8601 in UTC with three fraction digits.
pub(crate) fn date_time(millis: i64) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    match Timestamp::from_millisecond(millis) {
        Ok(time) => PRINTER.timestamp_to_string(&time),
        Err(_) => far_date_time(millis),
    }
}

/// A date beyond the years that the calendar at hand has: those have a sign (ISO 8601), as in Java.
fn far_date_time(millis: i64) -> String {
    const DAY_MS: i64 = 24 * 3_600_000;
    // The Gregorian calendar repeats itself after 400 years.
    const ERA_MS: i64 = 146_097 * DAY_MS;
    let era = millis.div_euclid(ERA_MS);
    let Ok(time) = Timestamp::from_millisecond(millis.rem_euclid(ERA_MS)) else {
        return millis.to_string();
    };
    let time = time.to_zoned(TimeZone::UTC);
    let year = i64::from(time.year()) + 400 * era;
    format!("{year:+05}{}", time.strftime("-%m-%dT%H:%M:%S.%3fZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_milliseconds_and_z() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date_time(1_762_855_810_120), "2025-11-11T10:10:10.120Z");
        assert_eq!(date_time(253_402_300_800_000), "+10000-01-01T00:00:00.000Z");
        assert_eq!(date_time(i64::MAX), "+292278994-08-17T07:12:55.807Z");
        assert_eq!(date_time(i64::MIN), "-292275055-05-16T16:47:04.192Z");
    }

    #[test]
    fn objects_are_written_in_order() {
        let mut object = ObjectWriter::new();
        object
            .str("a", "x\"y")
            .key("b", Key(7))
            .null("c")
            .strs("d", ["1", "2"])
            .key_or_null("e", Key::NONE)
            .str_or_null("f", "");
        assert_eq!(
            object.finish(),
            r#"{"a":"x\"y","b":"7","c":null,"d":["1","2"],"e":null,"f":null}"#
        );
    }
}
