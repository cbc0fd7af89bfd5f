//! What judging costs: [`Tokens`] per call, a [`Price`] per million and lists of them ([`Prices`]), the
//! [`Line`]s of a run's ledger, and what they come to: the [`Bill`] of a run at a [`Tariff`].

mod bill;
mod ledger;
mod price;
mod prices;
mod stage;

pub use self::{
    bill::{Bill, Machine, OfModel, OfNeuron, OfStage, Row, Tariff, is_local},
    ledger::{Attempt, Line, Served},
    price::{OFFICIAL_OUTAGE, Price, Tokens},
    prices::{Listed, Prices, PricesError},
    stage::{Stage, StageError},
};
