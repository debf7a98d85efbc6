//! Documents over REST: what goes in comes out, with its hash, and each refusal.

use serde_json::{Value, json};

use crate::fake::{self, Fake, Http, Running, http, start};

const BOUNDARY: &str = "part-of-a-test";

/// A part: header of its own lines, and content.
fn body(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (header, content) in parts {
        text.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; {header}\r\n\r\n{content}\r\n"
        ));
    }
    text.push_str(&format!("--{BOUNDARY}--\r\n"));
    text.into_bytes()
}

async fn upload(running: &Running, path: &str, parts: &[(&str, &str)]) -> Http {
    let url = format!("http://{}/v2{path}", running.gateway.rest);
    let media = format!("multipart/form-data; boundary={BOUNDARY}");
    http("POST", &url, &[("content-type", &media)], body(parts)).await
}

const FILE: (&str, &str) = (
    "name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain",
    "hello",
);

#[tokio::test]
async fn a_document_is_created_read_and_deleted() {
    let running = start(Fake::new(1, fake::echo)).await;
    let metadata = json!({
        "fileName": "b.txt", "expiresAt": "2999-01-01T00:00:00Z",
        "processInstanceKey": "7", "customProperties": {"a": [1]},
    })
    .to_string();
    let metadata = (
        "name=\"metadata\"\r\nContent-Type: application/json",
        metadata.as_str(),
    );
    let created = upload(&running, "/documents?documentId=doc", &[FILE, metadata]).await;
    assert_eq!(created.status, 201, "{created:?}");
    let created = created.json();
    assert_eq!(created["camunda.document.type"], "camunda");
    assert_eq!(
        (&created["storeId"], &created["documentId"]),
        (&json!("in-memory"), &json!("doc"))
    );
    assert_eq!(
        created["metadata"],
        json!({
            "contentType": "text/plain", "fileName": "b.txt", "size": 5,
            "expiresAt": "2999-01-01T00:00:00.000Z", "processDefinitionId": null,
            "processInstanceKey": "7", "customProperties": {"a": [1]},
        })
    );
    let hash = created["contentHash"].as_str().unwrap().to_owned();
    let path = format!("/documents/doc?contentHash={hash}");
    let read = running.rest("GET", &path, "").await;
    assert_eq!((read.status, read.text.as_str()), (200, "hello"));
    assert_eq!(read.headers["content-type"], "text/plain");
    assert_eq!(read.headers["x-content-type-options"], "nosniff");
    assert_eq!(
        read.headers["content-disposition"],
        "attachment; filename=\"b.txt\""
    );
    let taken = upload(&running, "/documents?documentId=doc", &[FILE])
        .await
        .problem();
    assert_eq!(
        taken,
        (
            409,
            "ALREADY_EXISTS".into(),
            "Document with id 'doc' already exists".into()
        )
    );
    assert_eq!(
        running.rest("DELETE", "/documents/doc", "").await.status,
        204
    );
    let missing = (
        404,
        "NOT_FOUND".to_owned(),
        "Document with id 'doc' not found".to_owned(),
    );
    assert_eq!(running.rest("GET", &path, "").await.problem(), missing);
    assert_eq!(
        running.rest("DELETE", "/documents/doc", "").await.problem(),
        missing
    );
}

#[tokio::test]
async fn hashes_stores_and_links_are_refused_by_name() {
    let running = start(Fake::new(1, fake::echo)).await;
    let created = upload(&running, "/documents", &[FILE]).await.json();
    let id = created["documentId"].as_str().unwrap();
    let hash = created["contentHash"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    let detail = async |method: &str, path: String| {
        let (status, _, detail) = running.rest(method, &path, "").await.problem();
        (status, detail)
    };
    assert_eq!(
        detail("GET", format!("/documents/{id}")).await,
        (400, format!("No document hash provided for document {id}"))
    );
    assert_eq!(
        detail("GET", format!("/documents/{id}?contentHash=x")).await,
        (
            400,
            format!("Document hash for document {id} doesn't match the provided hash x")
        )
    );
    assert_eq!(
        detail("GET", format!("/documents/{id}?storeId=s3")).await,
        (400, "Document store with id 's3' does not exist".into())
    );
    // Whether there is such a document is known before whether it can be linked.
    for (id, hash, refused) in [
        (id, String::new(), 400),
        ("unknown", format!("?contentHash={hash}"), 404),
        (id, format!("?contentHash={hash}"), 403),
    ] {
        let path = format!("/documents/{id}/links{hash}");
        assert_eq!(detail("POST", path).await.0, refused, "{id} {hash}");
    }
    let wrong = ("name=\"metadata\"", "{\"size\":\"x\"}");
    let refused = upload(&running, "/documents", &[FILE, wrong])
        .await
        .problem();
    assert_eq!(
        (refused.0, refused.2.as_str()),
        (400, "Request property [size] cannot be parsed")
    );
    let (status, _, detail) = upload(&running, "/documents", &[]).await.problem();
    assert_eq!(
        (status, detail.as_str()),
        (400, "Required part 'file' is not present.")
    );
}

#[tokio::test]
async fn several_documents_are_created_together() {
    let running = start(Fake::new(1, fake::echo)).await;
    let one = ("name=\"files\"; filename=\"1.txt\"", "one");
    let two = ("name=\"files\"; filename=\"2.txt\"", "two");
    // As browsers send what is no plain text.
    let list = (
        "name=\"metadataList\"; filename=\"blob\"\r\nContent-Type: application/json",
        "[{\"fileName\":\"x\"},{\"fileName\":\"y\"}]",
    );
    let answer = upload(&running, "/documents/batch", &[one, two, list]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = answer.json();
    let names: Vec<&Value> = answer["createdDocuments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| &document["metadata"]["fileName"])
        .collect();
    assert_eq!(names, ["x", "y"]);
    assert_eq!(answer["failedDocuments"], json!([]));
    let short = ("name=\"metadataList\"", "[{}]");
    let refused = upload(&running, "/documents/batch", &[one, two, short]).await;
    assert_eq!(refused.problem().0, 400);
    let (_, _, detail) = upload(&running, "/documents/batch", &[]).await.problem();
    assert_eq!(detail, "Required part 'files' is not present.");
}
