//! Backups.
#![forbid(unsafe_code)]
