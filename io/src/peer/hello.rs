//! The first frame in each direction: who speaks, for which cluster, and whether it is let in.
//!
//! | kind | name | body |
//! |---|---|---|
//! | 1 | hello | magic `RINGPEER`, `u16` version, `u8` purpose (1 group, 2 link, 3 look), `u16` partition (0 unless for a group), `u32` node, `u64` incarnation, `u32` cluster size, `u16` partitions, `u32` replication factor, text name, text secondary storage, text peer address |
//! | 2 | welcome | `u32` node, `u64` incarnation |
//! | 3 | refused | text |
//!
//! Brokers of one cluster agree on everything that decides where data lives; a difference is refused
//! in words that name both values. The incarnation is drawn at each start: with it a broker knows
//! itself behind one of its contact points, and a second broker that was given its number.

use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use ringflow_core::ids::PartitionId;

use crate::driver;
use crate::peer::field::{Fields, put_bytes, put_u16, put_u32, put_u64};
use crate::peer::frame::{self, Frame, FrameError, Reader};

/// Version of everything peers say to each other.
pub(crate) const PROTOCOL_VERSION: u16 = 1;
/// Most bytes of a hello: nobody is known yet.
pub(crate) const HELLO_MAX: usize = 4 << 10;
/// How long either side waits for the other's first frame.
pub(crate) const HELLO_WITHIN: Duration = Duration::from_secs(3);

const MAGIC: [u8; 8] = *b"RINGPEER";
const HELLO: u8 = 1;
const WELCOME: u8 = 2;
const REFUSED: u8 = 3;
const GROUP: u8 = 1;
const LINK: u8 = 2;
const LOOK: u8 = 3;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Raft of one partition.
    Group(PartitionId),
    /// Everything else.
    Link,
    /// Only to learn who is there.
    Look,
}

/// Who a broker is, to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) node: u32,
    /// Drawn at each start.
    pub(crate) incarnation: u64,
    pub(crate) cluster: String,
    pub(crate) size: u32,
    pub(crate) partitions: u16,
    pub(crate) replication_factor: u32,
    pub(crate) storage: String,
    /// `HOST:PORT` of its peer listener.
    pub(crate) address: String,
}

impl Identity {
    /// What keeps `self` and `other` from being of one cluster, seen from `self`.
    pub(crate) fn compare(&self, other: &Self) -> Result<(), String> {
        let differs = |what: &str, own: &dyn std::fmt::Display, theirs: &dyn std::fmt::Display| {
            Err(format!(
                "broker {} has {what} {own}, broker {} has {theirs}: the brokers of a cluster \
                 must agree",
                self.node, other.node
            ))
        };
        if self.cluster != other.cluster {
            return differs("cluster name", &self.cluster, &other.cluster);
        }
        if self.size != other.size {
            return differs("cluster size", &self.size, &other.size);
        }
        if self.partitions != other.partitions {
            return differs("partition count", &self.partitions, &other.partitions);
        }
        if self.replication_factor != other.replication_factor {
            return differs(
                "replication factor",
                &self.replication_factor,
                &other.replication_factor,
            );
        }
        if self.storage != other.storage {
            return differs("secondary storage", &self.storage, &other.storage);
        }
        if other.node >= self.size {
            return Err(format!(
                "node id {} is not below the cluster size {}",
                other.node, self.size
            ));
        }
        if self.node == other.node && self.incarnation != other.incarnation {
            return Err(format!(
                "another broker of this cluster has node id {}, at {}",
                self.node, self.address
            ));
        }
        Ok(())
    }
}

/// Why a connection was not let in, or did not let us in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelloError {
    /// The other broker says why.
    #[error("refused: {0}")]
    Refused(String),
    /// It did not get that far.
    #[error("{0}")]
    Failed(#[from] FrameError),
    /// Nothing came in time.
    #[error("no word within {HELLO_WITHIN:?}")]
    Silent,
}

fn failed(what: String) -> HelloError {
    HelloError::Failed(FrameError::Body(what))
}

/// The hello of `identity`.
fn encode(identity: &Identity, purpose: Purpose) -> Vec<u8> {
    let mut out = frame::begin(HELLO);
    out.extend_from_slice(&MAGIC);
    put_u16(&mut out, PROTOCOL_VERSION);
    let (purpose, partition) = match purpose {
        Purpose::Group(partition) => (GROUP, partition.0),
        Purpose::Link => (LINK, 0),
        Purpose::Look => (LOOK, 0),
    };
    out.push(purpose);
    put_u16(&mut out, partition);
    put_u32(&mut out, identity.node);
    put_u64(&mut out, identity.incarnation);
    put_u32(&mut out, identity.size);
    put_u16(&mut out, identity.partitions);
    put_u32(&mut out, identity.replication_factor);
    for text in [&identity.cluster, &identity.storage, &identity.address] {
        put_bytes(&mut out, text.as_bytes());
    }
    frame::finish(out)
}

fn decode(frame: Frame) -> Result<(Identity, Purpose), String> {
    if frame.kind != HELLO {
        return Err(format!(
            "the first frame is of kind {}, not a hello",
            frame.kind
        ));
    }
    let mut fields = Fields::of("a hello", frame.body);
    for expected in MAGIC {
        if fields.u8()? != expected {
            return Err("the first frame is not a hello of a broker".to_owned());
        }
    }
    let version = fields.u16()?;
    if version != PROTOCOL_VERSION {
        return Err(format!(
            "peer protocol version {version}, this broker speaks {PROTOCOL_VERSION}"
        ));
    }
    let (purpose, partition) = (fields.u8()?, PartitionId(fields.u16()?));
    let purpose = match purpose {
        GROUP => Purpose::Group(partition),
        LINK => Purpose::Link,
        LOOK => Purpose::Look,
        other => return Err(format!("a connection of unknown purpose {other}")),
    };
    let (node, incarnation) = (fields.u32()?, fields.u64()?);
    let (size, partitions, replication_factor) = (fields.u32()?, fields.u16()?, fields.u32()?);
    let (cluster, storage, address) = (fields.text()?, fields.text()?, fields.text()?);
    let identity = Identity {
        node,
        incarnation,
        cluster,
        size,
        partitions,
        replication_factor,
        storage,
        address,
    };
    Ok((identity, purpose))
}

/// Says who we are and waits to be let in; who the other is: node and incarnation.
pub(crate) async fn introduce<R, W>(
    identity: &Identity,
    purpose: Purpose,
    reader: &mut Reader<R>,
    writer: &mut W,
) -> Result<(u32, u64), HelloError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    frame::write(writer, &encode(identity, purpose)).await?;
    let answer = driver::within(HELLO_WITHIN, reader.next())
        .await
        .ok_or(HelloError::Silent)??;
    match answer.kind {
        WELCOME => {
            let mut fields = Fields::of("a welcome", answer.body);
            let who = fields
                .u32()
                .and_then(|node| Ok((node, fields.u64()?)))
                .map_err(failed)?;
            Ok(who)
        }
        REFUSED => {
            let mut fields = Fields::of("a refusal", answer.body);
            Err(HelloError::Refused(fields.text().map_err(failed)?))
        }
        other => Err(failed(format!("a hello was answered with kind {other}"))),
    }
}

/// Waits for the other's hello and lets it in, or refuses it; who it is and what it wants.
pub(crate) async fn receive<R, W>(
    own: &Identity,
    reader: &mut Reader<R>,
    writer: &mut W,
) -> Result<(Identity, Purpose), HelloError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    reader.limit(HELLO_MAX);
    let first = driver::within(HELLO_WITHIN, reader.next())
        .await
        .ok_or(HelloError::Silent)??;
    let met = decode(first).and_then(|(identity, purpose)| {
        own.compare(&identity)?;
        if let Purpose::Group(partition) = purpose
            && !(1..=own.partitions).contains(&partition.0)
        {
            return Err(format!("there is no partition {partition}"));
        }
        Ok((identity, purpose))
    });
    match met {
        Ok(met) => {
            let mut out = frame::begin(WELCOME);
            put_u32(&mut out, own.node);
            put_u64(&mut out, own.incarnation);
            frame::write(writer, &frame::finish(out)).await?;
            reader.limit(frame::FRAME_MAX);
            Ok(met)
        }
        Err(why) => {
            let mut out = frame::begin(REFUSED);
            put_bytes(&mut out, why.as_bytes());
            // It is refused whether it hears why or not.
            let _ = frame::write(writer, &frame::finish(out)).await;
            Err(HelloError::Refused(why))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;
    use crate::driver::{Driver, ExecutorOptions};

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let options = ExecutorOptions {
            name: "test".to_owned(),
            core: None,
            spin: Duration::ZERO,
        };
        driver::block_on(Driver::Plain, &options, work).unwrap()
    }

    fn identity(node: u32) -> Identity {
        Identity {
            node,
            incarnation: 7,
            cluster: "c".to_owned(),
            size: 3,
            partitions: 2,
            replication_factor: 3,
            storage: "postgres".to_owned(),
            address: "a:1".to_owned(),
        }
    }

    fn meet(hello: &[u8]) -> (Result<(Identity, Purpose), HelloError>, Vec<u8>) {
        let mut answer = Vec::new();
        let mut reader = Reader::new(Cursor::new(hello.to_vec()));
        let met = block_on(receive(&identity(0), &mut reader, &mut answer));
        (met, answer)
    }

    fn refusal(hello: &[u8]) -> String {
        match meet(hello).0 {
            Err(HelloError::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn brokers_of_one_cluster_meet() {
        let purpose = Purpose::Group(PartitionId(2));
        let (met, answer) = meet(&encode(&identity(1), purpose));
        assert_eq!(met.unwrap(), (identity(1), purpose));
        let mut reader = Reader::new(Cursor::new(answer));
        let mut sent = Vec::new();
        let who = block_on(introduce(&identity(1), purpose, &mut reader, &mut sent));
        assert_eq!(who.unwrap(), (0, 7));
    }

    #[test]
    fn a_difference_is_refused_by_name_and_both_values() {
        let refused = |change: &dyn Fn(&mut Identity)| {
            let mut other = identity(1);
            change(&mut other);
            refusal(&encode(&other, Purpose::Link))
        };
        let texts = [
            refused(&|other| other.cluster = "d".to_owned()),
            refused(&|other| other.size = 5),
            refused(&|other| other.partitions = 4),
            refused(&|other| other.replication_factor = 1),
            refused(&|other| other.storage = "sqlite".to_owned()),
        ];
        let expected = [
            "cluster name c, broker 1 has d",
            "cluster size 3, broker 1 has 5",
            "partition count 2, broker 1 has 4",
            "replication factor 3, broker 1 has 1",
            "secondary storage postgres, broker 1 has sqlite",
        ];
        for (text, expected) in texts.iter().zip(expected) {
            assert!(text.contains(expected), "{text}");
        }
        assert!(refused(&|other| other.node = 3).contains("node id 3"));
        let twin = refused(&|other| {
            other.node = 0;
            other.incarnation = 8;
        });
        assert!(twin.contains("another broker"), "{twin}");
    }

    #[test]
    fn strangers_are_refused() {
        let mut newer = frame::begin(HELLO);
        newer.extend_from_slice(&MAGIC);
        put_u16(&mut newer, PROTOCOL_VERSION + 1);
        assert!(refusal(&frame::finish(newer)).contains("version 2"));
        assert!(refusal(&frame::finish(frame::begin(9))).contains("kind 9"));
        let group = Purpose::Group(PartitionId(3));
        assert!(refusal(&encode(&identity(1), group)).contains("no partition 3"));
        let whole = encode(&identity(1), Purpose::Link);
        for len in 9..whole.len() {
            let mut cut = frame::begin(HELLO);
            cut.extend_from_slice(&whole[9..len]);
            refusal(&frame::finish(cut));
        }
        let mut long = frame::begin(HELLO);
        long.resize(HELLO_MAX + 10, 0);
        assert!(matches!(
            meet(&frame::finish(long)).0,
            Err(HelloError::Failed(FrameError::Length(_)))
        ));
    }
}
