//! Language units: the published sets from the published counts, and the behaviour of everything around them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod comparing;
mod counting;
mod golden;
mod mini;
mod oracle;
mod shown;
mod silencing;
mod synthetic;
