//! What brokers say over a link, as bodies of frames.
//!
//! | kind | from the dialling side | body |
//! |---|---|---|
//! | 64 | submit | `u64` request, `u16` partition, `u32` milliseconds, record |
//! | 65 | send | `u16` partition, `u8` 1 if nobody else sends it again, record |
//! | 66 | open stream | `u64` stream, `u64` hold, texts type and worker, `u32` count and texts variables, the same tenants |
//! | 67 | close stream | `u64` stream |
//! | 68 | jobs available | text type |
//! | 69 | status | see [`put_status`] |
//! | 70 | gossip | bytes of the gossip library |
//! | 71 | transfer | `u16` partition, `u32` broker that shall lead |
//! | 79 | send behind a checkpoint | `u64` number and `u8` kind of the checkpoint, then as send |
//!
//! | kind | from the accepting side | body |
//! |---|---|---|
//! | 80 | answer | `u64` request, `u8` outcome, record if it is 0 |
//! | 81 | job | `u64` stream, record |
//! | 82 | stream ended | `u64` stream |
//!
//! Commands, answers and jobs travel as records in the log's own encoding (`core::record::codec`), of
//! which position, time and partition mean nothing here. Outcomes: 0 answered, 1 resource exhausted,
//! 2 unavailable, 3 unknown, 4 timeout, 5 no such partition, 6 leadership lost.

use bytes::Bytes;
use ringflow_core::engine::effect::{Response, StreamId};
use ringflow_core::engine::input::{Command, RequestId};
use ringflow_core::ids::{Key, PartitionId, Position, Timestamp};
use ringflow_core::record::field::ValueWriter;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::{CheckpointType, JobRecord};
use ringflow_core::record::{Document, Intent, Record, RecordType, Text, Value, codec};

use crate::partition::cut::{Stamp, Stamped};
use crate::peer::field::{Fields, put_bytes, put_u16, put_u32, put_u64};
use crate::peer::frame;
use crate::peer::roster::{ReplicaStatus, Status};
use crate::submit::{StreamSpec, SubmitError};
use crate::topology::{BrokerAddress, Health, Role};

pub(crate) const SUBMIT: u8 = 64;
pub(crate) const SEND: u8 = 65;
pub(crate) const OPEN_STREAM: u8 = 66;
pub(crate) const CLOSE_STREAM: u8 = 67;
pub(crate) const JOBS_AVAILABLE: u8 = 68;
pub(crate) const STATUS: u8 = 69;
pub(crate) const GOSSIP: u8 = 70;
pub(crate) const TRANSFER: u8 = 71;
pub(crate) const SEND_BEHIND: u8 = 79;
pub(crate) const ANSWER: u8 = 80;
pub(crate) const JOB: u8 = 81;
pub(crate) const STREAM_ENDED: u8 = 82;

/// Most replicas a status may list.
const REPLICAS_MAX: u16 = 4096;

fn put_record(out: &mut Vec<u8>, record: &Record) {
    codec::encode(record, &mut ValueWriter::default(), out);
}

fn take_record(bytes: &Bytes) -> Result<Record, String> {
    let mut rest = &bytes[..];
    let record = codec::decode(&mut rest).map_err(|error| error.to_string())?;
    if rest.is_empty() {
        Ok(record)
    } else {
        Err("bytes after a record".to_owned())
    }
}

fn bare_record(record_type: RecordType, key: Key, intent: Intent, value: Value) -> Record {
    Record {
        position: Position(0),
        source_position: None,
        key,
        timestamp: Timestamp(0),
        record_type,
        intent,
        rejection: None,
        partition: PartitionId(0),
        record_version: 1,
        operation_reference: -1,
        batch_operation_reference: Key::NONE,
        authorization: Document::EMPTY,
        value,
    }
}

fn put_command(out: &mut Vec<u8>, command: Command) {
    let Command {
        key,
        intent,
        value,
        request: _,
        operation_reference,
        batch_operation_reference,
        authorization,
    } = command;
    let record = Record {
        operation_reference,
        batch_operation_reference,
        authorization,
        ..bare_record(RecordType::Command, key, intent, value)
    };
    put_record(out, &record);
}

fn take_command(bytes: &Bytes) -> Result<Command, String> {
    let record = take_record(bytes)?;
    Ok(Command {
        key: record.key,
        intent: record.intent,
        value: record.value,
        request: None,
        operation_reference: record.operation_reference,
        batch_operation_reference: record.batch_operation_reference,
        authorization: record.authorization,
    })
}

/// A command that waits for its answer.
pub(crate) struct Submit {
    pub(crate) request: u64,
    pub(crate) partition: PartitionId,
    pub(crate) millis: u32,
    pub(crate) command: Command,
}

pub(crate) fn submit(submit: Submit) -> Vec<u8> {
    let mut out = frame::begin(SUBMIT);
    put_u64(&mut out, submit.request);
    put_u16(&mut out, submit.partition.0);
    put_u32(&mut out, submit.millis);
    put_command(&mut out, submit.command);
    frame::finish(out)
}

pub(crate) fn take_submit(body: Bytes) -> Result<Submit, String> {
    let mut fields = Fields::of("a command", body);
    Ok(Submit {
        request: fields.u64()?,
        partition: PartitionId(fields.u16()?),
        millis: fields.u32()?,
        command: take_command(&fields.rest())?,
    })
}

/// A command nobody waits for; `last_chance` if nobody sends it again.
pub(crate) fn send(partition: PartitionId, last_chance: bool, stamped: Stamped) -> Vec<u8> {
    let Stamped { stamp, command } = stamped;
    // Brokers that know no checkpoints know the first kind only.
    let mut out = match stamp.checkpoint {
        0 => frame::begin(SEND),
        checkpoint => {
            let mut out = frame::begin(SEND_BEHIND);
            put_u64(&mut out, checkpoint.cast_unsigned());
            out.push(stamp.kind as u8);
            out
        }
    };
    put_u16(&mut out, partition.0);
    out.push(u8::from(last_chance));
    put_command(&mut out, command);
    frame::finish(out)
}

/// Takes a frame of kind [`SEND`] or [`SEND_BEHIND`].
pub(crate) fn take_send(kind: u8, body: Bytes) -> Result<(PartitionId, bool, Stamped), String> {
    let mut fields = Fields::of("a command of a partition", body);
    let mut stamp = Stamp::default();
    if kind == SEND_BEHIND {
        stamp = Stamp {
            checkpoint: fields.u64()?.cast_signed(),
            kind: CheckpointType::from_code(fields.u8()?).ok_or("a checkpoint of unknown kind")?,
        };
    }
    let partition = PartitionId(fields.u16()?);
    let last_chance = fields.u8()? == 1;
    let command = take_command(&fields.rest())?;
    Ok((partition, last_chance, Stamped { stamp, command }))
}

pub(crate) fn answer(request: u64, outcome: Result<Response, SubmitError>) -> Vec<u8> {
    let mut out = frame::begin(ANSWER);
    put_u64(&mut out, request);
    match outcome {
        Ok(response) => {
            out.push(0);
            let record_type = match response.rejection {
                None => RecordType::Event,
                Some(_) => RecordType::CommandRejection,
            };
            let record = Record {
                rejection: response.rejection,
                ..bare_record(record_type, response.key, response.intent, response.value)
            };
            put_record(&mut out, &record);
        }
        Err(error) => out.push(match error {
            SubmitError::ResourceExhausted => 1,
            SubmitError::Unavailable { .. } => 2,
            SubmitError::UnknownOutcome => 3,
            SubmitError::Timeout => 4,
            SubmitError::NoSuchPartition => 5,
            SubmitError::LeadershipLost => 6,
        }),
    }
    frame::finish(out)
}

pub(crate) fn take_answer(body: Bytes) -> Result<(u64, Result<Response, SubmitError>), String> {
    let mut fields = Fields::of("an answer", body);
    let request = fields.u64()?;
    let outcome = match fields.u8()? {
        0 => {
            let record = take_record(&fields.rest())?;
            Ok(Response {
                request: RequestId(request),
                key: record.key,
                intent: record.intent,
                value: record.value,
                rejection: record.rejection,
            })
        }
        1 => Err(SubmitError::ResourceExhausted),
        2 => Err(SubmitError::Unavailable {
            reason: "the partition's leader does not serve at the moment",
        }),
        3 => Err(SubmitError::UnknownOutcome),
        4 => Err(SubmitError::Timeout),
        5 => Err(SubmitError::NoSuchPartition),
        6 => Err(SubmitError::LeadershipLost),
        other => return Err(format!("an answer of unknown outcome {other}")),
    };
    Ok((request, outcome))
}

pub(crate) fn open_stream(id: StreamId, spec: &StreamSpec) -> Vec<u8> {
    let mut out = frame::begin(OPEN_STREAM);
    put_u64(&mut out, id.0);
    put_u64(&mut out, spec.timeout.cast_unsigned());
    put_bytes(&mut out, spec.job_type.as_str().as_bytes());
    put_bytes(&mut out, spec.worker.as_str().as_bytes());
    for texts in [&spec.fetch_variables, &spec.tenant_ids] {
        put_u32(&mut out, texts.len() as u32);
        for text in texts {
            put_bytes(&mut out, text.as_str().as_bytes());
        }
    }
    put_bytes(&mut out, spec.authorization.as_bytes());
    frame::finish(out)
}

pub(crate) fn take_open_stream(body: Bytes) -> Result<(StreamId, StreamSpec), String> {
    let mut fields = Fields::of("a job stream", body);
    let id = StreamId(fields.u64()?);
    let timeout = fields.u64()?.cast_signed();
    let job_type = Text::from(fields.text()?.as_str());
    let worker = Text::from(fields.text()?.as_str());
    let mut texts = || -> Result<Vec<Text>, String> {
        let count = fields.u32()?;
        let one = |_| fields.text().map(|text| Text::from(text.as_str()));
        (0..count).map(one).collect()
    };
    let (fetch_variables, tenant_ids) = (texts()?, texts()?);
    let authorization = Document::from(fields.bytes()?.to_vec());
    fields.end()?;
    let spec = StreamSpec {
        job_type,
        worker,
        timeout,
        fetch_variables,
        tenant_ids,
        authorization,
    };
    Ok((id, spec))
}

/// A frame of `kind` that names a stream.
pub(crate) fn stream(kind: u8, id: StreamId) -> Vec<u8> {
    let mut out = frame::begin(kind);
    put_u64(&mut out, id.0);
    frame::finish(out)
}

pub(crate) fn take_stream(body: Bytes) -> Result<StreamId, String> {
    Fields::of("a job stream", body).u64().map(StreamId)
}

pub(crate) fn job(id: StreamId, key: Key, job: &JobRecord) -> Vec<u8> {
    let mut out = frame::begin(JOB);
    put_u64(&mut out, id.0);
    let value = Value::from(job.clone());
    let record = bare_record(RecordType::Event, key, of::Job::Created.into(), value);
    put_record(&mut out, &record);
    frame::finish(out)
}

pub(crate) fn take_job(body: Bytes) -> Result<(StreamId, Key, Value), String> {
    let mut fields = Fields::of("a job", body);
    let id = StreamId(fields.u64()?);
    let record = take_record(&fields.rest())?;
    Ok((id, record.key, record.value))
}

pub(crate) fn jobs_available(job_type: &Text) -> Vec<u8> {
    let mut out = frame::begin(JOBS_AVAILABLE);
    out.extend_from_slice(job_type.as_str().as_bytes());
    frame::finish(out)
}

pub(crate) fn take_jobs_available(body: &Bytes) -> Result<Text, String> {
    std::str::from_utf8(body)
        .map(Text::from)
        .map_err(|_| "a job type that is not UTF-8".to_owned())
}

pub(crate) fn gossip(bytes: &[u8]) -> Vec<u8> {
    let mut out = frame::begin(GOSSIP);
    out.extend_from_slice(bytes);
    frame::finish(out)
}

pub(crate) fn transfer(partition: PartitionId, to: u32) -> Vec<u8> {
    let mut out = frame::begin(TRANSFER);
    put_u16(&mut out, partition.0);
    put_u32(&mut out, to);
    frame::finish(out)
}

pub(crate) fn take_transfer(body: Bytes) -> Result<(PartitionId, u32), String> {
    let mut fields = Fields::of("a transfer", body);
    Ok((PartitionId(fields.u16()?), fields.u32()?))
}

/// `u16` port and text host of the client API, text version, `u16` count of replicas; each `u16`
/// partition, `u8` role, `u8` health, `u64` term, `u64` position, `u64` log index.
pub(crate) fn status(status: &Status) -> Vec<u8> {
    let mut out = frame::begin(STATUS);
    put_u16(&mut out, status.address.port);
    put_bytes(&mut out, status.address.host.as_bytes());
    put_bytes(&mut out, status.version.as_bytes());
    put_u16(&mut out, status.replicas.len() as u16);
    for replica in &status.replicas {
        put_u16(&mut out, replica.partition.0);
        out.push(replica.role as u8);
        out.push(replica.health as u8);
        put_u64(&mut out, replica.term);
        put_u64(&mut out, replica.position);
        put_u64(&mut out, replica.index);
    }
    frame::finish(out)
}

pub(crate) fn take_status(body: Bytes) -> Result<Status, String> {
    let mut fields = Fields::of("a status", body);
    let port = fields.u16()?;
    let host = fields.text()?;
    let version = fields.text()?;
    let count = fields.u16()?;
    if count > REPLICAS_MAX {
        return Err(format!("a status with {count} replicas"));
    }
    let mut replicas = Vec::new();
    for _ in 0..count {
        replicas.push(ReplicaStatus {
            partition: PartitionId(fields.u16()?),
            role: Role::from_code(fields.u8()?),
            health: Health::from_code(fields.u8()?),
            term: fields.u64()?,
            position: fields.u64()?,
            index: fields.u64()?,
        });
    }
    fields.end()?;
    Ok(Status {
        address: BrokerAddress { host, port },
        version,
        replicas,
    })
}

#[cfg(test)]
mod tests {
    use ringflow_core::record::value::JobBatchRecord;
    use ringflow_core::record::{Rejection, RejectionType};

    use super::*;

    fn body(frame: &[u8]) -> Bytes {
        Bytes::copy_from_slice(&frame[9..])
    }

    #[test]
    fn commands_and_answers_come_back_as_they_were() {
        let batch = JobBatchRecord {
            job_type: Text::from("work"),
            max_jobs: 3,
            ..JobBatchRecord::default()
        };
        let mut command = Command::internal(Key(9), of::JobBatch::Activate, batch);
        command.operation_reference = 5;
        let sent = Submit {
            request: 8,
            partition: PartitionId(2),
            millis: 100,
            command: command.clone(),
        };
        let back = take_submit(body(&submit(sent))).unwrap();
        assert_eq!((back.request, back.partition.0, back.millis), (8, 2, 100));
        assert_eq!(back.command.value, command.value);
        assert_eq!(back.command.operation_reference, 5);
        let stamp = Stamp {
            checkpoint: 77,
            kind: CheckpointType::ScheduledBackup,
        };
        let sent = Stamped { stamp, command };
        let (to, last, back) =
            take_send(SEND_BEHIND, body(&send(PartitionId(3), true, sent))).unwrap();
        assert_eq!((to.0, last, back.stamp), (3, true, stamp));
        let back = back.command;
        assert_eq!(back.key, Key(9));
        let refused = Response {
            request: RequestId(8),
            key: Key(9),
            intent: of::JobBatch::Activate.into(),
            value: back.value,
            rejection: Some(Rejection::new(RejectionType::NotFound, "why")),
        };
        let (request, outcome) = take_answer(body(&answer(8, Ok(refused.clone())))).unwrap();
        assert_eq!((request, outcome), (8, Ok(refused)));
        let lost = Err(SubmitError::UnknownOutcome);
        assert_eq!(
            take_answer(body(&answer(1, lost.clone()))).unwrap(),
            (1, lost)
        );
    }

    #[test]
    fn streams_and_status_come_back_as_they_were() {
        let spec = StreamSpec {
            job_type: Text::from("pay"),
            worker: Text::from("w"),
            timeout: 1000,
            fetch_variables: vec![Text::from("a"), Text::from("b")],
            tenant_ids: Vec::new(),
            authorization: Document::from(&[0x80][..]),
        };
        let back = take_open_stream(body(&open_stream(StreamId(4), &spec))).unwrap();
        assert_eq!(back, (StreamId(4), spec));
        let record = JobRecord::default();
        let (id, key, value) = take_job(body(&job(StreamId(4), Key(7), &record))).unwrap();
        assert_eq!((id, key, value), (StreamId(4), Key(7), Value::from(record)));
        let told = Status {
            address: BrokerAddress::default(),
            version: "1".to_owned(),
            replicas: vec![ReplicaStatus {
                partition: PartitionId(2),
                role: Role::Leader,
                health: Health::Healthy,
                term: 3,
                position: 4,
                index: 5,
            }],
        };
        let whole = body(&status(&told));
        assert_eq!(take_status(whole.clone()).unwrap(), told);
        for len in 0..whole.len() {
            assert!(take_status(whole.slice(..len)).is_err());
        }
    }
}
