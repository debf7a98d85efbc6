//! The job streams that are open, as operators look at them.
//!
//! | path | answer |
//! |---|---|
//! | `GET /actuator/jobstreams` | both lists |
//! | `GET /actuator/jobstreams/client` | streams of clients of this gateway |
//! | `GET /actuator/jobstreams/remote` | streams on the partitions of this broker, whoever has the client |
//!
//! Shapes are the reference's. Streams of equal properties are one there and have one entry in the
//! remote list, with all who opened them. Another kind is 400.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use ringflow_core::record::Text;
use ringflow_io::{StreamInfo, StreamSpec};

use super::Shared;
use crate::op::shape::{ObjectWriter, put_list};
use crate::rest::answer;

/// Both lists.
pub(super) async fn list(State(management): Shared) -> Response<Body> {
    let streams = management.front.backend.commands.job_streams();
    let topology = management.front.backend.commands.topology();
    let brokers: Vec<u32> = topology.brokers.iter().map(|it| it.node_id).collect();
    let mut out = ObjectWriter::new();
    out.raw("remote", &remote(&streams))
        .raw("client", &client(&streams, topology.asked, &brokers));
    answer::with_body(200, "application/json", out.finish())
}

/// One of them.
pub(super) async fn list_of(State(management): Shared, Path(kind): Path<String>) -> Response<Body> {
    let streams = management.front.backend.commands.job_streams();
    let topology = management.front.backend.commands.topology();
    let brokers: Vec<u32> = topology.brokers.iter().map(|it| it.node_id).collect();
    let text = match kind.as_str() {
        "client" => client(&streams, topology.asked, &brokers),
        "remote" => remote(&streams),
        _ => {
            let mut out = ObjectWriter::new();
            let error = format!("No known stream type '{kind}'; should be one of [client, remote]");
            out.str("error", &error);
            return answer::with_body(400, "application/json", out.finish());
        }
    };
    answer::with_body(200, "application/json", text)
}

/// Streams of clients that are connected here.
fn client(streams: &[StreamInfo], here: u32, brokers: &[u32]) -> String {
    let own: Vec<&StreamInfo> = streams.iter().filter(|it| it.gateway == here).collect();
    let mut list = String::new();
    put_list(&mut list, &own, |stream| {
        let mut id = ObjectWriter::new();
        id.str("serverStreamId", &number(stream))
            .int("localId", stream.id.cast_signed());
        let mut out = ObjectWriter::new();
        out.str("jobType", &stream.spec.job_type)
            .raw("id", &id.finish())
            .raw("metadata", &properties(&stream.spec))
            .with("connectedTo", |out| {
                put_list(out, brokers, ToString::to_string);
            });
        out.finish()
    });
    list
}

/// Streams on the partitions of this broker.
fn remote(streams: &[StreamInfo]) -> String {
    let equal = |a: &StreamSpec, b: &StreamSpec| {
        a.job_type == b.job_type
            && a.worker == b.worker
            && a.timeout == b.timeout
            && a.fetch_variables == b.fetch_variables
            && a.tenant_ids == b.tenant_ids
    };
    let mut groups: Vec<Vec<&StreamInfo>> = Vec::new();
    for stream in streams {
        let known = groups
            .iter_mut()
            .find(|group| group.iter().any(|it| equal(&it.spec, &stream.spec)));
        match known {
            Some(group) => group.push(stream),
            None => groups.push(vec![stream]),
        }
    }
    let mut list = String::new();
    put_list(&mut list, &groups, |group| {
        let mut out = ObjectWriter::new();
        if let Some(first) = group.first() {
            out.str("jobType", &first.spec.job_type)
                .raw("metadata", &properties(&first.spec));
        }
        out.with("consumers", |out| {
            put_list(out, group, |stream| {
                let mut one = ObjectWriter::new();
                one.str("id", &number(stream))
                    .str("receiver", &stream.gateway.to_string());
                one.finish()
            });
        });
        out.finish()
    });
    list
}

fn properties(spec: &StreamSpec) -> String {
    let timeout = jiff::SignedDuration::from_millis(spec.timeout);
    let mut out = ObjectWriter::new();
    out.str("worker", &spec.worker)
        .str("timeout", &timeout.to_string())
        .strs(
            "fetchVariables",
            spec.fetch_variables.iter().map(Text::as_str),
        );
    out.finish()
}

/// Its number in the form that ids of streams have.
fn number(stream: &StreamInfo) -> String {
    format!(
        "00000000-0000-0000-{:04x}-{:012x}",
        stream.gateway & 0xffff,
        stream.id & 0xffff_ffff_ffff
    )
}
