//! Variables as clients send them.
//!
//! One document of the usual kind: a dozen names, nested customer, a list of lines; about 700 bytes
//! of JSON. What is measured on it depends on its size only in proportion.

use std::fmt::Write as _;

use ringflow_core::json;

/// An order, as JSON.
#[must_use]
pub fn order_json() -> String {
    let mut lines = String::new();
    for line in 0..8 {
        let separator = if line > 0 { "," } else { "" };
        write!(
            lines,
            r#"{separator}{{"sku":"A-{line}","price":{},"count":{}}}"#,
            5 + line * 3,
            1 + line % 3
        )
        .expect("a string takes everything");
    }
    format!(
        r#"{{"orderId":"4711-2026","channel":"web","amount":250,"tax":47.5,"currency":"EUR",
        "customer":{{"id":81231,"name":"Zo\u00eb Smith","vip":true,"since":"2019-04-01"}},
        "express":false,"note":null,"retries":3,"lines":[{lines}]}}"#
    )
}

/// The same order, as MessagePack.
#[must_use]
pub fn order() -> Vec<u8> {
    json::to_msgpack(order_json()).expect("the order is JSON")
}
