//! Tests of who is let in by name and password.
//!
//! Tokens are tested from outside, with a provider on the loopback.

use super::*;

fn user(name: &str, password: &str) -> User {
    User {
        name: name.into(),
        display_name: String::new(),
        email: String::new(),
        password: password.into(),
    }
}

fn basic(credentials: &str) -> Vec<u8> {
    format!("Basic {}", STANDARD.encode(credentials)).into_bytes()
}

#[tokio::test]
async fn an_unprotected_api_ignores_credentials() {
    let identity = Identity::new(
        Auth::Unprotected,
        Guards::default(),
        None,
        &Limits::default(),
    )
    .unwrap();
    for header in [None, Some(b"Basic !".as_slice())] {
        assert!(identity.check(header).await.unwrap().user.is_none());
    }
}

#[tokio::test]
async fn basic_takes_all_forms_of_passwords_and_nothing_else() {
    let hashed = bcrypt::hash("secret", 4).unwrap();
    let users = vec![
        user("plain", "secret"),
        user("hashed", &hashed),
        user("spring", &format!("{{bcrypt}}{hashed}")),
    ];
    let identity = Identity::new(
        Auth::Basic(users),
        Guards::default(),
        None,
        &Limits::default(),
    )
    .unwrap();
    for name in ["plain", "hashed", "spring"] {
        for _ in 0..2 {
            let header = basic(&format!("{name}:secret"));
            let principal = identity.check(Some(&header)).await.unwrap();
            assert_eq!(principal.user.as_ref().unwrap().name, name);
        }
    }
    let cases: [(Option<Vec<u8>>, CredentialFault); 6] = [
        (None, CredentialFault::Missing),
        (Some(b"Bearer x".to_vec()), CredentialFault::Unreadable),
        (Some(b"Basic %".to_vec()), CredentialFault::Unreadable),
        (Some(basic("no-colon")), CredentialFault::Unreadable),
        (Some(basic("plain:wrong")), CredentialFault::Wrong),
        (Some(basic("nobody:secret")), CredentialFault::Wrong),
    ];
    for (header, fault) in cases {
        assert_eq!(
            identity.check(header.as_deref()).await.unwrap_err(),
            Problem::Unauthenticated(fault)
        );
    }
}

#[test]
fn unusable_users_are_refused_at_start() {
    let twice = vec![user("a", "x"), user("a", "y")];
    let broken = vec![user("a", "$2a$nonsense")];
    for users in [twice, broken] {
        assert!(
            Identity::new(
                Auth::Basic(users),
                Guards::default(),
                None,
                &Limits::default()
            )
            .is_err()
        );
    }
}
