//! The first frame in each direction: who speaks, for which cluster, and whether it is let in.
//!
//! | kind | name | body |
//! |---|---|---|
//! | 1 | hello | magic `RINGPEER`, `u16` version, `u8` purpose (1 group, 2 link, 3 look), `u16` partition (0 unless for a group), `u32` node, `u64` incarnation, `u32` cluster size, `u16` partitions, `u32` replication factor, text name, text secondary storage, text peer address |
//! | 2 | welcome | `u32` node, `u64` incarnation, `u16` version that both speak from now on (absent: 1) |
//! | 3 | refused | text |
//!
//! Versions: who is greeted answers with the lower of both, so brokers of neighbouring versions work in
//! one cluster while it is upgraded one by one. A broker of version 1 refuses every other, and is greeted
//! again in its own ([`spoken_by`]). What a version has that the one before has not is only used on
//! connections that agreed on it.
//!
//! Brokers of one cluster agree on everything that decides where data lives; a difference is refused
//! in words that name both values. The incarnation is drawn at each start: with it a broker knows
//! itself behind one of its contact points, and a second broker that was given its number.

use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use ringflow_core::ids::PartitionId;

use crate::cluster::CLUSTER_SIZE_MAX;
use crate::driver;
use crate::peer::field::{Fields, put_bytes, put_u16, put_u32, put_u64};
use crate::peer::frame::{self, Frame, FrameError, Reader};

/// Newest version of what peers say to each other that this program speaks.
pub const PROTOCOL_VERSION: u16 = 2;
/// Oldest version it speaks.
pub(crate) const PROTOCOL_VERSION_MIN: u16 = 1;
/// From this version on peers tell each other the cluster's configuration.
pub(crate) const CONFIGURATION_SINCE: u16 = 2;
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
    /// Newest version it speaks.
    pub(crate) version: u16,
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
        if other.node >= CLUSTER_SIZE_MAX {
            return Err(format!(
                "node id {} is not below {CLUSTER_SIZE_MAX}",
                other.node
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

/// The version that a broker speaks which refused another one.
pub(crate) fn spoken_by(refusal: &str) -> Option<u16> {
    let (_, version) = refusal.split_once("peer protocol version ")?;
    let (_, version) = version.split_once("this broker speaks ")?;
    let version = version.parse().ok()?;
    (PROTOCOL_VERSION_MIN..PROTOCOL_VERSION)
        .contains(&version)
        .then_some(version)
}

/// What the other side of a connection said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Met {
    pub(crate) node: u32,
    pub(crate) incarnation: u64,
    /// Version that both speak.
    pub(crate) version: u16,
}

/// The hello of `identity` in `version`.
fn encode(identity: &Identity, purpose: Purpose, version: u16) -> Vec<u8> {
    let mut out = frame::begin(HELLO);
    out.extend_from_slice(&MAGIC);
    put_u16(&mut out, version);
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

fn decode(frame: Frame, own: u16) -> Result<(Identity, Purpose), String> {
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
    let strict = own == PROTOCOL_VERSION_MIN && version != own;
    if version < PROTOCOL_VERSION_MIN || strict {
        return Err(format!(
            "peer protocol version {version}, this broker speaks {own}"
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
    // A newer version may have more to say here.
    let identity = Identity {
        version,
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

/// Says in `version` who we are and waits to be let in; who the other is.
pub(crate) async fn introduce<R, W>(
    identity: &Identity,
    purpose: Purpose,
    version: u16,
    reader: &mut Reader<R>,
    writer: &mut W,
) -> Result<Met, HelloError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    frame::write(writer, &encode(identity, purpose, version)).await?;
    let answer = driver::within(HELLO_WITHIN, reader.next())
        .await
        .ok_or(HelloError::Silent)??;
    match answer.kind {
        WELCOME => {
            let mut fields = Fields::of("a welcome", answer.body);
            let mut who = || {
                let (node, incarnation) = (fields.u32()?, fields.u64()?);
                let agreed = match fields.u16() {
                    Ok(agreed) => agreed,
                    // It said nothing more.
                    Err(_) => PROTOCOL_VERSION_MIN,
                };
                if agreed > version {
                    return Err(format!(
                        "a hello of version {version} was answered with {agreed}"
                    ));
                }
                Ok(Met {
                    node,
                    incarnation,
                    version: agreed,
                })
            };
            who().map_err(failed)
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
    let met = decode(first, own.version).and_then(|(identity, purpose)| {
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
            put_u16(&mut out, own.version.min(met.0.version));
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
            version: PROTOCOL_VERSION,
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

    fn encode(identity: &Identity, purpose: Purpose) -> Vec<u8> {
        super::encode(identity, purpose, identity.version)
    }

    fn meet_as(own: &Identity, hello: &[u8]) -> (Result<(Identity, Purpose), HelloError>, Vec<u8>) {
        let mut answer = Vec::new();
        let mut reader = Reader::new(Cursor::new(hello.to_vec()));
        let met = block_on(receive(own, &mut reader, &mut answer));
        (met, answer)
    }

    fn meet(hello: &[u8]) -> (Result<(Identity, Purpose), HelloError>, Vec<u8>) {
        meet_as(&identity(0), hello)
    }

    /// What the one who greets in `version` makes of `answer`.
    fn answered(version: u16, answer: Vec<u8>) -> Result<Met, HelloError> {
        let mut reader = Reader::new(Cursor::new(answer));
        let mut sent = Vec::new();
        let own = identity(1);
        let greeting = introduce(&own, Purpose::Link, version, &mut reader, &mut sent);
        block_on(greeting)
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
        let met = Met {
            node: 0,
            incarnation: 7,
            version: PROTOCOL_VERSION,
        };
        assert_eq!(answered(PROTOCOL_VERSION, answer).unwrap(), met);
    }

    #[test]
    fn brokers_of_neighbouring_versions_speak_the_older_one() {
        let mut newer = identity(1);
        newer.version = PROTOCOL_VERSION + 1;
        let mut hello = frame::begin(HELLO);
        hello.extend_from_slice(&encode(&newer, Purpose::Link)[9..]);
        hello.extend_from_slice(b"what a newer version says besides");
        let (met, answer) = meet(&frame::finish(hello));
        assert_eq!(met.unwrap().0.version, PROTOCOL_VERSION + 1);
        let agreed = answered(PROTOCOL_VERSION + 1, answer).unwrap();
        assert_eq!(agreed.version, PROTOCOL_VERSION);
        // The first version knows no other, and is greeted again in its own.
        let mut first = identity(0);
        first.version = 1;
        let (met, answer) = meet_as(&first, &encode(&identity(1), Purpose::Link));
        assert!(met.is_err());
        let Err(HelloError::Refused(why)) = answered(PROTOCOL_VERSION, answer) else {
            panic!("not refused");
        };
        assert_eq!(spoken_by(&why), Some(1));
        let (met, _) = meet_as(&first, &super::encode(&identity(1), Purpose::Link, 1));
        assert_eq!(met.unwrap().0.version, 1);
        // Its welcome says nothing of versions.
        let mut welcome = frame::begin(WELCOME);
        put_u32(&mut welcome, 0);
        put_u64(&mut welcome, 7);
        let agreed = answered(1, frame::finish(welcome)).unwrap();
        assert_eq!(agreed.version, 1);
        assert_eq!(
            spoken_by("peer protocol version 2, this broker speaks 9"),
            None
        );
        assert_eq!(spoken_by("broker 0 has cluster size 3"), None);
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
        let beyond = refused(&|other| other.node = CLUSTER_SIZE_MAX);
        assert!(beyond.contains("node id 1024"), "{beyond}");
        let twin = refused(&|other| {
            other.node = 0;
            other.incarnation = 8;
        });
        assert!(twin.contains("another broker"), "{twin}");
    }

    #[test]
    fn strangers_are_refused() {
        let mut older = frame::begin(HELLO);
        older.extend_from_slice(&MAGIC);
        put_u16(&mut older, PROTOCOL_VERSION_MIN - 1);
        assert!(refusal(&frame::finish(older)).contains("version 0"));
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
