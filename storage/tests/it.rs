//! The integration tests of this crate: one binary, one module for each area.
//!
//! `crash` cuts the power at every step, `corrupt` flips what is on disk, `golden` pins the formats,
//! the rest drives each part through its public surface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod it {
    mod corrupt;
    mod crash;
    mod data_dir;
    mod golden;
    mod log;
    mod snapshot;
    mod state;
}
