//! One run: a world, three instances, those who revoke, those who refresh, and in the end the checks.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use doorward::base::Clock;
use doorward::keys::KeyNumber;
use doorward::revocation::follower::Bucket;
use doorward::revocation::{Family, Mark, MarkKey, MarkKind, SessionLife, Sid, Store};
use doorward::tokens::ScopeSet;
use doorward::tokens::refresh::FamilyId;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::instance::{ISSUER, Instance, Presenting};
use crate::ledger::{Broken, Ledger, Property, Token, has};
use crate::world::{Planted, World};

/// Runs one seed; what was broken, if anything was, and how often what happened.
pub fn run(seed: u64, planted: Option<Planted>) -> Result<[usize; 3], Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let world = Arc::new(World::new(seed, planted));
        let ledger = Arc::<Ledger>::default();
        act(&world, &ledger).await;
        ledger.first_broken().map_or_else(|| Ok(ledger.counts()), Err)
    })
}

async fn act(world: &Arc<World>, ledger: &Arc<Ledger>) {
    let mut instances = Vec::new();
    let keys = [KeyNumber([1; 4]), KeyNumber([2; 4])];
    for number in 0..3 {
        instances.push(Instance::new(world, ledger, keys[number % 2]).await);
    }
    let buckets: Vec<Bucket> = Bucket::all().take(2).collect();
    let mut background = JoinSet::new();
    for instance in &instances {
        // Over one connection, as with one server, or over one each, as in a cluster.
        for some in buckets.chunks(if world.conditions.one_connection { buckets.len() } else { 1 }) {
            background.spawn(Arc::clone(instance).follow(some.to_vec()));
        }
        background.spawn(Arc::clone(instance).restore());
    }
    let happening = Arc::clone(world);
    background.spawn(async move {
        loop {
            happening.pause().await;
            happening.happen();
        }
    });
    let mut actors = JoinSet::new();
    for instance in &instances {
        actors.spawn(revoke(Arc::clone(instance), buckets.clone()));
    }
    for session in 0..2 {
        let session = Arc::new(Session::begin(world, &buckets, session, keys[0]).await);
        for tab in 0..3 {
            actors.spawn(refresh(Arc::clone(&session), instances.clone(), tab));
        }
        if world.once_in(3) {
            let instance = &instances[usize::try_from(world.below(3)).unwrap()];
            actors.spawn(cut_off(Arc::clone(instance), session));
        }
    }
    actors.join_all().await;
    world.calm();
    if settled(world, &instances, &buckets).await {
        check(world, ledger, &instances, &buckets);
    } else {
        let how: Vec<_> =
            instances.iter().flat_map(|instance| buckets.iter().map(|bucket| instance.followed(*bucket))).collect();
        ledger.broken(Property::Settles, format!("{how:?}"));
    }
    background.shutdown().await;
}

/// Waits until every follower has read all that its server has, and nobody owes it anything.
async fn settled(world: &Arc<World>, instances: &[Arc<Instance>], buckets: &[Bucket]) -> bool {
    for _ in 0..PATIENCE {
        tokio::task::yield_now().await;
        let master = world.connect();
        let read_all = |instance: &Arc<Instance>, bucket: &Bucket| {
            instance.followed(*bucket).is_some_and(|followed| {
                let last = world.inspect(master, |server| server.data.ends(*bucket).last);
                followed.calmly && followed.at == last
            })
        };
        if instances.iter().all(|instance| !instance.owes() && buckets.iter().all(|bucket| read_all(instance, bucket)))
        {
            return true;
        }
    }
    false
}

fn check(world: &Arc<World>, ledger: &Ledger, instances: &[Arc<Instance>], buckets: &[Bucket]) {
    let stored = world.inspect(world.connect(), |server| server.data.clone());
    let views = || instances.iter().map(|instance| instance.revocations.view());
    let stored_marks = stored.buckets.values().flat_map(|marks| marks.kept.values().cloned());
    // What was lost with all the rest before its maker saw it on the stream, the maker cannot know of.
    let views_count = if world.conditions.flushes { 0 } else { instances.len() };
    let viewed =
        views().take(views_count).flat_map(|view| buckets.iter().flat_map(|bucket| view.marks_in(*bucket, |_| true)));
    for mark in stored_marks.chain(viewed) {
        for (number, view) in views().enumerate() {
            if !has(view, &mark) {
                ledger.broken(Property::NoMissedMark, format!("not in view {number}: {mark:?}"));
            }
        }
        let in_store = stored.buckets.get(&Bucket::of(&mark.key)).and_then(|marks| marks.kept.get(&mark.key));
        if in_store.is_none_or(|found| found.clone().merged(mark.clone()) != *found) {
            ledger.broken(Property::NoMissedMark, format!("not in the store: {mark:?}"));
        }
    }
    if world.is_lossless() {
        ledger.check_grants();
        for view in views() {
            ledger.check_confirmed(view);
            ledger.check_ended(view, ISSUER);
        }
    }
}

/// Makes marks, again and again on the same few things.
async fn revoke(instance: Arc<Instance>, buckets: Vec<Bucket>) {
    let world = Arc::clone(&instance.world);
    for _ in 0..MARKS {
        world.pause().await;
        let value = loop {
            let value = world.below(60).to_string();
            if buckets.contains(&Bucket::of(&MarkKey::of(MarkKind::Sub, ISSUER, &value))) {
                break value;
            }
        };
        let now = world.now();
        let issued_before = world.once_in(2).then_some(now);
        let expires_at = now.plus(Duration::from_millis(100_000 + world.below(500)));
        let mark = Mark { kind: MarkKind::Sub, issuer: ISSUER.to_owned(), value, expires_at, issued_before };
        if instance.revocations.mark(mark.clone()).await.is_ok() {
            instance.ledger.mark(world.tick(), mark.into());
        }
    }
}

/// Revokes, at some time, all that the user of a session was issued.
async fn cut_off(instance: Arc<Instance>, session: Arc<Session>) {
    let world = Arc::clone(&instance.world);
    for _ in 0..world.below(u64::from(2 * REFRESHES)) {
        world.pause().await;
    }
    let now = world.now();
    let (kind, issuer, value) = (MarkKind::Sub, ISSUER.to_owned(), session.subject.clone());
    let expires_at = now.plus(Duration::from_secs(100));
    let mark = Mark { kind, issuer, value, expires_at, issued_before: Some(now) };
    if instance.revocations.mark(mark.clone()).await.is_ok() {
        let at = world.tick();
        instance.ledger.mark(at, mark.into());
        instance.ledger.cut_off(session.sid, at);
    }
}

/// A login session, as those have it who share its tokens.
struct Session {
    sid: Sid,
    subject: String,
    known: Mutex<Vec<Token>>,
}

impl Session {
    async fn begin(world: &Arc<World>, buckets: &[Bucket], number: u8, key: KeyNumber) -> Self {
        let is_followed = |kind, value: &str| buckets.contains(&Bucket::of(&MarkKey::of(kind, ISSUER, value)));
        let in_reach = |sid: &Sid| is_followed(MarkKind::Sid, &sid.to_string());
        let mut subjects = (0..200_u8).map(|salt| format!("user {number} {salt}"));
        let subject = subjects.find(|subject| is_followed(MarkKind::Sub, subject)).unwrap();
        let mut sids = (0..=255).map(|salt| Sid::of(&FamilyId([[number, salt]; 8].concat().try_into().unwrap())));
        let sid = sids.find(in_reach).unwrap();
        let life = SessionLife { now: world.now(), absolute: Duration::from_hours(9), idle: Duration::from_hours(1) };
        let family = Family::begin(&subject, None, ScopeSet::default(), key, life);
        while world.create(sid, family.clone()).await.is_err() {}
        Self { sid, subject, known: Mutex::new(vec![(0, key)]) }
    }
}

/// Presents tokens of the session: the last one mostly, now and then one that was used before. Answers may be lost.
async fn refresh(session: Arc<Session>, instances: Vec<Arc<Instance>>, tab: u8) {
    let world = Arc::clone(&instances[0].world);
    let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, tab / 2));
    for _ in 0..REFRESHES {
        world.pause().await;
        let token = {
            let known = session.known.lock();
            let back = if world.once_in(5) { world.below(3) } else { 0 };
            known[known.len().saturating_sub(1 + usize::try_from(back).unwrap())]
        };
        let instance = &instances[usize::try_from(world.below(3)).unwrap()];
        let Ok(Presenting::Successor(successor)) = instance.present(session.sid, token, from).await else { continue };
        let mut known = session.known.lock();
        if !world.once_in(6) && !known.contains(&successor) {
            known.push(successor);
            known.sort_by_key(|(generation, _)| *generation);
        }
    }
}

const MARKS: u32 = 10;
const REFRESHES: u32 = 8;

/// Turns in which everything must have come to rest.
const PATIENCE: u32 = 200_000;
