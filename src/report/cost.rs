//! What a stored run cost, at any prices.

use crate::cost::{Bill, Tariff};
use crate::run::{Judge, Store, StoreError};

/// Reckons the ledger of a run; `None` for baselines, which ask nobody.
pub fn cost(store: &Store, tariff: &Tariff) -> Result<Option<Bill>, StoreError> {
    match store.config().judge {
        Judge::Baseline(_) => Ok(None),
        Judge::Network { .. } => Ok(Some(tariff.bill(&store.ledger()?, store.seconds()?))),
    }
}
