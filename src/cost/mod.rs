//! What judging costs: [`Tokens`] per call, a [`Price`] per million, and a [`Ledger`] that sums them per [`Stage`].

mod ledger;
mod price;

pub use self::{
    ledger::{Attempt, Ledger, Line, Served, Stage, StageError, StageTotal},
    price::{OFFICIAL_OUTAGE, Price, Tokens},
};
