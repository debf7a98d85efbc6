//! draft of it, see above
//!
