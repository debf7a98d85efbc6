//! Decisions: a DMN file compiled once and evaluated many times, as Camunda 8 does it.
//!
//! ```text
//! file --xml, parse--> Graph (indices, compiled FEEL) --evaluate, table--> value and its history
//! ```
//!
//! A decision evaluates the decisions it requires, each again for every path that needs it, then
//! its own logic. What went in and out of each is kept as the record of the evaluation wants it.
//!
//! Invariants:
//! 1. No file and no variables make compilation or evaluation panic, overflow the stack or run
//!    without bound: the limits are those of XML ([`crate::model`]) and of FEEL, whose steps and
//!    depth are counted over the whole decision.
//! 2. Equal file, variables and environment give equal results.
//! 3. Of the rest of the crate this module uses [`crate::feel`] and the XML reader only.
//!
//! Namespaces of DMN 1.1 to 1.5 are read. What a file may contain and what evaluation does with it
//! follows the reference engine, texts of failures included; constructs of DMN 1.4 and later
//! (conditional, filter, iterator) are refused, as there.

mod evaluate;
mod graph;
mod parse;
mod table;

pub use evaluate::{Evaluation, Failure};
pub use graph::{Decision, Graph, HitPolicy, Input, Kind, Output, Table};
pub use parse::{Refused, Unreadable, compile, compile_as};
pub use table::Matched;

pub use evaluate::Evaluated;
