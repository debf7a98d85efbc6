//! Turns `proto/gateway.proto` into the service and its messages.
//!
//! The parser is a library, so no `protoc` is needed. Every RPC has to be answered by name: one
//! that is added to the file is missing in the service at once. The client is for tests.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/gateway.proto");
    let descriptors = protox::compile(["gateway.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
