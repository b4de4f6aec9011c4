//! The end of all tokens of a user: the password was changed, or the user was disabled or taken out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Settings;
use crate::base::{Clock, Timestamp};
use crate::revocation::{Mark, MarkKind, Revocations, StoreError};
use crate::telemetry::{Audit, Telemetry};
use crate::tokens::verify::MAX_LEEWAY;
use crate::users::{EndTokens, NotEnded};

/// Ends the own tokens of users. Their sessions end when they are refreshed next.
#[derive(Debug)]
pub struct TokenEnds {
    issuer: String,
    access_ttl: Duration,
    /// Life of a session that nobody refreshes.
    idle: Duration,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
}

impl TokenEnds {
    /// For the tokens that are issued as `settings` say.
    #[must_use]
    pub fn new(
        settings: &Settings,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        let (access_ttl, idle) = (settings.access_ttl, settings.refresh_ttl.min(settings.refresh_idle));
        Self { issuer: settings.issuer.clone(), access_ttl, idle, revocations, clock, telemetry }
    }

    /// Refuses all own access tokens that these users were issued until `at`, and their sessions of before. While the store of marks does
    /// not answer it is asked again, for a minute or so. If its time is not known, that is until it is: another instance may have issued some.
    pub async fn end_all(&self, subjects: &[String], at: Timestamp) {
        let at = self.revocations.knows_time().then_some(at);
        let mut left: Vec<&str> = subjects.iter().map(String::as_str).collect();
        let mut pause = FIRST_PAUSE;
        loop {
            let mut failed = Vec::new();
            for subject in left {
                if let Err(error) = self.end(subject, at.unwrap_or_else(|| self.clock.now())).await {
                    failed.push((subject, error));
                }
            }
            let Some((_, error)) = failed.first() else { return };
            let users = failed.len();
            if pause > LAST_PAUSE {
                // They end with their life, and the sessions with their next refresh.
                return tracing::error!(%error, users, "access tokens of users who were changed could not be revoked");
            }
            tracing::warn!(%error, users, "access tokens of users who were changed are not revoked yet; trying again");
            left = failed.into_iter().map(|(subject, _)| subject).collect();
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn end(&self, subject: &str, at: Timestamp) -> Result<(), StoreError> {
        // By another clock than the one that tokens are dated by, some would be spared.
        if !self.revocations.knows_time() {
            return Err(StoreError::Unavailable("its time is not known yet".to_owned()));
        }
        let now = self.clock.now();
        // Access tokens of sessions, by whatever setting; those of clients that have none; and the sessions, which must not come back
        // when the user is let in again.
        let issued = self.revocations.issued_until().await?;
        let latest = issued.tokens.max(issued.sessions).max(now.plus(self.access_ttl)).max(now.plus(self.idle));
        let mark = Mark {
            kind: MarkKind::Sub,
            issuer: self.issuer.clone(),
            value: subject.to_owned(),
            expires_at: latest.plus(MAX_LEEWAY),
            // As late as it may have been by any instance's clock.
            issued_before: Some(self.revocations.clock().cutting_off(at)),
        };
        self.revocations.mark(mark).await?;
        let (issuer, subject) = (Some(self.issuer.as_str()), Some(subject));
        let ended = Audit::Revoked {
            kind: "subject",
            subject,
            issuer,
            client: None,
            sid: None,
            jti: None,
            address: None,
            reason: None,
        };
        self.telemetry.audit(now, &ended);
        Ok(())
    }
}

#[async_trait]
impl EndTokens for TokenEnds {
    async fn end_tokens(&self, subject: &str, at: Timestamp) -> Result<(), NotEnded> {
        self.end(subject, at).await.map_err(|error| {
            tracing::error!(%error, "access tokens of a user who was changed could not be revoked");
            NotEnded
        })
    }
}

/// Before the store is asked for the second time; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

const LAST_PAUSE: Duration = Duration::from_secs(32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ManualClock;
    use crate::revocation::{CacheSettings, MemoryStore};
    use crate::telemetry::{self, Sink};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn mark(value: &str, expires_at: Timestamp) -> Mark {
        let (kind, issuer) = (MarkKind::Sub, "i".to_owned());
        Mark { kind, issuer, value: value.to_owned(), expires_at, issued_before: Some(NOW) }
    }

    fn ends(revocations: &Arc<Revocations>, clock: &Arc<dyn Clock>) -> TokenEnds {
        TokenEnds {
            issuer: "i".to_owned(),
            access_ttl: Duration::from_mins(15),
            idle: Duration::from_hours(24),
            revocations: Arc::clone(revocations),
            clock: Arc::clone(clock),
            telemetry: Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default())),
        }
    }

    /// Nobody knows yet what was dated when: a machine that is behind must not spare what others have issued.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_cut_off_by_a_time_that_is_not_known() {
        for ahead_seconds in [-300, 300] {
            let clock = Arc::new(ManualClock::at(NOW));
            let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
            let revocations = Revocations::new(Arc::new(MemoryStore::new(None)), Arc::clone(&clock) as _, cache);
            let revocations = Arc::new(revocations.shared(Arc::default()));
            let ends = ends(&revocations, &(Arc::clone(revocations.clock()) as _));
            let subjects = ["alice".to_owned()];
            let ending = tokio::spawn(async move { ends.end_all(&subjects, NOW).await });
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(revocations.cutoff("i", "alice", None), None);
            let now = Timestamp::from_seconds(NOW.seconds() + ahead_seconds);
            revocations.clock().measured(clock.uptime(), clock.uptime(), now);
            ending.await.unwrap();
            let cutoff = revocations.cutoff("i", "alice", None);
            assert_eq!(cutoff, Some(now.plus(revocations.clock().error())), "{ahead_seconds}");
        }
    }

    /// A store that is full until something in it is swept out.
    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_is_asked_again_for_a_while() {
        for (heals, ended) in [(true, true), (false, false)] {
            let clock = Arc::new(ManualClock::at(NOW));
            let cache = CacheSettings { capacity: 100, ttl: Duration::from_secs(30) };
            let store = Arc::new(MemoryStore::new(Some(1)));
            let revocations = Revocations::open(store, Arc::clone(&clock) as _, cache).await.unwrap();
            let revocations = Arc::new(revocations);
            revocations.mark(mark("other", NOW.plus(Duration::from_secs(1)))).await.unwrap();
            let ends = ends(&revocations, &(Arc::clone(&clock) as _));
            let subjects = ["alice".to_owned()];
            let ending = tokio::spawn(async move { ends.end_all(&subjects, NOW).await });
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(revocations.cutoff("i", "alice", None), None);
            clock.advance(Duration::from_mins(15));
            if heals {
                revocations.sweep().await.unwrap();
            }
            ending.await.unwrap();
            // As of when it was to be, not of when it could be.
            assert_eq!(revocations.cutoff("i", "alice", None), ended.then_some(NOW));
            // For as long as a session of before could be refreshed.
            clock.advance(Duration::from_hours(23));
            assert_eq!(revocations.cutoff("i", "alice", None).is_some(), ended);
        }
    }
}
