//! The `widedeep` command.
fn main() {}
