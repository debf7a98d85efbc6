//! The integration tests of this crate: one binary, one module for each area.
//!
//! `crash` cuts the power at every step, `corrupt` flips what is on disk, `golden` pins the formats,
//! the rest drives each part through its public surface.

mod it {
    mod crash;
    mod data_dir;
    mod log;
    mod snapshot;
    mod state;
}
