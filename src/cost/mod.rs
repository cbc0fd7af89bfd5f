//! What judging costs: [`Tokens`] per call, a [`Price`] per million and lists of them ([`Prices`]), a [`Ledger`] that sums tokens per [`Stage`], and
//! the [`Bill`] of a run at a [`Tariff`].

mod bill;
mod ledger;
mod price;
mod prices;

pub use self::{
    bill::{Bill, Machine, OfModel, OfNeuron, OfStage, Row, Tariff, is_local},
    ledger::{Attempt, Ledger, Line, Served, Stage, StageError, StageTotal},
    price::{OFFICIAL_OUTAGE, Price, Tokens},
    prices::{Listed, Prices, PricesError},
};
