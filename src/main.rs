mod config;
mod settings;
fn main() {}
