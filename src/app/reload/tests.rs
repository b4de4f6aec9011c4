use super::*;
use crate::app::Running;
use crate::app::serve::Parts;
use crate::base::{Clock, ManualClock, Timestamp, Uptime};
use crate::telemetry::{Sink, Telemetry};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Argon2id hashes of two passwords, of the smallest cost.
const HASHES: [&str; 2] = [
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21l$1OVfNnH2gVvRBXuRzeqzMQUKmPvkzc1I1FFSQ2y1AJs",
    "$argon2id$v=19$m=8,t=1,p=1$b3RoZXJzYWx0b3Ro$rZ1xGmyW9TmlMnEG2Mhdp2Yu4yY0VZ0SEZhSVVnBYzU",
];

/// Own tokens are dated by the store's clock, so what ends them must be too: by that of a machine that is behind, those of the last minutes would
/// live on, and by that of one that is ahead, whoever logs in with the new password would be refused for minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tokens_of_a_user_who_was_changed_are_cut_off_by_the_stores_clock() {
    for ahead_seconds in [-300, 0, 300] {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users.yaml");
        let write = |hash: &str| {
            std::fs::write(&users, format!("- {{ username: alice, password_hash: \"{hash}\" }}\n")).unwrap();
        };
        write(HASHES[0]);
        let path = folder.path().join("doorward.yaml");
        let text = "server: { listen: \"127.0.0.1:0\" }\nadmin: { listen: \"127.0.0.1:0\" }\n\
                    upstream: { url: \"http://127.0.0.1:1\" }\ntokens: { issuer: \"https://a\" }\n\
                    users: { file: users.yaml }\ndata_dir: data\nstore: memory\n";
        std::fs::write(&path, text).unwrap();
        let loaded = config::load(&path, &|_| None).unwrap();
        let telemetry = Arc::new(Telemetry::new(Sink::memory(), &crate::telemetry::Settings::default()));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
        let parts = Parts { clock, ..Parts::new(path, Box::new(|_| None), telemetry) };
        let mut running = Running::start(loaded, parts).await.unwrap();
        let reloader = Arc::clone(&running.reloader);
        let revocations = Arc::clone(&reloader.core.revocations);
        let store_time = Timestamp::from_seconds(NOW.seconds() + ahead_seconds);
        revocations.clock().measured(Uptime::default(), Uptime::default(), store_time);
        write(HASHES[1]);
        tokio::task::spawn_blocking(move || reloader.reload()).await.unwrap();
        let cutoff = revocations.cutoff("https://a", "alice", None);
        // As late as it may have been.
        let error = revocations.clock().error();
        assert_eq!(cutoff, Some(store_time.plus(error)), "{ahead_seconds}");
        running.close().await;
    }
}
