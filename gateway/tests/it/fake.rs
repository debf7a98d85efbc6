//! A backend in memory, and a gateway on free ports in front of it.
//!
//! Each test gives the function that answers commands; what was sent can be looked at afterwards.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use ringflow_core::engine::effect::Response;
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::ids::{Key, PartitionId};
use ringflow_core::record::value::JobRecord;
use ringflow_core::record::{Intent, Rejection, RejectionType, Text, Value};
use ringflow_gateway::backend::{
    Aggregate, Aggregation, ElementStatistics, Entity, Filter, KeyLiteral, Page, Phase, Query,
    QueryError, Row, StreamSpec, SubmitError,
};
use ringflow_gateway::{
    Auth, Backend, Commands, Gateway, GatewayOptions, Guards, Limits, PushedJobs, Reads,
    RunningGateway,
};
use ringflow_io::{
    BrokerAddress, BrokerInfo, ChangeError, ChangeRequest, ClockChange, ClusterOptions,
    Configuration, FixedClock, Health, MetricsSnapshot, Operation, PartitionInfo, PlannedChange,
    Role, StreamInfo, Topology,
};
use tokio::sync::{broadcast, mpsc};

use crate::proto::gateway_client::GatewayClient;

pub(crate) type Answer = Result<Response, SubmitError>;
/// A push stream that was opened, and where its jobs go in.
type Opened = (StreamSpec, mpsc::Sender<(Key, Arc<JobRecord>)>);
type Script = Box<dyn FnMut(PartitionId, &Command) -> Answer + Send>;

pub(crate) struct Fake {
    partitions: u16,
    script: Mutex<Script>,
    pub(crate) sent: Mutex<Vec<(PartitionId, Command)>>,
    pub(crate) available: broadcast::Sender<Text>,
    pub(crate) streams: Mutex<Vec<Opened>>,
    pub(crate) role: Mutex<Role>,
    /// Milliseconds since 1970.
    pub(crate) time: Mutex<i64>,
    /// Changes of the cluster that were asked for, and whether only to be tried.
    pub(crate) changes: Mutex<Vec<(ChangeRequest, bool)>>,
}

impl Fake {
    pub(crate) fn new(
        partitions: u16,
        script: impl FnMut(PartitionId, &Command) -> Answer + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            partitions,
            script: Mutex::new(Box::new(script)),
            sent: Mutex::default(),
            available: broadcast::channel(16).0,
            streams: Mutex::default(),
            role: Mutex::new(Role::Leader),
            time: Mutex::new(1_700_000_000_000),
            changes: Mutex::default(),
        })
    }

    fn configuration(&self) -> Configuration {
        Configuration::founding(&ClusterOptions::default(), self.partitions)
    }

    /// Partitions and intents of what was sent.
    pub(crate) fn intents(&self) -> Vec<(u16, Intent)> {
        let sent = self.sent.lock().unwrap();
        sent.iter()
            .map(|(partition, command)| (partition.0, command.intent))
            .collect()
    }

    /// The last command sent.
    pub(crate) fn last(&self) -> Command {
        self.sent.lock().unwrap().last().unwrap().1.clone()
    }
}

impl Commands for Fake {
    fn partition_count(&self) -> u16 {
        self.partitions
    }

    fn submit(
        &self,
        to: PartitionId,
        command: Command,
        _timeout: Duration,
    ) -> BoxFuture<'_, Answer> {
        let answer = (self.script.lock().unwrap())(to, &command);
        self.sent.lock().unwrap().push((to, command));
        Box::pin(async move { answer })
    }

    fn open_stream(&self, spec: StreamSpec) -> Box<dyn PushedJobs> {
        let (sender, receiver) = mpsc::channel(8);
        self.streams.lock().unwrap().push((spec, sender));
        Box::new(Pushed(receiver))
    }

    fn job_streams(&self) -> Vec<StreamInfo> {
        let streams = self.streams.lock().unwrap();
        let streams = streams.iter().zip(1_u64..);
        streams
            .map(|((spec, _), id)| StreamInfo {
                id,
                gateway: 0,
                spec: spec.clone(),
            })
            .collect()
    }

    fn jobs_available(&self) -> broadcast::Receiver<Text> {
        self.available.subscribe()
    }

    fn topology(&self) -> Topology {
        let partition = |id| PartitionInfo {
            id: PartitionId(id),
            role: *self.role.lock().unwrap(),
            health: Health::Healthy,
            priority: 1,
            term: 1,
            position: 0,
            index: 0,
        };
        Topology {
            asked: 0,
            brokers: vec![BrokerInfo {
                node_id: 0,
                address: BrokerAddress {
                    host: "localhost".into(),
                    port: 26501,
                },
                version: "0".into(),
                partitions: (1..=self.partitions).map(partition).collect(),
            }],
            configuration: Arc::new(self.configuration()),
            cluster_size: 1,
            partitions_count: self.partitions,
            replication_factor: 1,
            in_place: *self.role.lock().unwrap() != Role::Inactive,
        }
    }

    fn has_leader(&self, _partition: PartitionId) -> bool {
        *self.role.lock().unwrap() == Role::Leader
    }

    fn transfer(&self, _partition: PartitionId, _to: u32) -> bool {
        true
    }

    fn rebalance(&self) -> usize {
        0
    }

    fn time(&self) -> i64 {
        *self.time.lock().unwrap()
    }

    fn change_clock(&self, change: ClockChange) -> Result<i64, FixedClock> {
        let mut time = self.time.lock().unwrap();
        match change {
            ClockChange::Pin(millis) => *time = millis,
            ClockChange::Add(millis) => *time += millis,
            ClockChange::Reset => return Err(FixedClock),
        }
        Ok(*time)
    }

    fn change(
        &self,
        request: ChangeRequest,
        dry_run: bool,
    ) -> BoxFuture<'_, Result<PlannedChange, ChangeError>> {
        let current = self.configuration();
        let planned = PlannedChange {
            id: 1,
            operations: vec![Operation::BrokerAdd { broker: 1 }],
            expected: current.clone(),
            current,
        };
        let refused = matches!(request, ChangeRequest::Cancel { id: 9 });
        self.changes.lock().unwrap().push((request, dry_run));
        Box::pin(async move {
            if refused {
                return Err(ChangeError::Concurrent("another".to_owned()));
            }
            Ok(planned)
        })
    }

    fn metrics(&self) -> MetricsSnapshot {
        MetricsSnapshot::default()
    }
}

struct Pushed(mpsc::Receiver<(Key, Arc<JobRecord>)>);

impl PushedJobs for Pushed {
    fn next(&mut self) -> BoxFuture<'_, Option<(Key, Arc<JobRecord>)>> {
        Box::pin(self.0.recv())
    }

    fn give_back(&self, _key: Key, _job: Arc<JobRecord>) {}
}

/// Whether a filter holds for nothing, which is all that this storage understands of filters.
fn is_never(filter: &Filter) -> bool {
    match filter {
        Filter::All(all) => all.iter().any(is_never),
        Filter::Any(any) => any.iter().all(is_never),
        Filter::Field { .. } | Filter::Variable { .. } | Filter::Effective { .. } => false,
    }
}

/// A secondary storage that holds what a test gives it.
#[derive(Default)]
pub(crate) struct FakeReads {
    pub(crate) page: Mutex<Page>,
    pub(crate) row: Mutex<Option<Row>>,
    pub(crate) xml: Mutex<Option<String>>,
    pub(crate) queries: Mutex<Vec<Query>>,
    pub(crate) failure: Mutex<Option<QueryError>>,
    pub(crate) aggregations: Mutex<Vec<Aggregation>>,
    pub(crate) elements: Mutex<Vec<ElementStatistics>>,
    /// What the caller is allowed, while checks are on.
    pub(crate) rights: Mutex<Page>,
    /// The phase of all partitions.
    pub(crate) phase: Mutex<Phase>,
    /// Key and filter of each question for element statistics.
    pub(crate) counted: Mutex<Vec<(KeyLiteral, Option<Filter>)>>,
}

impl Reads for FakeReads {
    fn search(&self, query: Query) -> BoxFuture<'_, Result<Page, QueryError>> {
        let mut page = self.page.lock().unwrap().clone();
        if query.entity == Entity::Credential || is_never(&query.filter) {
            page = Page::default();
        }
        let rights = self.rights.lock().unwrap();
        if query.entity == Entity::Authorization && !rights.items.is_empty() {
            page = rights.clone();
        }
        drop(rights);
        self.queries.lock().unwrap().push(query);
        let failure = self.failure.lock().unwrap().clone();
        Box::pin(async move { failure.map_or(Ok(page), Err) })
    }

    fn get(
        &self,
        _entity: Entity,
        _key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<Row>, QueryError>> {
        let row = self.row.lock().unwrap().clone();
        Box::pin(async move { Ok(row) })
    }

    fn process_definition_xml(
        &self,
        _key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<String>, QueryError>> {
        let xml = self.xml.lock().unwrap().clone();
        Box::pin(async move { Ok(xml) })
    }

    fn decision_xml(
        &self,
        _of: Entity,
        _key: KeyLiteral,
    ) -> BoxFuture<'_, Result<Option<String>, QueryError>> {
        let xml = self.xml.lock().unwrap().clone();
        Box::pin(async move { Ok(xml) })
    }

    fn aggregate(&self, aggregation: Aggregation) -> BoxFuture<'_, Result<Page, QueryError>> {
        let mut page = self.page.lock().unwrap().clone();
        let visible = match &aggregation.of {
            Aggregate::SubscriptionsByDefinition(visible)
            | Aggregate::WaitStatesByElement(visible)
            | Aggregate::InstancesByDefinition(visible)
            | Aggregate::IncidentsByError(visible)
            | Aggregate::InstancesByVersion { visible, .. }
            | Aggregate::IncidentsByDefinition { visible, .. }
            | Aggregate::JobErrors { visible, .. } => Some(visible),
            Aggregate::Jobs(_)
            | Aggregate::JobsByType(_)
            | Aggregate::JobsByWorker(_)
            | Aggregate::JobsOverTime { .. }
            | Aggregate::Usage { .. } => None,
        };
        if visible.is_some_and(is_never) {
            page = Page::default();
        }
        self.aggregations.lock().unwrap().push(aggregation);
        let failure = self.failure.lock().unwrap().clone();
        Box::pin(async move { failure.map_or(Ok(page), Err) })
    }

    fn phases(&self, _partitions: u16) -> BoxFuture<'_, Result<Vec<Phase>, QueryError>> {
        let phase = *self.phase.lock().unwrap();
        let failure = self.failure.lock().unwrap().clone();
        Box::pin(async move { failure.map_or(Ok(vec![phase]), Err) })
    }

    fn set_phase(&self, _partitions: u16, phase: Phase) -> BoxFuture<'_, Result<(), QueryError>> {
        let failure = self.failure.lock().unwrap().clone();
        if failure.is_none() {
            *self.phase.lock().unwrap() = phase;
        }
        Box::pin(async move { failure.map_or(Ok(()), Err) })
    }

    fn element_statistics(
        &self,
        key: KeyLiteral,
        instances: Option<Filter>,
    ) -> BoxFuture<'_, Result<Vec<ElementStatistics>, QueryError>> {
        let mut elements = self.elements.lock().unwrap().clone();
        if instances.as_ref().is_some_and(is_never) {
            elements.clear();
        }
        self.counted.lock().unwrap().push((key, instances));
        Box::pin(async move { Ok(elements) })
    }
}

/// The answer of the engine that a command was accepted.
pub(crate) fn accepted(key: Key, intent: impl Into<Intent>, value: impl Into<Value>) -> Answer {
    Ok(Response {
        request: RequestId(0),
        key,
        intent: intent.into(),
        value: value.into(),
        rejection: None,
    })
}

/// The answer of the engine that it refuses `command`.
pub(crate) fn refused(command: &Command, kind: RejectionType, reason: &str) -> Answer {
    Ok(Response {
        request: RequestId(0),
        key: command.key,
        intent: command.intent,
        value: command.value.clone(),
        rejection: Some(Rejection::new(kind, reason)),
    })
}

/// Echoes each command as accepted.
pub(crate) fn echo(_partition: PartitionId, command: &Command) -> Answer {
    accepted(command.key, command.intent, command.value.clone())
}

pub(crate) struct Running {
    pub(crate) gateway: RunningGateway,
    pub(crate) fake: Arc<Fake>,
    pub(crate) reads: Arc<FakeReads>,
}

/// Starts a gateway without protection in front of `fake`.
pub(crate) async fn start(fake: Arc<Fake>) -> Running {
    start_with(fake, Auth::Unprotected, Limits::default()).await
}

pub(crate) async fn start_with(fake: Arc<Fake>, auth: Auth, limits: Limits) -> Running {
    start_guarded(fake, auth, Guards::default(), limits).await
}

pub(crate) async fn start_guarded(
    fake: Arc<Fake>,
    auth: Auth,
    guards: Guards,
    limits: Limits,
) -> Running {
    let any = "127.0.0.1:0".parse().unwrap();
    let reads = Arc::new(FakeReads::default());
    let options = GatewayOptions {
        grpc: any,
        rest: any,
        management: any,
        auth,
        guards,
        limits,
        ..GatewayOptions::default()
    };
    let backend = Backend {
        commands: fake.clone(),
        reads: Some(reads.clone()),
        exporters: Vec::new(),
        backups: None,
        loggers: None,
    };
    Running {
        gateway: Gateway::start(options, backend).await.unwrap(),
        fake,
        reads,
    }
}

/// What an HTTP server answered.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) text: String,
}

impl Http {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Status, title and detail of a problem document.
    pub(crate) fn problem(&self) -> (u16, String, String) {
        assert_eq!(
            self.headers["content-type"], "application/problem+json",
            "{self:?}"
        );
        let document = self.json();
        assert_eq!(document["type"], "about:blank");
        assert_eq!(document["status"], self.status);
        assert!(document["instance"].is_string());
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        (self.status, text("title"), text("detail"))
    }
}

impl Running {
    pub(crate) async fn grpc(&self) -> GatewayClient<tonic::transport::Channel> {
        GatewayClient::connect(format!("http://{}", self.gateway.grpc))
            .await
            .unwrap()
    }

    /// A REST request with a JSON body, or none if `body` is empty.
    pub(crate) async fn rest(&self, method: &str, path: &str, body: &str) -> Http {
        let mut headers = Vec::new();
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let url = format!("http://{}/v2{path}", self.gateway.rest);
        http(method, &url, &headers, body.as_bytes().to_vec()).await
    }

    pub(crate) async fn post(&self, path: &str, body: serde_json::Value) -> Http {
        self.rest("POST", path, &body.to_string()).await
    }
}

pub(crate) async fn http(method: &str, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Http {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = hyper::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client
        .request(request.body(Full::new(Bytes::from(body))).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Http {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}
