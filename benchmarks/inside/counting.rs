//! How fast activations are read beside reading without a tap: `cargo run --release --example counting -- --model gemma3-270m TEXT…`.
//!
//! Four ways read the same texts in turn, round after round, so that other work on the machine falls on all of them: counting (the gates of every layer, nothing
//! after the last one), CETT of every unit (z and h of every layer, nothing after the last one), CETT with predictions (log-probability and entropy of every
//! token, too: what `widedeep detect collect` takes), and the engine (no callback, logits of the last token alone). With `--rival`, a command takes CETT as well, without and
//! with predictions: `hooks.py` beside this file, in PyTorch. It gets the blocks' token ids, the number of threads and what is wanted as JSON on its
//! standard input, line by line, and answers each line with the seconds that it took and the sum of all CETT.

use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use widedeep::fetch;
use widedeep::inside::language::text::{self, Reading};
use widedeep::inside::language::{Rule, Sequences, counting, gather};
use widedeep::llama::{
    Cett, Engine, EngineConfig, Model, NextTokens, Region, Sampling, Sharing, Step, Tap, TapConfig, Threads, Weights,
};

/// Reads texts with and without a tap, in turn, and prints tokens per second
#[derive(Debug, Parser)]
struct Arguments {
    /// Text files; every line is a text
    #[arg(required = true)]
    texts: Vec<PathBuf>,

    /// Model: a name from `widedeep models list`, or the path of a GGUF file
    #[arg(long, default_value = "smollm2-135m")]
    model: String,

    /// Tokens per round
    #[arg(long, default_value = "2000")]
    tokens: NonZeroUsize,

    /// Tokens that are read as one sequence
    #[arg(long, default_value = "512")]
    block: NonZeroUsize,

    /// Rounds
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,

    /// Threads
    #[arg(long, default_value = "auto")]
    threads: Threads,

    /// Command that reads the blocks in another way, such as `python hooks.py MODEL.gguf`
    #[arg(long)]
    rival: Option<String>,
}

/// A process that reads the same blocks.
struct Rival {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Rival {
    fn start(command: &str) -> anyhow::Result<Self> {
        let mut words = command.split_whitespace();
        let mut child = Command::new(words.next().context("the rival's command is empty")?)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the rival")?;
        let input = child.stdin.take().context("the rival has no input")?;
        let output = BufReader::new(child.stdout.take().context("the rival has no output")?);
        Ok(Self { child, input, output })
    }

    /// Seconds for the blocks, and the sum of all its CETT: what both must agree on.
    fn read(&mut self, blocks: &[Vec<i32>], threads: usize, predictions: bool) -> anyhow::Result<(f64, f64)> {
        writeln!(
            self.input,
            "{}",
            serde_json::json!({ "blocks": blocks, "threads": threads, "predictions": predictions })
        )?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the rival answered {line:?}"))
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let model = Model::load(&fetch::resolve_model(&arguments.model)?, 0)?;
    let mut corpora = Vec::new();
    for path in &arguments.texts {
        corpora.extend(text::read(path, Some("all"), Reading::Whole)?);
    }
    let material = gather(corpora, &[])?.pop().context("there is no text")?;
    // One text in blocks for all of them.
    let block = arguments.block.get();
    let rule = Rule {
        cutting: widedeep::inside::language::rule::Cutting::Blocks {
            length: block,
            remainder: widedeep::inside::language::rule::Remainder::Keep,
        },
        ..Rule::default()
    };
    let sequences = Sequences::new(&model, &material, rule, Some(arguments.tokens.get()))?;
    let whole = material
        .samples
        .iter()
        .map(widedeep::inside::language::Sample::text)
        .collect::<Vec<_>>()
        .join("\n");
    let tokens = model.tokens(&whole);
    let blocks: Vec<_> = tokens.chunks(block).take(sequences.read().div_ceil(block)).collect();
    let read: usize = blocks.iter().map(|block| block.len()).sum();
    let (mut tap, engine) = contestants(&model, block, arguments.threads)?;
    let script = [Step::Generate {
        max_tokens: 1,
        stop: Vec::new(),
    }];
    let norms = Weights::open(model.path())?.down_norms()?;
    let mut rival = arguments.rival.as_deref().map(Rival::start).transpose()?;
    let ids: Vec<Vec<i32>> = blocks
        .iter()
        .map(|block| block.iter().map(|token| token.0).collect())
        .collect();
    let threads = match arguments.threads {
        Threads::Auto => std::thread::available_parallelism()?.get(),
        Threads::Fixed(threads) => threads.get(),
    };
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{}: {read} tokens per round in blocks of {block}, {threads} threads, tokens per second",
        arguments.model
    )?;
    writeln!(
        out,
        "| round | counting | CETT | CETT, predictions | engine | rival: CETT | rival: CETT, predictions |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )?;
    let mut rates: [Vec<f64>; 6] = Default::default();
    let mut totals = (0.0, 0.0);
    for round in 0..=arguments.rounds.get() {
        let mut own = [f64::NAN; 6];
        let start = Instant::now();
        counting::language(&mut tap, &sequences, &mut |_| {})?;
        own[0] = sequences.read() as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        totals.0 = 0.0;
        for block in &blocks {
            let mut cett = Cett::new(tap.ffn(), &norms, vec![Region::span(1..block.len())]);
            tap.read(block, 1, &mut cett)?;
            let mean = cett.mean(0).context("a block of one token")?;
            totals.0 += mean.iter().sum::<f64>() * (block.len() - 1) as f64;
        }
        own[1] = read as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        for block in &blocks {
            let cett = Cett::new(tap.ffn(), &norms, vec![Region::span(1..block.len())]);
            tap.read(block, 1, &mut (cett, NextTokens::default()))?;
        }
        own[2] = read as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        for block in &blocks {
            let job = engine.job(block.to_vec(), model.script(&script), Sampling::greedy(), 0);
            pollster::block_on(engine.submit(vec![job])).remove(0)?;
        }
        own[3] = read as f64 / start.elapsed().as_secs_f64();
        if let Some(rival) = &mut rival {
            let (seconds, total) = rival.read(&ids, threads, false)?;
            own[4] = read as f64 / seconds;
            totals.1 = total;
            let (seconds, _) = rival.read(&ids, threads, true)?;
            own[5] = read as f64 / seconds;
        }
        // The first round warms caches.
        if round == 0 {
            continue;
        }
        writeln!(out, "| {round} | {} |", cells(&own))?;
        for (rates, own) in rates.iter_mut().zip(own) {
            rates.push(own);
        }
    }
    report(&rates, rival.is_some().then_some(totals), &mut out)
}

/// Medians of the rounds, and of their ratios; the sums of CETT where there is a rival.
fn report(rates: &[Vec<f64>], totals: Option<(f64, f64)>, out: &mut impl Write) -> anyhow::Result<()> {
    let middle = |rates: &[f64]| {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let medians: Vec<f64> = rates.iter().map(|rates| middle(rates)).collect();
    writeln!(out, "| median | {} |", cells(&medians))?;
    let ratio = |above: usize, below: usize| {
        let ratios: Vec<f64> = rates[above]
            .iter()
            .zip(&rates[below])
            .map(|(above, below)| above / below)
            .collect();
        middle(&ratios)
    };
    writeln!(
        out,
        "medians of ratios to the engine: counting {:.2}, CETT {:.2}, CETT with predictions {:.2}",
        ratio(0, 3),
        ratio(1, 3),
        ratio(2, 3)
    )?;
    if let Some((own, other)) = totals {
        writeln!(
            out,
            "to the rival: CETT {:.2}, with predictions {:.2}; sums of CETT: {:.2} and {:.2}",
            ratio(1, 4),
            ratio(2, 5),
            own,
            other
        )?;
    }
    Ok(())
}

/// A tap and an engine for blocks of so many tokens.
fn contestants(model: &Arc<Model>, block: usize, threads: Threads) -> anyhow::Result<(Tap<'_>, Engine)> {
    let tap = Tap::new(
        model,
        &TapConfig {
            context: block.max(2),
            chunk: None,
            threads,
        },
    )?;
    let engine = Engine::start(
        Arc::clone(model),
        &EngineConfig {
            context: Some(2 * block),
            parallel: 1,
            threads,
            sharing: Sharing::Nothing,
            ..EngineConfig::default()
        },
    )?;
    Ok((tap, engine))
}

fn cells(rates: &[f64]) -> String {
    let cells = rates.iter().map(|rate| format!("{rate:.0}"));
    cells.collect::<Vec<_>>().join(" | ")
}
