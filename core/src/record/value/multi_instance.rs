//! What a multi-instance body iterates over.
//!
//! Written once, when the body activates: later changes of the variable have no effect. Zeebe:
//! `MultiInstanceRecord`.

use crate::record::RawValue;
use crate::record_value;

record_value! {
    /// The items of a multi-instance body, in order.
    pub struct MultiInstanceRecord {
        /// The items.
        input_collection "inputCollection": Vec<RawValue>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msgpack;
    use crate::record::field::ValueStruct;

    #[test]
    fn items_are_exported_as_texts_that_hold_json() {
        let mut text = Vec::new();
        msgpack::write_str(&mut text, "t");
        let record = MultiInstanceRecord {
            input_collection: vec![RawValue::from(&text[..]), RawValue::from(&[1][..])],
        };
        let mut json = String::new();
        record.json_fields(&mut json);
        assert_eq!(json, r#"{"inputCollection":["\"t\"","1"]}"#);
    }
}
