//! The command line: one file per command, which turns flags into library calls and results into text.

mod backend;
mod bar;
mod batch;
mod compare;
mod data;
mod detect;
mod dry_run;
mod edit;
mod eval;
mod inside;
mod material;
mod models;
mod money;
mod networks;
mod progress;
mod score;
mod session;
mod transfer;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use widedeep::fetch::lookup::UnknownName;
use widedeep::fetch::{CatalogError, ResolveError};
use widedeep::report::{self, Written};

/// Judge pairs of responses with WideDeep networks: layers of LLM neurons, each with a role of its own, that score, read each other and
/// score again. Runs on an embedded llama.cpp model, so that nothing leaves this machine, or on
/// models behind OpenAI's API.
#[derive(Debug, Parser)]
#[command(
    version,
    about = "Judge responses with WideDeep networks of LLM neurons",
    long_about,
    after_help = "Start here:
  widedeep models pull smollm2-135m
  widedeep eval demo --out demo-run

Every command explains itself: `widedeep eval --help`.
Exit codes: 0 done, 1 the run failed, 2 bad input, 130 interrupted (the same command goes on)."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    // Described where their flags are: a comment here would replace the longer text there.
    Eval(Box<eval::Arguments>),
    Score(score::Arguments),
    Compare(Box<compare::Arguments>),
    Networks(networks::Arguments),
    Detect(detect::Arguments),
    Edit(Box<edit::Arguments>),
    Inside(Box<inside::Arguments>),
    Prices(money::PricesArguments),
    Models(models::ModelsArgs),
    Data(data::DataArgs),
}

/// How a command ends when it does not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user's input is at fault.
    Input(anyhow::Error),
    /// The work failed.
    Run(anyhow::Error),
    /// Ctrl-C; the text says how to go on.
    Interrupted(String),
    /// There is no result yet, as was asked for; the text says how to go on.
    Later(String),
}

/// Marks an error as the input's fault.
pub(crate) fn input<E: Into<anyhow::Error>>(error: E) -> Failure {
    Failure::Input(error.into())
}

/// Marks an error as a failed run.
pub(crate) fn failed<E: Into<anyhow::Error>>(error: E) -> Failure {
    Failure::Run(error.into())
}

/// Tells a wrong name from a failed download.
fn sorted(error: anyhow::Error) -> Failure {
    let is_input = error.is::<UnknownName>()
        || error.is::<ResolveError>()
        || error.is::<CatalogError>()
        || error.is::<data::NotPulled>();
    if is_input {
        Failure::Input(error)
    } else {
        Failure::Run(error)
    }
}

/// Parses the command line, runs the command, renders its error.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let result = match arguments.command {
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Networks(arguments) => networks::run(&arguments),
        Command::Detect(arguments) => detect::run(&arguments),
        Command::Edit(arguments) => edit::run(&arguments),
        Command::Inside(arguments) => inside::run(&arguments),
        Command::Prices(arguments) => money::run(&arguments),
        Command::Models(arguments) => runtime().and_then(|runtime| runtime.block_on(arguments.run()).map_err(sorted)),
        Command::Data(arguments) => runtime().and_then(|runtime| runtime.block_on(arguments.run()).map_err(sorted)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Input(error)) => {
            note(&format!("error: {}", told(&error)));
            ExitCode::from(2)
        }
        Err(Failure::Run(error)) => {
            note(&format!("error: {}", told(&error)));
            ExitCode::FAILURE
        }
        Err(Failure::Later(text)) => {
            note(&text);
            ExitCode::SUCCESS
        }
        Err(Failure::Interrupted(text)) => {
            note(&text);
            ExitCode::from(130)
        }
    }
}

/// An error with its causes, each said once: many messages quote their cause already.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Writes a result to standard output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    print(text).map_err(failed)
}

/// [`say`], for commands with errors of another type. Not `println!`, which panics when the reader has gone (`| head`): that is no
/// failure.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// A remark to the user that is not the result. Not `eprintln!`, which panics when nobody reads: a run goes on without its remarks.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Columns for tables: the terminal's, or a fixed number when the output goes elsewhere.
pub(crate) fn width() -> u16 {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(report::WIDTH, |(width, _)| width.0)
}

/// Which files an export wrote.
pub(crate) fn files(written: &Written) -> String {
    let paths = [
        Some(&written.verdicts),
        written.opinions.as_ref(),
        Some(&written.metrics),
    ];
    let paths: Vec<String> = paths
        .into_iter()
        .flatten()
        .map(|path| path.display().to_string())
        .collect();
    format!("wrote {}", paths.join(", "))
}

/// The runtime for commands that wait for a model or the network.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(failed)
}
