//! What becomes of somebody who must wait for the second in which the token can be dated, and of what is revoked meanwhile.

use std::net::IpAddr;

use tokio::time::Instant;

use super::elsewhere::Shared;
use super::*;
use crate::base::Uptime;
use crate::grants::mint::Waits;
use crate::grants::{Minted, Order, OrderKind};
use crate::revocation::{Identifiers, MarkKind, Standing};

/// A clock that goes on while somebody sleeps.
#[derive(Debug)]
struct Going(Instant);

impl Clock for Going {
    fn now(&self) -> Timestamp {
        NOW.plus(self.0.elapsed())
    }

    fn uptime(&self) -> Uptime {
        Uptime::after_start(self.0.elapsed())
    }
}

const NOBODY: Option<IpAddr> = None;

async fn world() -> (World, Arc<Shared>) {
    let shared = Shared::new();
    let table = Table { hash: Mutex::new(weak()), ..Table::default() };
    let world = World::by(Arc::new(Going(Instant::now())), Arc::clone(&shared) as _, table).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    (world, shared)
}

impl World {
    async fn begin(&self) -> Result<Minted, GrantError> {
        let password = Secret::new(PASSWORD);
        self.grants.log_in(Login { caller: &self.caller, username: "alice", password, scope: None, from: NOBODY }).await
    }

    async fn revoke(&self, kind: OrderKind) {
        let client = self.grants.clients.acting(&self.caller, GrantKind::Password).unwrap();
        let value = if kind == OrderKind::Subject { "alice" } else { client.id.as_str() };
        let order = Order { kind, value: value.to_owned().into(), issuer: None, reason: None };
        self.grants.order(&order, NOBODY).await.unwrap();
    }

    fn standing(&self, minted: &Minted) -> Standing {
        let verified = self.grants.verifier.verify_uncached(&minted.access_token).unwrap();
        self.grants.revocations.standing(&Identifiers::of(&verified), self.grants.clock.now()).0
    }
}

/// Until the marks were asked for so often: then somebody waits.
async fn asked(shared: &Shared, times: usize) {
    while shared.asked.load(Ordering::SeqCst) < times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_revoked_right_after_a_login_in_the_second_of_a_revocation_is_dead() {
    for (again, by) in [(OrderKind::Subject, MarkKind::Sub), (OrderKind::Client, MarkKind::Client)] {
        let (world, _) = world().await;
        world.revoke(OrderKind::Subject).await;
        let minted = world.begin().await.unwrap();
        assert_eq!(world.standing(&minted), Standing::Good, "{again:?}");
        world.revoke(again).await;
        assert_eq!(world.standing(&minted), Standing::Revoked(by), "{again:?}");
        let session = minted.refresh_token.unwrap();
        assert_eq!(world.refresh(&session).await.unwrap_err(), GrantError::InvalidRefreshToken, "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_is_changed_while_a_login_waits_is_the_wrong_one() {
    for changed in [false, true] {
        let (world, shared) = world().await;
        world.revoke(OrderKind::Subject).await;
        let change = async {
            asked(&shared, 1).await;
            *world.table.changed.lock() = changed;
        };
        let (login, ()) = tokio::join!(world.begin(), change);
        assert_eq!(login.err(), changed.then_some(GrantError::WrongLogin));
        assert!(world.grants.clock.now() >= NOW.plus(Duration::from_secs(1)), "it waited");
    }
}

/// As it may be after another server has taken over, whose clock is behind.
#[tokio::test(start_paused = true)]
async fn a_user_who_is_disabled_while_a_refresh_waits_gets_nothing() {
    for disabled in [false, true] {
        let (world, shared) = world().await;
        world.revoke(OrderKind::Subject).await;
        let session = world.begin().await.unwrap().refresh_token.unwrap();
        let clock = world.grants.revocations.clock();
        clock.measured(clock.uptime(), clock.uptime(), NOW.plus(Duration::from_millis(500)));
        shared.asked.store(0, Ordering::SeqCst);
        let disable = async {
            asked(&shared, 1).await;
            *world.table.disabled.lock() = disabled;
        };
        let (refresh, ()) = tokio::join!(world.refresh(&session), disable);
        assert_eq!(refresh.err(), disabled.then_some(GrantError::UserDisabled));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever() {
    let (world, _) = world().await;
    let (grants, mut waits) = (&world.grants, Waits::default());
    for is_over in [false, false, false, true] {
        world.revoke(OrderKind::Subject).await;
        let life = grants.life("alice", "web", grants.issuing(), &mut waits).await;
        assert_eq!(life.err(), is_over.then_some(GrantError::RevokedAhead));
    }
    assert_eq!(grants.clock.now(), NOW.plus(Duration::from_secs(3)));
}

/// As where a server takes over whose clock is behind.
#[tokio::test(start_paused = true)]
async fn a_revocation_after_the_stores_clock_was_set_back_kills_what_was_issued_before() {
    let (world, _) = world().await;
    let clock = world.grants.revocations.clock();
    let set = |ahead| clock.measured(clock.uptime(), clock.uptime(), clock.local().plus(ahead));
    set(Duration::from_mins(5));
    let before = world.begin().await.unwrap();
    set(Duration::ZERO);
    assert_eq!(world.standing(&before), Standing::Good);
    world.revoke(OrderKind::Subject).await;
    assert_eq!(world.standing(&before), Standing::Revoked(MarkKind::Sub));
    // Neither a token that is dead nor one from the future.
    let asked_at = Instant::now();
    assert_eq!(world.begin().await.err(), Some(GrantError::RevokedAhead));
    assert_eq!(asked_at.elapsed(), Duration::ZERO, "nobody waits for minutes");
    tokio::time::sleep(Duration::from_secs(312)).await;
    assert_eq!(world.standing(&world.begin().await.unwrap()), Standing::Good);
}
