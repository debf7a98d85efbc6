//! Searches over an exported scenario, the same on both databases.
