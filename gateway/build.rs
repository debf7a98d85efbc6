//! Turns `proto/gateway.proto` into the service and its messages.
//!
//! The parser is a library, so no `protoc` is needed. RPCs that the service does not implement get
//! a generated answer of UNIMPLEMENTED.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/gateway.proto");
    let descriptors = protox::compile(["gateway.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .generate_default_stubs(true)
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
