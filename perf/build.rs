//! Turns the gateway protocol file into the client (and, for the floor server, the service) code.
//! The protocol file is the only thing this crate shares with the product: a load generator must
//! not share the server's mistakes. No protoc is needed, the parser is a library.

use std::path::Path;

/// Seen from this crate; the file belongs to the gateway.
const PROTO_DIR: &str = "../gateway/proto";
const PROTO_FILE: &str = "gateway.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={PROTO_DIR}/{PROTO_FILE}");
    let descriptors = protox::compile([PROTO_FILE], [Path::new(PROTO_DIR)])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .compile_fds(descriptors)?;
    Ok(())
}
