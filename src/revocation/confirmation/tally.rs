//! Who has confirmed a mark, and who is waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::Confirmation;
use crate::revocation::replicas::{Listed, Place, ReplicaId, Roll, SILENT_AFTER};

/// What was heard of the others since a mark was made.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    own: (ReplicaId, String),
    wanted: Place,
    /// Whoever had it once has it for good.
    confirmed: BTreeSet<ReplicaId>,
    /// `None` before anything was heard.
    latest: Option<Roll>,
}

impl Tally {
    /// Of the mark at `wanted`, which this instance has made, and so has.
    pub(super) fn new(own: (ReplicaId, String), wanted: Place) -> Self {
        Self { own, wanted, confirmed: BTreeSet::new(), latest: None }
    }

    /// Takes up how things stand; returns whether nobody is left to wait for.
    pub(super) fn hear(&mut self, roll: Roll) -> bool {
        let has_it = |listed: &&Listed| listed.place.is_some_and(|place| place.covers(self.wanted));
        self.confirmed.extend(roll.replicas.iter().filter(has_it).map(|listed| listed.id));
        // Somebody may not be on a list that was begun a moment ago: all who live are, once they would have been silent.
        let is_complete = roll.kept_for >= SILENT_AFTER;
        let all_here = roll.replicas.iter().all(|listed| self.has(listed) || listed.silent_for >= SILENT_AFTER);
        self.latest = Some(roll);
        is_complete && all_here
    }

    /// How it stands now; `None` if it is not known who there is.
    pub(super) fn outcome(&self) -> Option<Confirmation> {
        let roll = self.latest.as_ref().filter(|roll| roll.kept_for >= SILENT_AFTER)?;
        let (own_id, own_name) = &self.own;
        let others: Vec<(&Listed, &str)> = roll
            .replicas
            .iter()
            .filter(|listed| listed.id != *own_id && !self.is_former_run(listed, roll))
            .map(|listed| (listed, listed.name.as_deref().unwrap_or(UNNAMED)))
            .collect();
        let mut bearers: BTreeMap<&str, usize> = BTreeMap::from([(own_name.as_str(), 1)]);
        for (_, name) in &others {
            *bearers.entry(name).or_default() += 1;
        }
        let told = |id: ReplicaId, name: &str| match bearers.get(name) {
            Some(1) => name.to_owned(),
            _ => format!("{name}#{id}"),
        };
        let mut confirmation = Confirmation { confirmed_by: vec![told(*own_id, own_name)], missing: Vec::new() };
        for (listed, name) in others {
            let list = if self.has(listed) { &mut confirmation.confirmed_by } else { &mut confirmation.missing };
            list.push(told(listed.id, name));
        }
        let Confirmation { confirmed_by, missing } = &mut confirmation;
        if let Some((_, after_own)) = confirmed_by.split_first_mut() {
            after_own.sort_unstable();
        }
        missing.sort_unstable();
        Some(confirmation)
    }

    /// Whether it is what one that is heard was before it was killed: that run serves nobody any more, and nobody could make it confirm.
    fn is_former_run(&self, listed: &Listed, roll: &Roll) -> bool {
        let (own_id, own_name) = &self.own;
        let is_heard = |other: &Listed| other.name == listed.name && other.silent_for < SILENT_AFTER;
        let lives_on = listed.name.as_ref() == Some(own_name) || roll.replicas.iter().any(is_heard);
        listed.id != *own_id && listed.silent_for >= SILENT_AFTER && listed.name.is_some() && lives_on
    }

    fn has(&self, listed: &Listed) -> bool {
        listed.id == self.own.0 || self.confirmed.contains(&listed.id)
    }
}

/// What is told of one whose name cannot be read.
const UNNAMED: &str = "unnamed";

#[cfg(test)]
mod tests;
