//! Every bound of the gateway, with the reason for its value.
//!
//! Owned by [`crate::GatewayOptions`]: the defaults below are what a broker starts with, tests set
//! smaller ones. Every bound has a named refusal (413, 431, RESOURCE_EXHAUSTED, a closed
//! connection); nothing on the way from the socket to the backend is unbounded.

use std::time::Duration;

/// Bounds of one gateway.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest gRPC message and JSON body, bytes. Camunda's `maxMessageSize`: 4 MiB. A smaller
    /// value refuses deployments, a larger one lets one request fill a log segment.
    pub message_bytes: usize,
    /// Largest multipart body, bytes: all files of one deployment. The engine's batch limit refuses
    /// what is larger than a record, this one only protects memory.
    pub upload_bytes: usize,
    /// Header bytes of one REST request. 16 KiB holds the largest cookies and tokens seen.
    pub header_bytes: usize,
    /// REST requests in work at the same time; more are refused with 503 RESOURCE_EXHAUSTED.
    pub concurrent_requests: usize,
    /// Connections per listener; more wait in the accept queue of the kernel.
    pub connections: usize,
    /// gRPC calls in work at the same time on one connection.
    pub streams_per_connection: u32,
    /// Time a client has for its first byte, for its request headers, for its whole body, and to take
    /// what is written to it; who is slower is cut.
    pub slow_client: Duration,
    /// Time a client has for its TLS handshake.
    pub handshake: Duration,
    /// TLS handshakes at the same time per listener: they cost more than the calls that follow.
    pub handshakes: usize,
    /// Time a command may take end to end when the request names none (Camunda: 15 s).
    pub request_timeout: Duration,
    /// Time an activation without jobs waits when the request names none (Camunda: 10 s).
    pub long_poll: Duration,
    /// A parked activation asks the brokers again after this time even if nobody woke it.
    pub long_poll_probe: Duration,
    /// Empty rounds of a job type after which new requests of it are parked without asking.
    pub empty_rounds: u32,
    /// Parked activations, all types together; more answer empty at once.
    pub parked: usize,
    /// Longest time a caller may ask to wait (`requestTimeout`).
    pub longest_wait: Duration,
    /// Time a graceful stop gives to requests in work.
    pub drain: Duration,
    /// Least time between two questions for the keys of an identity provider; a token of a key that
    /// came since is refused until it is over.
    pub key_pause: Duration,
    /// How long verified credentials are remembered, so that a client does not pay for a password
    /// hash with every call. A changed password is honoured after at most this time.
    pub credential_memory: Duration,
    /// Remembered credentials, and remembered rights; each thread for itself.
    pub remembered_credentials: usize,
    /// How long it is remembered what somebody may read (Camunda: 10 s).
    pub rights_memory: Duration,
}

/// Nesting of JSON that the body parser accepts; the bound of `serde_json`, named here because the
/// walk over the parsed body recurses as deep.
pub const JSON_DEPTH: usize = 128;
/// Parts of a multipart body; a deployment of more files is refused.
pub const MULTIPART_PARTS: usize = 1024;
/// Violations named in one answer; further ones are not looked for.
pub const VIOLATIONS: usize = 32;
/// Nodes of one filter (fields, operators, values) that are handed to the query side.
pub const FILTER_NODES: usize = 1000;
/// Items of a page when the request names no limit.
pub const PAGE_DEFAULT: u32 = 100;
/// Most items of a page.
pub const PAGE_MAX: u32 = 10_000;

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 4 * 1024 * 1024,
            upload_bytes: 16 * 1024 * 1024,
            header_bytes: 16 * 1024,
            concurrent_requests: 4096,
            connections: 4096,
            streams_per_connection: 1024,
            slow_client: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            handshakes: 256,
            request_timeout: Duration::from_secs(15),
            long_poll: Duration::from_secs(10),
            long_poll_probe: Duration::from_secs(10),
            empty_rounds: 3,
            parked: 10_000,
            longest_wait: Duration::from_secs(24 * 3600),
            drain: Duration::from_secs(10),
            key_pause: Duration::from_secs(10),
            credential_memory: Duration::from_secs(30),
            remembered_credentials: 1024,
            rights_memory: Duration::from_secs(10),
        }
    }
}
