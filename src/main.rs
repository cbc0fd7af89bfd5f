//! The `widedeep` command: parsing, dispatch and the rendering of errors live in `cli/`; the work is done by the library.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::main()
}
