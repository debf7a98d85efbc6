//! Credentials on both protocols, and the paths that need none.
//!
//! A password is given as text here, so each gateway hashes it at its start.

use ringflow_gateway::{Auth, Limits, User};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};

use crate::fake::{self, Fake, Running, http, start_with};
use crate::proto;

/// `demo:demo`.
const RIGHT: &str = "Basic ZGVtbzpkZW1v";
/// `demo:other`.
const WRONG: &str = "Basic ZGVtbzpvdGhlcg==";

async fn protected() -> Running {
    let users = vec![User {
        name: "demo".into(),
        display_name: "Demo".into(),
        email: "demo@example.com".into(),
        password: "demo".into(),
    }];
    start_with(
        Fake::new(1, fake::echo),
        Auth::Basic(users),
        Limits::default(),
    )
    .await
}

#[tokio::test]
async fn rest_wants_credentials_except_on_open_paths() {
    let running = protected().await;
    let base = format!("http://{}/v2", running.gateway.rest);
    let get = async |path: &str, headers: &[(&str, &str)]| {
        http("GET", &format!("{base}{path}"), headers, Vec::new()).await
    };
    let answer = get("/topology", &[]).await;
    let (status, title, _) = answer.problem();
    assert_eq!((status, title.as_str()), (401, "Unauthorized"));
    assert!(
        answer.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Basic ")
    );
    assert_eq!(
        get("/topology", &[("authorization", WRONG)]).await.status,
        401
    );
    assert_eq!(
        get("/topology", &[("authorization", RIGHT)]).await.status,
        200
    );
    assert_eq!(get("/license", &[]).await.status, 200);
    assert_eq!(
        get("/status", &[("authorization", WRONG)]).await.status,
        204
    );
    let me = get("/authentication/me", &[("authorization", RIGHT)])
        .await
        .json();
    assert_eq!(me["username"], "demo");
    assert_eq!(me["displayName"], "Demo");
    // Credentials are asked for before the body is looked at.
    let headers = [("content-type", "application/json")];
    let url = format!("{base}/process-instances");
    assert_eq!(
        http("POST", &url, &headers, b"[".to_vec()).await.status,
        401
    );
}

#[tokio::test]
async fn grpc_wants_credentials_and_commands_carry_the_name() {
    let running = protected().await;
    let mut client = running.grpc().await;
    let status = client
        .topology(proto::TopologyRequest {})
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(
        status.message(),
        "Expected authentication information at header with key [authorization], but found nothing"
    );
    let with = |credentials: &'static str| {
        let mut request = Request::new(proto::BroadcastSignalRequest {
            signal_name: "s".into(),
            ..proto::BroadcastSignalRequest::default()
        });
        request
            .metadata_mut()
            .insert("authorization", MetadataValue::from_static(credentials));
        request
    };
    let status = client.broadcast_signal(with(WRONG)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    client.broadcast_signal(with(RIGHT)).await.unwrap();
    let mut claims = String::new();
    let command = running.fake.last();
    ringflow_core::json::from_msgpack(command.authorization.as_bytes(), &mut claims).unwrap();
    assert_eq!(claims, "{\"authorized_username\":\"demo\"}");
}
