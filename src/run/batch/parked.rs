//! Who waits for what, and whether anybody still moves.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use futures::channel::oneshot;

use crate::chat::openai::batch::Parcel;

/// A parcel that belongs to no batch yet.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) parcel: Parcel,
    /// Which delivery it will be, from 1.
    pub(super) number: u32,
}

/// The parcels of all pairs that are under way.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// Pairs under way.
    running: usize,
    /// Those that wait, with the number of parcels that each waits for.
    waiting: HashMap<u64, usize>,
    /// Who waits for a parcel. Pairs that ask the same share it.
    waiters: HashMap<String, Vec<(u64, oneshot::Sender<()>)>>,
    /// By endpoint, in the order in which they came.
    queue: BTreeMap<String, Vec<Queued>>,
}

impl Parked {
    pub(super) fn enter(&mut self) {
        self.running += 1;
    }

    pub(super) fn leave(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Waits for a parcel that is in a batch.
    pub(super) fn wait(&mut self, parcel: &Parcel) -> oneshot::Receiver<()> {
        let (wake, woken) = oneshot::channel();
        let pair = parcel.origin.pair;
        *self.waiting.entry(pair).or_default() += 1;
        self.waiters.entry(parcel.id.clone()).or_default().push((pair, wake));
        woken
    }

    /// The same for a parcel that is in none yet, unless somebody else has queued it.
    pub(super) fn queue(&mut self, parcel: &Parcel, number: u32) -> oneshot::Receiver<()> {
        if !self.waiters.contains_key(&parcel.id) {
            let parcel = parcel.clone();
            let queue = self.queue.entry(parcel.endpoint.clone()).or_default();
            queue.push(Queued { parcel, number });
        }
        self.wait(parcel)
    }

    /// Tells those who wait for these parcels that something has happened to them.
    pub(super) fn wake(&mut self, ids: &[String]) {
        for (pair, wake) in ids.iter().filter_map(|id| self.waiters.remove(id)).flatten() {
            if let Some(parcels) = self.waiting.get_mut(&pair) {
                *parcels -= 1;
                // A pair that waits for more asks nothing new until that has come as well.
                if *parcels == 0 {
                    self.waiting.remove(&pair);
                }
            }
            // A pair that is gone need not be woken.
            let _ = wake.send(());
        }
    }

    /// Whether every pair under way waits. What computes on this machine, or is being written down, does not.
    pub(super) fn is_quiet(&self) -> bool {
        self.running > 0 && self.waiting.len() == self.running
    }

    /// Endpoints that parcels are queued for.
    pub(super) fn endpoints(&self) -> Vec<String> {
        self.queue.keys().cloned().collect()
    }

    /// What is queued for an endpoint.
    pub(super) fn queued(&self, endpoint: &str) -> &[Queued] {
        self.queue.get(endpoint).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes the oldest parcels for an endpoint out of the queue, so many at most.
    pub(super) fn take(&mut self, endpoint: &str, most: usize) -> Vec<Queued> {
        let Some(queue) = self.queue.get_mut(endpoint) else {
            return Vec::new();
        };
        if queue.len() > most {
            let rest = queue.split_off(most);
            return mem::replace(queue, rest);
        }
        self.queue.remove(endpoint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Origin, Usage};

    fn parcel(id: &str, pair: u64) -> Parcel {
        Parcel {
            id: id.to_owned(),
            endpoint: "e".to_owned(),
            body: Vec::new().into(),
            origin: Origin {
                pair,
                ..Origin::default()
            },
            most: Usage::default(),
        }
    }

    #[test]
    fn it_is_quiet_when_every_pair_waits_and_nobody_who_was_woken_still_moves() {
        let mut parked = Parked::default();
        assert!(!parked.is_quiet(), "there is nobody");
        parked.enter();
        parked.enter();
        let _a = parked.queue(&parcel("a", 1), 1);
        let _b = parked.queue(&parcel("b", 1), 1);
        assert!(!parked.is_quiet(), "the second pair moves");
        let _c = parked.wait(&parcel("c", 2));
        assert!(parked.is_quiet());
        parked.wake(&["c".to_owned()]);
        assert!(!parked.is_quiet(), "the second pair has been woken");
        parked.leave();
        assert!(parked.is_quiet());
        parked.wake(&["a".to_owned()]);
        assert!(parked.is_quiet(), "the first pair still waits for b");
    }

    #[test]
    fn pairs_that_ask_the_same_share_a_parcel_and_are_all_woken() {
        let mut parked = Parked::default();
        let mut first = parked.queue(&parcel("a", 1), 1);
        let mut second = parked.queue(&parcel("a", 2), 1);
        assert_eq!(parked.take("e", 10).len(), 1);
        let mut third = parked.queue(&parcel("a", 3), 1);
        assert_eq!(parked.take("e", 10).len(), 0, "it is on its way");
        assert_eq!(first.try_recv(), Ok(None));
        parked.wake(&["a".to_owned()]);
        for woken in [&mut first, &mut second, &mut third] {
            assert_eq!(woken.try_recv(), Ok(Some(())));
        }
    }

    #[test]
    fn the_oldest_parcels_are_taken_first() {
        let mut parked = Parked::default();
        let _waiting: Vec<_> = ["a", "b", "c"].map(|id| parked.queue(&parcel(id, 1), 1)).into();
        let taken = |parked: &mut Parked, most| -> Vec<String> {
            let taken = parked.take("e", most).into_iter();
            taken.map(|queued| queued.parcel.id).collect()
        };
        assert_eq!(taken(&mut parked, 2), ["a", "b"]);
        assert_eq!(parked.queued("e").len(), 1);
        assert_eq!(taken(&mut parked, 2), ["c"]);
        assert!(parked.endpoints().is_empty());
    }
}
