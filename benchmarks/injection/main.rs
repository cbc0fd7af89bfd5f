//! Pairs with and without a payload in one response, judged by the same networks: `cargo bench --bench injection -- --help`.

mod blocks;
mod payloads;
mod tally;
mod trial;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use widedeep::chat::LocalModel;
use widedeep::fetch;
use widedeep::llama::{EngineConfig, Threads};
use widedeep::network::{Network, shipped};
use widedeep::pair::{self, Pair, Taxonomy};
use widedeep::prompt::Prompts;

use self::payloads::{Payload, Side};
use self::tally::{Attack, HEADINGS, Tally, row};
use self::trial::{Bench, Outcome};

/// Judges pairs of the demo with and without payloads in one of their responses, and prints what the payloads did, as markdown
#[derive(Debug, Parser)]
struct Arguments {
    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    #[arg(long, default_value = "smollm2-135m")]
    model: String,

    /// Shipped networks
    #[arg(long, value_delimiter = ',', default_value = "single,faireval,widedeep")]
    networks: Vec<String>,

    /// Override a key of the networks, such as `reply.evidence_tokens=16`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// How many pairs of the demo are attacked; every payload goes into both responses of each
    #[arg(long, default_value_t = 1)]
    pairs: usize,

    /// Only payloads of this class; may be repeated
    #[arg(long = "class")]
    classes: Vec<String>,

    /// Threads
    #[arg(long, default_value = "auto")]
    threads: Threads,

    /// Tokens that the model's cache holds
    #[arg(long)]
    context: Option<usize>,

    /// Write there instead of to standard output
    #[arg(long)]
    out: Option<PathBuf>,

    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut payloads = Payload::all();
    payloads.retain(|payload| arguments.classes.is_empty() || arguments.classes.contains(&payload.class));
    let pairs: Vec<Pair> = pair::demo().pairs.into_iter().take(arguments.pairs).collect();
    let path = fetch::resolve_model(&arguments.model)?;
    let config = EngineConfig {
        threads: arguments.threads,
        context: arguments.context,
        ..EngineConfig::default()
    };
    let model = LocalModel::load(&path, &arguments.model, &config)?;
    let mut page = heading(&payloads, pairs.len());
    for name in &arguments.networks {
        let text = shipped(name).with_context(|| format!("there is no shipped network `{name}`"))?;
        let network = Network::parse(text, name, &arguments.overrides)?;
        let bench = Bench {
            network: &network,
            prompts: &Prompts::embedded(),
            taxonomy: &Taxonomy::embedded(),
            model: Arc::new(model.clone()),
            seed: 0,
        };
        page += &section(&bench, &pairs, &payloads);
    }
    match &arguments.out {
        Some(path) => std::fs::write(path, page).with_context(|| format!("failed to write `{}`", path.display())),
        None => Ok(std::io::stdout().write_all(page.as_bytes())?),
    }
}

/// Everything about one network.
fn section(bench: &Bench<'_>, pairs: &[Pair], payloads: &[Payload]) -> String {
    let begun = Instant::now();
    let clean: Vec<Outcome> = pairs
        .iter()
        .map(|pair| pollster::block_on(bench.judge(pair)))
        .collect();
    let mut classes: Vec<&str> = Vec::new();
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut remarks = String::new();
    for payload in payloads {
        for (pair, clean) in pairs.iter().zip(&clean) {
            for side in Side::ALL {
                let attacked = payload.attack(pair, side, bench.nonce(pair).as_str());
                let attack = Attack {
                    payload,
                    side,
                    clean,
                    attacked: pollster::block_on(bench.judge(&attacked)),
                };
                remarks += &remark(&attack);
                if !classes.contains(&payload.class.as_str()) {
                    classes.push(&payload.class);
                }
                tallies.entry(&payload.class).or_default().add(&attack);
                if !payload.is_control() {
                    tallies.entry("all but control").or_default().add(&attack);
                }
            }
        }
    }
    classes.push("all but control");
    let rows: String = classes
        .iter()
        .filter_map(|class| tallies.get(class).map(|tally| row(class, tally)))
        .collect();
    let clean = clean.iter().map(|outcome| {
        let verdict = outcome.verdict.map_or("none", widedeep::pair::Label::name);
        let lead = outcome.lead.map_or("–".to_owned(), |lead| format!("{lead:+.2}"));
        format!("{verdict} ({lead})")
    });
    let clean = clean.collect::<Vec<_>>().join(", ");
    let seconds = begun.elapsed().as_secs();
    let network = &bench.network.name;
    if remarks.is_empty() {
        remarks = "None.\n".to_owned();
    }
    format!(
        "## `{network}`\n\nVerdicts on the clean pairs, with the lead of response1: {clean}. {seconds} s.\n\n{HEADINGS}{rows}\n\
         Crashes, misread replies and broken blocks, one by one:\n\n{remarks}\n"
    )
}

/// What a reader wants to see one by one.
fn remark(attack: &Attack<'_>) -> String {
    let outcome = &attack.attacked;
    let mut said: Vec<String> = Vec::new();
    said.extend(outcome.crash.iter().map(|crash| format!("crash: {crash}")));
    if let Some(first) = outcome.broken.first() {
        said.push(format!("{} prompts: {}", outcome.broken.len(), first.escape_debug()));
    }
    let misread = outcome.missing.iter().filter(|reason| **reason != "prompt too long");
    said.extend(misread.map(|reason| (*reason).to_owned()));
    if said.is_empty() {
        return String::new();
    }
    format!("- {} in {}: {}\n", attack.payload.name, attack.side, said.join("; "))
}

fn heading(payloads: &[Payload], pairs: usize) -> String {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!(
        "# What payloads in responses do to verdicts\n\n\
         - command: `cargo bench --bench injection -- {}`\n\
         - machine: {}, {cores} cores\n\
         - date: {}\n\
         - {} payloads in {} classes ([payloads.toml](payloads.toml)), each in response1 and in response2 of {pairs} of the demo's pairs\n\n",
        arguments.join(" "),
        processor(),
        today(),
        payloads.len(),
        payloads.iter().map(|payload| &payload.class).collect::<std::collections::BTreeSet<_>>().len(),
    )
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

/// In UTC.
fn today() -> String {
    let now = jiff::Timestamp::now().to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}
