//! What the local engine makes of a wide network: `cargo bench --bench engine -- --help`, or all of it by `benchmarks/engine/run`.

mod alternate;
mod ask;
mod attention;
mod busy;
mod cache;
mod limit;
mod machine;
mod outside;
mod page;
mod same;
mod server;
mod setting;
mod spread;
mod tree;
mod whole;
mod width;

use std::alloc::System;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use cap::Cap;
use clap::{Parser, Subcommand};

use self::setting::Setting;

/// Counts what Rust allocates, for `outside`; llama.cpp's own memory does not pass by here.
#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

/// Measures the engine over real pairs and writes tables
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Arguments {
    #[command(subcommand)]
    what: What,

    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    #[arg(long, default_value = "smollm2-135m", global = true)]
    model: String,

    /// LLMEval²'s file: `widedeep data path llmeval2`
    #[arg(
        long,
        global = true,
        default_value = "../shared/data/llmeval2/LLMEval2_benchmark.json"
    )]
    data: PathBuf,

    /// Only the shortest pairs of the fixed list, so many
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true, global = true)]
    pairs: usize,

    /// How often everything is done
    #[arg(long, default_value = "5", global = true)]
    repeats: NonZeroUsize,

    /// Threads, of everything that is compared
    #[arg(long, default_value = "2", global = true)]
    threads: NonZeroUsize,

    /// Tokens of evidence in a reply
    #[arg(long, default_value_t = 64, global = true)]
    evidence: usize,

    /// Let neurons of layer 2 read all reviews in networks wider than four, too (`neighbourhood = "all"`)
    #[arg(long, global = true)]
    all_reviews: bool,

    /// Folder with llama-server, llama-bench and llama-batched-bench of the same llama.cpp (see tools.sh)
    #[arg(long, default_value = ".tools/llama-tools/bin", global = true)]
    tools: PathBuf,

    /// llama-server with one unified cache, in place of a part of it for each slot, which is faster here
    #[arg(long, global = true)]
    unified_cache: bool,

    /// Folder for the tables; they are printed in any case
    #[arg(long, global = true)]
    out: Option<PathBuf>,

    /// For `whole`: keep what `whole.csv` in the folder of --out holds, and measure what is missing of --pairs and --repeats
    #[arg(long, requires = "out", global = true)]
    go_on: bool,

    /// Given by `cargo bench`
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// A whole evaluation: this engine, llama-server, and one call at a time without sharing
    Whole,
    /// How far the whole evaluation is from what llama.cpp's own benchmarks say is possible
    Limit,
    /// What a pair costs with 1, 2, 4, 8 and 16 roles
    Width {
        /// Layers of the network: both, or the first alone
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
        layers: u8,
    },
    /// Time outside llama.cpp, and bytes allocated, per call
    Outside,
    /// Threads on a quiet and on a busy machine
    Busy,
    /// This program's attention and llama.cpp's
    Attention,
    /// The cache in f16 and in q8_0
    Cache,
    /// Whether greedy replies are the same with and without sharing
    Same,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let setting = Setting::new(&arguments)?;
    let page = match arguments.what {
        What::Whole => whole::run(&setting)?,
        What::Limit => limit::run(&setting)?,
        What::Width { layers } => width::run(&setting, layers.into())?,
        What::Outside => outside::run(&setting)?,
        What::Busy => busy::run(&setting)?,
        What::Attention => attention::run(&setting)?,
        What::Cache => cache::run(&setting)?,
        What::Same => same::run(&setting)?,
    };
    page.write(arguments.out.as_deref())
}
