use super::*;
use crate::grants::SecretHash;

fn client(id: &str, is_confidential: bool) -> Client {
    let secret = is_confidential.then_some(SecretHash::Sha256([7; 32]));
    let grants = if is_confidential { GrantKind::ALL.into() } else { ClientRules::compat().implied };
    Client { id: id.to_owned(), secret, grants, scopes: None, default: false }
}

fn clients() -> Clients {
    let narrow = Client { grants: vec![GrantKind::Password], ..client("narrow", false) };
    Clients::new(vec![client("svc", true), client("web", false), client("app", false), narrow], ClientRules::compat())
}

fn caller(clients: &Clients, id: &str) -> Caller {
    match clients.entry(id) {
        None => Caller::Anonymous,
        Some(entry) if entry.client.is_confidential() => Caller::Confidential(Arc::clone(&entry.client)),
        Some(entry) => Caller::Public(Arc::clone(&entry.client)),
    }
}

#[test]
fn who_names_no_client_is_the_default_one() {
    let chosen = Client { default: true, ..client("chosen", false) };
    for (list, expected) in [
        (vec![], Ok(PUBLIC_CLIENT)),
        (vec![client("svc", true), client("web", false), client("app", false)], Ok("web")),
        (vec![client("web", false), chosen], Ok("chosen")),
        (vec![client("svc", true)], Err(GrantError::NoClient)),
    ] {
        let clients = Clients::new(list, ClientRules::compat());
        let acting = clients.acting(&Caller::Anonymous, GrantKind::Password);
        assert_eq!(acting.map(|client| client.id.as_str()), expected);
    }
}

#[test]
fn who_names_no_client_or_an_unknown_one_is_what_the_rules_say() {
    let chosen = Client { default: true, ..client("chosen", false) };
    let list = || vec![client("web", false), client("svc", true)];
    let strict = ClientRules {
        first_public_is_default: false,
        unknown_is_unnamed: false,
        tokens_name_client: false,
        implied: vec![GrantKind::RefreshToken],
    };
    let mixed = ClientRules { unknown_is_unnamed: true, ..strict.clone() };
    for (list, rules, unnamed, unknown) in [
        (list(), ClientRules::compat(), Ok(None), Ok(None)),
        (list(), strict.clone(), Err(GrantError::NoClient), Err(GrantError::InvalidClient)),
        (vec![client("web", false), chosen.clone()], strict, Ok(Some("chosen")), Err(GrantError::InvalidClient)),
        (vec![client("web", false), chosen], mixed, Ok(Some("chosen")), Ok(Some("chosen"))),
    ] {
        let clients = Clients::new(list, rules);
        let id = |caller: Result<Caller, GrantError>| caller.map(|caller| caller.id().map(str::to_owned));
        assert_eq!(id(clients.unnamed()), unnamed.map(|id| id.map(str::to_owned)));
        assert_eq!(id(clients.unknown()), unknown.map(|id| id.map(str::to_owned)));
    }
}

#[test]
fn a_session_is_refreshed_by_its_own_client_alone() {
    let clients = clients();
    for (by, owner, expected) in [
        ("", "web", Ok(())),
        ("web", "web", Ok(())),
        ("svc", "svc", Ok(())),
        ("", "app", Ok(())),
        ("", "svc", Err(GrantError::InvalidClient)),
        ("web", "svc", Err(GrantError::InvalidRefreshToken)),
        ("app", "web", Err(GrantError::InvalidRefreshToken)),
        ("svc", "web", Err(GrantError::InvalidRefreshToken)),
        ("", "gone", Err(GrantError::InvalidRefreshToken)),
        ("", PUBLIC_CLIENT, Err(GrantError::InvalidRefreshToken)),
        ("narrow", "narrow", Err(GrantError::UnauthorizedClient)),
    ] {
        let refreshing = clients.refreshing(&caller(&clients, by), Some(owner));
        assert_eq!(refreshing.map(|client| assert_eq!(client.id, owner)), expected, "{by} {owner}");
    }
    assert_eq!(clients.refreshing(&Caller::Anonymous, None), Err(GrantError::InvalidRefreshToken));
    let open = Clients::new(Vec::new(), ClientRules::compat());
    assert!(open.refreshing(&Caller::Anonymous, Some(PUBLIC_CLIENT)).is_ok());
    // A client with a secret that is taken out of the configuration leaves nothing behind that anybody may use.
    assert_eq!(open.refreshing(&Caller::Anonymous, Some("svc")), Err(GrantError::InvalidRefreshToken));
}

#[test]
fn a_token_is_revoked_by_its_client_and_a_public_ones_by_whoever_has_it() {
    let clients = clients();
    for (by, owner, expected) in [
        ("svc", "svc", Ok(())),
        ("", "web", Ok(())),
        ("web", "web", Ok(())),
        ("app", "web", Ok(())),
        ("", "gone", Ok(())),
        ("svc", "web", Err(GrantError::ForeignToken)),
        ("svc", "gone", Err(GrantError::ForeignToken)),
        ("", "svc", Err(GrantError::InvalidClient)),
        ("web", "svc", Err(GrantError::InvalidClient)),
    ] {
        assert_eq!(clients.ask_to_revoke(&caller(&clients, by), Some(owner)), expected, "{by} {owner}");
    }
}

#[test]
fn only_the_last_secret_shown_is_remembered_and_by_its_own_clients_alone() {
    let clients = Clients::new(vec![client("svc", true), client("odd", true)], ClientRules::compat());
    let (svc, odd) = (clients.entry("svc").unwrap(), clients.entry("odd").unwrap());
    let (one, two) = (Secret::new("one"), Secret::new("two"));
    assert!(!clients.remembers(svc, &one));
    clients.note(svc, &one);
    assert!(clients.remembers(svc, &one) && !clients.remembers(svc, &two) && !clients.remembers(odd, &one));
    clients.note(svc, &two);
    assert!(clients.remembers(svc, &two) && !clients.remembers(svc, &one));
}

#[test]
fn nobody_has_always_the_same_stand_in_and_nothing_stands_in_for_public_clients() {
    let clients =
        Clients::new(vec![client("svc", true), client("web", false), client("odd", true)], ClientRules::compat());
    let stand_in = |blind| clients.stand_in(blind).map(|entry| entry.client.id.as_str());
    assert_eq!([0, 1, 2, u64::MAX].map(stand_in), [Some("svc"), Some("odd"), Some("svc"), Some("odd")]);
    assert!(Clients::new(vec![client("web", false)], ClientRules::compat()).stand_in(3).is_none());
}

#[test]
fn a_grant_that_no_client_has_is_switched_off() {
    let only = |grants: &[GrantKind]| {
        Clients::new(vec![Client { grants: grants.into(), ..client("svc", true) }], ClientRules::compat())
    };
    for kind in GrantKind::ALL {
        assert!(only(&[kind]).offer(kind));
        assert!(GrantKind::ALL.into_iter().all(|other| other == kind || !only(&[kind]).offer(other)));
    }
    assert!(!Clients::new(Vec::new(), ClientRules::compat()).offer(GrantKind::ClientCredentials));
}
