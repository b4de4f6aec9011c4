//! The metrics.

use super::*;

#[test]
fn metrics_are_golden() {
    let (telemetry, _) = telemetry(Format::Text);
    let metrics = &telemetry.metrics;
    let route = metrics.route("/items/{item_id}");
    tell(&telemetry, &route);
    audit(&telemetry);
    let own = metrics.issuer("https://api.example.com");
    own.accepted();
    own.refused("expired");
    metrics.unknown_issuer().refused("wrong-issuer");
    metrics.token_request(GrantType::of("password"), "ok");
    metrics.token_request(GrantType::of("evil"), "unsupported_grant_type");
    metrics.verified_token_cache(CacheResult::Hit);
    metrics.revocation_cache(CacheResult::Miss);
    metrics.following.passed_stale();
    metrics.following.set_staleness(Some(Duration::from_millis(1250)));
    metrics.following.propagated(Duration::from_millis(20));
    metrics.following.set_clock_offset(-2500);
    metrics.store_error("swap");
    metrics.set_store_up(true);
    metrics.set_insecure_settings(2);
    metrics.set_denylist_entries(3);
    metrics.password_verified(Duration::from_millis(80));
    metrics.deprecated_request("query-token");
    metrics.configuration_loaded(NOW);
    metrics.set_password_queue(1);
    metrics.login_throttled();
    metrics.connections.refused(ConnectionCap::Address);
    metrics.connections.displaced(ConnectionCap::All);
    metrics.connections.unserved(Unserved::HeadTimeout);
    metrics.stream_ended("expired");
    metrics.key_fetches.begin("https://issuer.example", &["ok", "timeout"]);
    metrics.key_fetches.ended("https://issuer.example", "ok");
    let gone = ("https://gone.example", Some(NOW), Some(Duration::from_secs(5)));
    let lost = ("https://lost.example", Some(NOW), Some(Duration::from_secs(5)));
    metrics.key_fetches.set_all([gone, lost]);
    let known = ("https://issuer.example", Some(NOW), Some(Duration::from_secs(90)));
    metrics.key_fetches.set_all([known, ("https://lost.example", None, None)]);
    let _held = [metrics.request_started(), metrics.connections.opened()];

    let rendered = metrics.render();
    let ours: Vec<_> = rendered
        .lines()
        .filter(|line| !line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with("process_"))
        .map(|line| line.replace(env!("CARGO_PKG_VERSION"), "VERSION"))
        .collect();
    assert!(ours.len() < rendered.lines().count(), "the process collector is there");
    assert_golden("metrics.txt", include_str!("../../../tests/golden/metrics.txt"), &ours.join("\n"));
    for family in names::ALL {
        assert!(rendered.contains(&format!("# TYPE {} ", family.name)), "{} is never made", family.name);
    }
}

#[test]
fn hostile_input_makes_no_series() {
    let (telemetry, _) = telemetry(Format::Text);
    let route = telemetry.metrics.route("/items/{item_id}");
    let flood = |from: u32| {
        for number in from..from + 2000 {
            let text = format!("EVIL{number}");
            telemetry.request(&Request {
                method: Method::of(&text),
                path: &text,
                id: &text,
                subject: Some(&text),
                client: Some(&text),
                issuer: Some(&text),
                // What an upstream may answer with; 0 and 600 to 2000 stand for the impossible.
                status: u16::try_from(number % 2000).unwrap(),
                ..request(&route)
            });
            telemetry.metrics.token_request(GrantType::of(&text), "unsupported_grant_type");
        }
        telemetry.metrics.render().lines().count()
    };
    let before = flood(0);
    assert_eq!(flood(2000), before);
    assert!(telemetry.metrics.render().contains("code=\"other\""));
    assert!(!telemetry.metrics.render().contains("EVIL"));
}

#[test]
fn a_route_keeps_its_numbers_over_a_reload() {
    let (telemetry, _) = telemetry(Format::Text);
    for _ in 0..2 {
        let route = &telemetry.metrics.route("/a\"b\\c");
        telemetry.request(&request(route));
    }
    let series = r#"doorward_http_requests_total{code="200",listener="public",method="GET",route="/a\"b\\c"} 2"#;
    assert!(telemetry.metrics.render().contains(series), "{}", telemetry.metrics.render());
}

#[test]
fn guards_count_down_on_a_panic_too() {
    let (telemetry, _) = telemetry(Format::Text);
    let metrics = Arc::new(telemetry.metrics);
    let inner = Arc::clone(&metrics);
    let panicked = std::thread::spawn(move || {
        let _held = inner.request_started();
        assert_eq!(inner.in_flight(), 1);
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(panicked.join().is_err());
    assert_eq!(metrics.in_flight(), 0);
}

#[test]
fn a_reload_that_fails_keeps_the_time_of_the_one_that_worked() {
    let (telemetry, _) = telemetry(Format::Text);
    telemetry.metrics.configuration_loaded(NOW);
    let later = NOW.plus(Duration::from_mins(1));
    telemetry.audit(later, &Audit::Reloaded { ok: false, generation: 1, problems: 2, restart: &[] });
    let rendered = telemetry.metrics.render();
    assert!(rendered.contains("doorward_config_last_reload_successful 0\n"));
    assert!(rendered.contains(&format!("success_timestamp_seconds {}\n", NOW.seconds())));
}
