//! What a store keeps is what it was given, whatever its size; what it has not is missing.

use std::time::Duration;

use bytes::Bytes;
use ringflow_backup::{S3Options, Store, StoreError, StoreOptions};

use crate::s3::{BUCKET, Bucket};

fn bucket_options(bucket: &Bucket) -> S3Options {
    S3Options {
        bucket: BUCKET.to_owned(),
        endpoint: bucket.endpoint(),
        region: "here-1".to_owned(),
        access_key: "key".to_owned(),
        secret_key: "secret".to_owned(),
        path_style: true,
        base_path: "/clusters/one/".to_owned(),
        call_timeout: Duration::from_secs(10),
    }
}

/// 20 MiB and a bit: three parts of an object.
fn large() -> Vec<u8> {
    let bytes = (0..(20_u32 << 20) + 17).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    bytes.collect()
}

async fn keeps_what_it_is_given(store: &Store) {
    let missing = store.get("a/none", 10).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing(_)), "{missing}");
    store
        .put("a/1/x", Bytes::from_static(b"one"))
        .await
        .unwrap();
    store
        .put("a/11/x", Bytes::from_static(b"other"))
        .await
        .unwrap();
    store
        .put("a/1/x", Bytes::from_static(b"again"))
        .await
        .unwrap();
    assert_eq!(store.get("a/1/x", 10).await.unwrap(), "again");
    let long = store.get("a/1/x", 4).await.unwrap_err();
    assert!(matches!(long, StoreError::Damaged { .. }), "{long}");

    let large = large();
    let mut writer = store.writer("a/1/large");
    for piece in large.chunks(3 << 20) {
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let (bytes, crc) = writer.finish().await.unwrap();
    assert_eq!((bytes, crc), (large.len() as u64, crc32c::crc32c(&large)));
    let mut reader = store.reader("a/1/large").await.unwrap();
    assert_eq!(reader.len(), bytes);
    let mut read = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    assert!(read == large);
    assert_eq!(reader.crc(), crc);

    let mut empty = store.writer("a/1/empty");
    empty.write(Bytes::new()).await.unwrap();
    assert_eq!(empty.finish().await.unwrap(), (0, 0));

    let mut names = store.list("a/1").await.unwrap();
    names.sort_unstable();
    assert_eq!(names, ["a/1/empty", "a/1/large", "a/1/x"]);
    for name in names {
        store.delete(&name).await.unwrap();
        store.delete(&name).await.unwrap();
    }
    assert!(store.list("a/1").await.unwrap().is_empty());
    assert_eq!(store.list("a").await.unwrap(), ["a/11/x"]);
}

#[tokio::test]
async fn a_directory_keeps_what_it_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let base_path = directory.path().join("made/on/demand");
    let options = StoreOptions::Filesystem {
        base_path: base_path.clone(),
    };
    keeps_what_it_is_given(&Store::open(&options).unwrap()).await;
    assert!(base_path.join("a/11/x").is_file());
}

#[tokio::test]
async fn a_bucket_keeps_what_it_is_given() {
    let bucket = Bucket::start();
    let options = StoreOptions::S3(Box::new(bucket_options(&bucket)));
    keeps_what_it_is_given(&Store::open(&options).unwrap()).await;
    assert_eq!(bucket.names(), ["clusters/one/a/11/x"]);
    assert_eq!(bucket.in_parts(), 1, "the large one");
    bucket.change("clusters/one/a/11/x", |bytes| bytes.push(b'!'));
    let store = Store::open(&options).unwrap();
    assert_eq!(store.get("a/11/x", 10).await.unwrap(), "other!");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_said_to() {
    let bucket = Bucket::start();
    let mut options = bucket_options(&bucket);
    // Nobody listens there.
    options.endpoint = "http://127.0.0.1:1".to_owned();
    options.call_timeout = Duration::from_secs(1);
    let store = Store::open(&StoreOptions::S3(Box::new(options))).unwrap();
    let within = Duration::from_secs(60);
    let asked = tokio::time::timeout(within, store.get("a", 10)).await;
    let error = asked.expect("it gives up").unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error}");
}
