//! Language units: the published sets from the published counts, and the behaviour of everything around them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod counting;
mod golden;
mod mini;
mod oracle;
mod synthetic;
