//! How fast counting is beside reading without a tap: `cargo run --release --example counting -- --model gemma3-270m TEXT…`.
//!
//! Three ways read the same texts in turn, round after round, so that other work on the machine falls on all of them: counting (the gates of every layer, nothing
//! after the last one), a tap that watches nothing (every operation passes by the callback, logits of all tokens), and the engine (no callback, logits of the
//! last token alone).

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use widedeep::fetch;
use widedeep::inside::language::text::{self, Reading};
use widedeep::inside::language::{Rule, Sequences, counting, gather};
use widedeep::llama::{
    Block, Engine, EngineConfig, Model, Reads, Reducer, Sampling, Sharing, Step, Tap, TapConfig, Threads,
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

    /// Rounds
    #[arg(long, default_value = "5")]
    rounds: NonZeroUsize,

    /// Threads
    #[arg(long, default_value = "auto")]
    threads: Threads,
}

/// Watches nothing; the logits are computed and not looked at.
struct Nothing;

impl Reducer for Nothing {
    fn reads(&self) -> Reads {
        Reads::NOTHING
    }

    fn block(&mut self, _: &Block<'_>) {}
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let model = Model::load(&fetch::resolve_model(&arguments.model)?, 0)?;
    let mut corpora = Vec::new();
    for path in &arguments.texts {
        corpora.extend(text::read(path, Some("all"), Reading::Whole)?);
    }
    let material = gather(corpora, &[])?.pop().context("there is no text")?;
    // One text in blocks of 512 tokens for all three.
    let rule = Rule {
        cutting: widedeep::inside::language::rule::Cutting::Blocks {
            length: 512,
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
    let blocks: Vec<_> = tokens.chunks(512).take(sequences.read().div_ceil(512)).collect();
    let read: usize = blocks.iter().map(|block| block.len()).sum();
    let mut tap = Tap::new(
        &model,
        &TapConfig {
            context: 512,
            chunk: None,
            threads: arguments.threads,
        },
    )?;
    let engine = Engine::start(
        std::sync::Arc::clone(&model),
        &EngineConfig {
            context: Some(1024),
            parallel: 1,
            threads: arguments.threads,
            sharing: Sharing::Nothing,
            ..EngineConfig::default()
        },
    )?;
    let script = [Step::Generate {
        max_tokens: 1,
        stop: Vec::new(),
    }];
    let mut out = std::io::stdout();
    writeln!(out, "{}: {read} tokens per round, tokens per second", arguments.model)?;
    writeln!(
        out,
        "| round | counting | tap that watches nothing | engine |\n| --- | ---: | ---: | ---: |"
    )?;
    let mut rates: [Vec<f64>; 3] = Default::default();
    for round in 0..=arguments.rounds.get() {
        let mut own = [0.0; 3];
        let start = Instant::now();
        counting::language(&mut tap, &sequences, &mut |_| {})?;
        own[0] = sequences.read() as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        for block in &blocks {
            tap.read(block, 1, &mut Nothing)?;
        }
        own[1] = read as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        for block in &blocks {
            let job = engine.job(block.to_vec(), model.script(&script), Sampling::greedy(), 0);
            pollster::block_on(engine.submit(vec![job])).remove(0)?;
        }
        own[2] = read as f64 / start.elapsed().as_secs_f64();
        // The first round warms caches.
        if round == 0 {
            continue;
        }
        writeln!(out, "| {round} | {:.0} | {:.0} | {:.0} |", own[0], own[1], own[2])?;
        for (rates, own) in rates.iter_mut().zip(own) {
            rates.push(own);
        }
    }
    for rates in &mut rates {
        rates.sort_by(f64::total_cmp);
    }
    let middle = |rates: &[f64]| rates[rates.len() / 2];
    let [counting, nothing, engine] = [0, 1, 2].map(|nth| middle(&rates[nth]));
    writeln!(out, "| median | {counting:.0} | {nothing:.0} | {engine:.0} |")?;
    Ok(())
}
