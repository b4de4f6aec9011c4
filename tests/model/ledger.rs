//! What was promised in a run, and whether it was kept.

use std::collections::BTreeMap;

use doorward::base::{Timestamp, Uptime};
use doorward::keys::KeyNumber;
use doorward::revocation::follower::Bucket;
use doorward::revocation::{MarkKey, MarkKind, Sid, StoredMark, View};
use parking_lot::Mutex;

/// A refresh token, as far as two of them can differ: it is written byte for byte from its family and these.
pub type Token = (u32, KeyNumber);

/// A promise that was broken: which one, and the details.
pub type Broken = (Property, String);

/// What must always be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// One token has one successor.
    OneSuccessor,
    /// What was used, and its successor too, is of no use any more.
    NoWayBack,
    /// A session that was ended for reuse is over, everywhere, with its access tokens.
    EndedIsOver,
    /// Once all of a user's was revoked, none of his sessions of before is given anything, wherever it asks.
    CutOffIsOver,
    /// A position that is announced has all that came before it.
    Position,
    /// A view that says how old it is, has all that was confirmed by then.
    Age,
    /// When all is quiet, every view has every mark that is anywhere.
    NoMissedMark,
    /// When nothing fails any more, it becomes quiet.
    Settles,
}

/// A refresh that was answered with a successor.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    pub sid: Sid,
    pub token: Token,
    pub successor: Token,
    pub begun: u64,
    pub ended: u64,
    pub access_exp: Timestamp,
}

#[derive(Debug, Default)]
pub struct Ledger {
    grants: Mutex<Vec<Grant>>,
    /// When a client was told that its session was ended for reuse, the first time.
    ended: Mutex<BTreeMap<Sid, u64>>,
    /// When all that its user had been issued was revoked.
    cut_off: Mutex<BTreeMap<Sid, u64>>,
    /// Marks that were confirmed, and when.
    marks: Mutex<Vec<(u64, StoredMark)>>,
    broken: Mutex<Vec<Broken>>,
}

impl Ledger {
    pub fn grant(&self, grant: Grant) {
        self.grants.lock().push(grant);
    }

    pub fn end(&self, sid: Sid, at: u64) {
        self.ended.lock().entry(sid).or_insert(at);
    }

    pub fn cut_off(&self, sid: Sid, at: u64) {
        self.cut_off.lock().entry(sid).or_insert(at);
    }

    pub fn mark(&self, at: u64, mark: StoredMark) {
        self.marks.lock().push((at, mark));
    }

    pub fn broken(&self, property: Property, what: String) {
        self.broken.lock().push((property, what));
    }

    pub fn first_broken(&self) -> Option<Broken> {
        self.broken.lock().first().cloned()
    }

    /// How often something happened that the properties speak of: successors, ended sessions, confirmed marks.
    pub fn counts(&self) -> [usize; 3] {
        [self.grants.lock().len(), self.ended.lock().len(), self.marks.lock().len()]
    }

    /// A view that was fresh at `fresh_at` has what was confirmed before, from the `seen`th on. Returns how many that were.
    pub fn check_age(&self, view: &View, bucket: Bucket, fresh_at: Uptime, seen: usize) -> usize {
        let fresh_at = u64::try_from(fresh_at.since_start().as_millis()).unwrap();
        let marks = self.marks.lock();
        let due = marks.iter().skip(seen).take_while(|(at, _)| *at <= fresh_at);
        let mut count = seen;
        for (at, mark) in due {
            count += 1;
            if Bucket::of(&mark.key) == bucket && !has(view, mark) {
                self.broken(Property::Age, format!("confirmed at {at}, not in a view that is of {fresh_at}: {mark:?}"));
            }
        }
        count
    }

    /// What must be so of refresh tokens where nothing that is confirmed is lost.
    pub fn check_grants(&self) {
        let grants = self.grants.lock();
        for grant in &*grants {
            for other in grants.iter().filter(|other| other.sid == grant.sid) {
                if other.token == grant.token && other.successor != grant.successor {
                    self.broken(Property::OneSuccessor, format!("{grant:?} and {other:?}"));
                }
                if other.token == grant.successor && other.ended < grant.begun {
                    self.broken(Property::NoWayBack, format!("{grant:?} after {other:?}"));
                }
            }
            if self.ended.lock().get(&grant.sid).is_some_and(|ended| *ended < grant.begun) {
                self.broken(Property::EndedIsOver, format!("{grant:?} after the session had ended"));
            }
            if let Some(at) = self.cut_off.lock().get(&grant.sid).filter(|at| **at < grant.begun) {
                self.broken(
                    Property::CutOffIsOver,
                    format!("{grant:?} after {at}, when all of its user's was revoked"),
                );
            }
        }
    }

    /// Where nothing that is confirmed is lost: the access tokens of ended sessions are dead in this view.
    pub fn check_ended(&self, view: &View, issuer: &str) {
        for (sid, at) in &*self.ended.lock() {
            let key = MarkKey::of(MarkKind::Sid, issuer, &sid.to_string());
            let last = self.grants.lock().iter().filter(|grant| grant.sid == *sid).map(|grant| grant.access_exp).max();
            let found = find(view, &key).map(|mark| mark.expires_at);
            if found.is_none() || found < last {
                self.broken(Property::EndedIsOver, format!("ended at {at}: {last:?} outlives its mark, {found:?}"));
            }
        }
    }

    /// Every mark that was confirmed is in `view`.
    pub fn check_confirmed(&self, view: &View) {
        for (at, mark) in &*self.marks.lock() {
            if !has(view, mark) {
                self.broken(Property::NoMissedMark, format!("confirmed at {at}: {mark:?}"));
            }
        }
    }
}

/// Whether a view kills all that `mark` does.
pub fn has(view: &View, mark: &StoredMark) -> bool {
    find(view, &mark.key).is_some_and(|found| {
        let merged = found.clone().merged(mark.clone());
        (merged.expires_at, merged.issued_before) == (found.expires_at, found.issued_before)
    })
}

fn find(view: &View, key: &MarkKey) -> Option<StoredMark> {
    view.marks_in(Bucket::of(key), |mark| mark.key == *key).pop()
}
