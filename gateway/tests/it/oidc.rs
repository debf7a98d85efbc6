//! Tokens of an identity provider on both protocols, with a provider on the loopback.
//!
//! Tokens are put together here by hand, because most of them must be wrong in one place. The RSA
//! key is made for these tests and protects nothing; others are drawn when they are needed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use ringflow_gateway::{Auth, Limits, OidcOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};

use crate::fake::{self, Fake, Http, Running, http, start_with};
use crate::proto;

/// PKCS#1 in Base64.
const RSA: &str = "\
    MIIEogIBAAKCAQEA7j8PhO7YkI46qXs6bKJjMNLrgJWlQtWcXtjux3qqDn37PDGBPnvztA0NHHUXMl43oTJtnJsY\
    qouo5TZoegYd2t9If8ISI2lI1dXHo1yQ1OETwxtSmuLFVVI2j03slt6um6/Onkf/wX7lxEQBFN97evxXY1sDEX3I\
    cmd6yTuu5fOohJrFY/Gj6rTS3aoKcRGscUWf7DpoNrtdMdxar5l79vkX0GJW3fXDPcLaPbrTlHo+pnE9b5uAmegA\
    VWyAbqNFWcsDNsPWtZWPWhrEjet0QFl2l5Hat4r8sKTIEYM52SUU1Jyo98XNfyYBtAVsvCmvUy6aSdPxpkQFBLLL\
    +cpoqQIDAQABAoIBABpZIUZgc1UuU5zDfvM9dMaVJvwkIKAe92GScHrhbR337xFpwKtIQkwY7uilJuz4OEMErJRn\
    ny9aTXIXBbAsDcBzVeViMUcXCVnzv/XIQpC2eSzoUEcGmhAM7PGFissnIqyfYXSGDioINpExe6SjMBjqgCAh9DmK\
    nYDQgqbvabDuvkPAIXPDrhUZ5vYNxSDJ+2SCsbd0Ro+uZC2g2Z9J3IO5upRrinvohTFDCvnlpcl3CbA6KMdvhE/b\
    ry0IOZ6EPM2943B5RzmZpDiop/E/gQFZaLQmf74nTbNL5flP4k58+lggnxivuT7bU8gx8ZZqNYuuedI1AZcSrj6u\
    doFDZVECgYEA+1G4WkkK8zvzYP6WcO6TVApxeEf4ZfruB9ytiNahIVkY4pxYoUZj3zB0OXPROIN8qvGj5JF1bUQk\
    L48USkGMqNr5sDZRVlF2tIrGJ9KnsgHE1ujGJN/HzG3YQBUYYLWlrDPrT0+YKD/9qQcbyQaL5TptLeas5fM95gFQ\
    OBXnTpkCgYEA8q8Cbe83zz9HlzK2VDQ7c0kQRYACoAxJ4QsGrX9lvYQYqn+AMQxsgTXVcFOQ73l1Kt11DLIBTEWg\
    vam+IyyD164r6Td6Yl9vuS2q5+x/zKbOXwj1OYj6XnhZuHXs88Qij5iQ2Obx85XON2BForCsmnvdW4hq5AOCnYlt\
    uT9AhJECgYB9v+4WfuXTvvOQXNK5vyZIrtEH9jr8DAp+NJVAGuSU4xfoi4Jtb+MZEg2VkbXmKSSABFiVTZMMEURp\
    55WnchUHiEnXOdaI8koLHET6OBVgpDHxtpcubCp0x6Gkrul7umgjOfdLv+/Kc/pgUQY+F+B32jw2820fwg3+wDl7\
    VrpeQQKBgBdia76CHYOX2mMkXNNSUSQztyCrTBV1+ax4roULUJdpYiMTtBuF0fLFaDKxqraYooSl4EB/6oYZ83oz\
    IAItqOqgetS3JtDR12clkmFUtZ/Xtu0LZO3NWCrAOA0BN/rpPFdP4S01W70YA03stekOUyNzqgnG5F3iRLS/aFZA\
    VQwxAoGALpKU7Zgc3LQaCCFzNQmqt5D3ef8eLCL96jE5UWdg8SKaQOqVIqZql9ul22VUY5qPGEcHwZTzEK3SSX/6\
    A2RTXorbzyDQeRJJj/h23vT4WuR1TnwwkCb6ZrXBfTYoQ/j7pNj7iLQ6X0z/XUCuSyZKSlLoKJMKkA/n5ra1WsYE\
    gNg=";

/// Least time between two questions for keys.
const PAUSE: Duration = Duration::from_millis(1500);

enum Signer {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

impl Signer {
    fn rsa() -> Self {
        let der = STANDARD.decode(RSA).unwrap();
        Self::Rsa(Box::new(RsaKeyPair::from_der(&der).unwrap()))
    }

    fn ec() -> Self {
        let (method, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let der = EcdsaKeyPair::generate_pkcs8(method, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(method, der.as_ref(), &random);
        Self::Ec(Box::new(pair.unwrap()))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    /// Its public half as it stands in a key set.
    fn public(&self, id: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
                    "n": URL_SAFE_NO_PAD.encode(parts.n), "e": URL_SAFE_NO_PAD.encode(parts.e),
                })
            }
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({
                    "kty": "EC", "crv": "P-256", "kid": id,
                    "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
                    "y": URL_SAFE_NO_PAD.encode(&point[33..]),
                })
            }
        }
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(key) => key
                .sign(&random, text.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
        }
    }

    fn token(&self, id: &str, claims: &Value) -> String {
        let head = json!({"typ": "JWT", "alg": self.algorithm(), "kid": id});
        assemble(&head, claims, |text| self.sign(text))
    }
}

fn assemble(head: &Value, claims: &Value, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(head), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(&text));
    format!("{text}.{signature}")
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// What a provider answers.
struct State {
    keys: Vec<Value>,
    up: bool,
    /// How often somebody asked for the keys.
    asked: usize,
}

struct Provider {
    issuer: String,
    state: Arc<Mutex<State>>,
}

impl Provider {
    async fn start(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/test", listener.local_addr().unwrap());
        let state = State {
            keys,
            up: true,
            asked: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let (at, answers) = (issuer.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let read = socket.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let answer = {
                    let mut state = answers.lock().unwrap();
                    let described = request.starts_with("GET /realms/test/.well-known/openid-");
                    let body = if described {
                        json!({"issuer": at, "jwks_uri": format!("{at}/certs")})
                    } else {
                        state.asked += 1;
                        json!({"keys": state.keys})
                    };
                    let status = if state.up { "200 OK" } else { "500 Broken" };
                    let body = body.to_string();
                    format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\n\r\n{body}",
                        body.len()
                    )
                };
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        Self { issuer, state }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": ["other", "ringflow"], "sub": "demo", "name": "Demo",
            "email": "demo@example.com", "iat": now(), "exp": now() + 300,
        })
    }

    fn options(&self) -> OidcOptions {
        OidcOptions {
            issuer: self.issuer.clone(),
            audiences: vec!["ringflow".into(), "more".into()],
            ..OidcOptions::default()
        }
    }

    async fn gateway(&self, options: OidcOptions) -> Running {
        let limits = Limits {
            key_pause: PAUSE,
            ..Limits::default()
        };
        start_with(Fake::new(1, fake::echo), Auth::Oidc(options), limits).await
    }
}

async fn me(running: &Running, header: Option<&str>) -> Http {
    let url = format!("http://{}/v2/authentication/me", running.gateway.rest);
    let headers: Vec<(&str, &str)> = header.map(|it| ("authorization", it)).into_iter().collect();
    http("GET", &url, &headers, Vec::new()).await
}

async fn broadcast(running: &Running, header: Option<&str>) -> Result<(), tonic::Status> {
    let mut request = Request::new(proto::BroadcastSignalRequest {
        signal_name: "s".into(),
        ..proto::BroadcastSignalRequest::default()
    });
    if let Some(header) = header {
        let value: MetadataValue<_> = header.parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let mut client = running.grpc().await;
    client.broadcast_signal(request).await.map(|_| ())
}

#[tokio::test]
async fn a_good_token_says_who_asks() {
    let (rsa, ec) = (Signer::rsa(), Signer::ec());
    let provider = Provider::start(vec![rsa.public("r"), ec.public("e")]).await;
    let running = provider.gateway(provider.options()).await;
    for (signer, id) in [(&rsa, "r"), (&ec, "e")] {
        let header = format!("Bearer {}", signer.token(id, &provider.claims()));
        let answer = me(&running, Some(&header)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["username"], "demo");
        assert_eq!(answer.json()["displayName"], "Demo");
        broadcast(&running, Some(&header)).await.unwrap();
        let mut claims = String::new();
        let command = running.fake.last();
        ringflow_core::json::from_msgpack(command.authorization.as_bytes(), &mut claims).unwrap();
        let claims: Value = serde_json::from_str(&claims).unwrap();
        assert_eq!(claims["authorized_username"], "demo");
        assert_eq!(claims["user_token_claims"]["email"], "demo@example.com");
        assert!(claims.get("user_groups_claims").is_none());
    }
    // Without the name of a key all of its family are tried.
    let head = json!({"alg": "RS256"});
    let unnamed = assemble(&head, &provider.claims(), |text| rsa.sign(text));
    assert_eq!(
        me(&running, Some(&format!("bearer {unnamed}")))
            .await
            .status,
        200
    );
    assert_eq!(provider.state.lock().unwrap().asked, 1);
    // Users are not kept here.
    let body = json!({"username": "a", "password": "b"}).to_string();
    let answer = running.rest("POST", "/setup/user", &body).await;
    assert_eq!(answer.problem().0, 403);
}

#[tokio::test]
async fn programs_and_groups_are_named_by_their_claims() {
    let rsa = Signer::rsa();
    let provider = Provider::start(vec![rsa.public("r")]).await;
    let options = OidcOptions {
        username_claim: "$.user.name".into(),
        client_id_claim: "azp".into(),
        groups_claim: "$.realm['groups'][*].id".into(),
        ..provider.options()
    };
    let running = provider.gateway(options.clone()).await;
    let preferring = provider
        .gateway(OidcOptions {
            prefer_username: true,
            ..options
        })
        .await;
    let both = json!({"azp": "worker", "user": {"name": "demo"}});
    let cases = [
        (&running, both.clone(), "authorized_client_id", "worker"),
        (&preferring, both, "authorized_username", "demo"),
        (
            &running,
            json!({"user": {"name": "demo"}}),
            "authorized_username",
            "demo",
        ),
        (
            &preferring,
            json!({"azp": "worker"}),
            "authorized_client_id",
            "worker",
        ),
    ];
    for (running, names, claim, value) in cases {
        let mut claims = provider.claims();
        claims["realm"] = json!({"groups": [{"id": "a"}, {"id": "b"}]});
        for (name, value) in names.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = format!("Bearer {}", rsa.token("r", &claims));
        broadcast(running, Some(&header)).await.unwrap();
        let mut sent = String::new();
        let command = running.fake.last();
        ringflow_core::json::from_msgpack(command.authorization.as_bytes(), &mut sent).unwrap();
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(sent[claim], value, "{names}");
        assert_eq!(sent["user_groups_claims"], json!(["a", "b"]));
        let other = ["authorized_client_id", "authorized_username"];
        assert_eq!(
            other.iter().filter(|it| sent.get(**it).is_some()).count(),
            1
        );
    }
    // Neither a user nor a program.
    let header = format!("Bearer {}", rsa.token("r", &provider.claims()));
    assert_eq!(me(&running, Some(&header)).await.problem().0, 401);
}

#[tokio::test]
async fn every_other_token_is_refused_on_both_protocols() {
    let (rsa, other) = (Signer::rsa(), Signer::ec());
    let provider = Provider::start(vec![rsa.public("r")]).await;
    let running = provider.gateway(provider.options()).await;
    let with = |name: &str, value: Value| {
        let mut claims = provider.claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        rsa.token("r", &claims)
    };
    let good = rsa.token("r", &provider.claims());
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let forged = URL_SAFE_NO_PAD.encode(provider.claims().to_string().replace("demo", "root"));
    let secret = |key: &[u8], text: &str| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        ring::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let public = rsa.public("r");
    let modulus = public["n"].as_str().unwrap().to_owned();
    let raw = URL_SAFE_NO_PAD.decode(&modulus).unwrap();
    let by_secret = |key: &[u8]| {
        let head = json!({"alg": "HS256", "kid": "r", "typ": "JWT"});
        assemble(&head, &provider.claims(), |text| secret(key, text))
    };
    let none = |alg: &str| {
        assemble(&json!({"alg": alg, "kid": "r"}), &provider.claims(), |_| {
            Vec::new()
        })
    };
    let critical = json!({"alg": "RS256", "kid": "r", "crit": ["b64"], "b64": false});
    let brought = json!({"alg": "ES256", "jwk": other.public("mine")});
    let tokens = [
        ("expired", with("exp", json!(now() - 120))),
        ("without end", with("exp", Value::Null)),
        (
            "with an end that is no time",
            with("exp", json!("tomorrow")),
        ),
        ("too early", with("nbf", json!(now() + 120))),
        ("of another audience", with("aud", json!("other"))),
        ("of other audiences", with("aud", json!(["a", "b"]))),
        ("of no audience", with("aud", Value::Null)),
        ("of another issuer", with("iss", json!("http://elsewhere"))),
        ("of no issuer", with("iss", Value::Null)),
        ("of nobody", with("sub", Value::Null)),
        ("of a blank name", with("sub", json!(" "))),
        (
            "by another key of that name",
            other.token("r", &provider.claims()),
        ),
        (
            "by an unknown key",
            other.token("nobody", &provider.claims()),
        ),
        ("changed", format!("{head}.{forged}.{signature}")),
        ("without signature", format!("{head}.{payload}.")),
        ("of two parts", format!("{head}.{payload}")),
        ("of four parts", format!("{good}.x")),
        ("none", none("none")),
        ("None", none("None")),
        ("RS256 without signature", none("RS256")),
        ("by the public key as secret", by_secret(modulus.as_bytes())),
        ("by the raw public key as secret", by_secret(&raw)),
        (
            "by the key set as secret",
            by_secret(public.to_string().as_bytes()),
        ),
        (
            "critical",
            assemble(&critical, &provider.claims(), |text| rsa.sign(text)),
        ),
        (
            "with its own key",
            assemble(&brought, &provider.claims(), |text| other.sign(text)),
        ),
        ("nonsense", "abc".into()),
        ("dots", "..".into()),
        ("empty", String::new()),
    ];
    for (what, token) in tokens {
        let header = format!("Bearer {token}");
        let answer = me(&running, Some(&header)).await;
        let (status, title, _) = answer.problem();
        assert_eq!(
            (status, title.as_str()),
            (401, "Unauthorized"),
            "{what}: {answer:?}"
        );
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer"), "{what}: {challenge}");
        let status = broadcast(&running, Some(&header)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{what}: {status:?}");
    }
    for header in [
        None,
        Some("Basic ZGVtbzpkZW1v"),
        Some("Bearer"),
        Some(good.as_str()),
    ] {
        assert_eq!(me(&running, header).await.problem().0, 401, "{header:?}");
        let status = broadcast(&running, header).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{header:?}");
    }
    assert!(running.fake.intents().is_empty());
    // Clocks may differ a little.
    for token in [
        with("exp", json!(now() - 20)),
        with("nbf", json!(now() + 20)),
    ] {
        assert_eq!(
            me(&running, Some(&format!("Bearer {token}"))).await.status,
            200
        );
    }
}

#[tokio::test]
async fn keys_are_exchanged_and_nobody_makes_the_gateway_ask_all_the_time() {
    let (old, new) = (Signer::ec(), Signer::ec());
    let provider = Provider::start(vec![old.public("1")]).await;
    let running = provider.gateway(provider.options()).await;
    let ask = async |signer: &Signer, id: &str, name: &str| {
        let mut claims = provider.claims();
        claims["sub"] = json!(name);
        let header = format!("Bearer {}", signer.token(id, &claims));
        me(&running, Some(&header)).await.status
    };
    assert_eq!(ask(&old, "1", "a").await, 200);
    provider.set(|state| state.keys = vec![new.public("2")]);
    // Asked a moment ago: not again.
    assert_eq!(ask(&new, "2", "a").await, 401);
    assert_eq!(provider.state.lock().unwrap().asked, 1);
    tokio::time::sleep(PAUSE).await;
    assert_eq!(ask(&new, "2", "a").await, 200);
    assert_eq!(ask(&old, "1", "b").await, 401);
    for round in 0..50 {
        let name = format!("invented-{round}");
        assert_eq!(ask(&new, &name, "a").await, 401);
    }
    assert!(provider.state.lock().unwrap().asked < 10);
}

#[tokio::test]
async fn a_provider_that_is_down_is_waited_for_and_later_not_missed() {
    let signer = Signer::ec();
    let provider = Provider::start(vec![signer.public("1")]).await;
    provider.set(|state| state.up = false);
    let running = provider.gateway(provider.options()).await;
    let header = |name: &str| {
        let mut claims = provider.claims();
        claims["sub"] = json!(name);
        format!("Bearer {}", signer.token("1", &claims))
    };
    let answer = me(&running, Some(&header("a"))).await;
    let (status, title, _) = answer.problem();
    assert_eq!((status, title.as_str()), (503, "UNAVAILABLE"));
    let status = broadcast(&running, Some(&header("a"))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    // Who shows nothing is told so all the same.
    assert_eq!(me(&running, None).await.problem().0, 401);
    provider.set(|state| state.up = true);
    tokio::time::sleep(PAUSE).await;
    assert_eq!(me(&running, Some(&header("a"))).await.status, 200);
    provider.set(|state| state.up = false);
    tokio::time::sleep(PAUSE).await;
    assert_eq!(me(&running, Some(&header("b"))).await.status, 200);
    let unknown = signer.token("2", &provider.claims());
    assert_eq!(
        me(&running, Some(&format!("Bearer {unknown}")))
            .await
            .problem()
            .0,
        401
    );
}

#[tokio::test]
async fn a_key_set_that_is_named_needs_no_issuer() {
    let signer = Signer::ec();
    let provider = Provider::start(vec![signer.public("1")]).await;
    let options = OidcOptions {
        key_set: format!("{}/certs", provider.issuer),
        ..OidcOptions::default()
    };
    let running = provider.gateway(options).await;
    let claims = json!({"sub": "demo", "exp": now() + 60});
    let header = format!("Bearer {}", signer.token("1", &claims));
    assert_eq!(me(&running, Some(&header)).await.status, 200);
    // An issuer that describes another one is not believed.
    let liar = OidcOptions {
        issuer: format!("{}/", provider.issuer),
        ..OidcOptions::default()
    };
    let running = provider.gateway(liar).await;
    assert_eq!(me(&running, Some(&header)).await.problem().0, 503);
}
