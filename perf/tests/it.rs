//! Integration tests: the program as its user runs it, against its own floor server.
//! Each test starts the binary with a directory of its own; nothing else is shared.
//! Rates are low and runs are short: these hold that the numbers are whole, not that they are good.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod it {
    mod floor;
    mod refusal;
}
