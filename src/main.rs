//! The `widedeep` command. Parsing, dispatch and rendering of errors live in [`widedeep::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    widedeep::cli::main()
}
