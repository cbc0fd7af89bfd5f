//! `widedeep inside bricks update`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Subcommand;

use super::texts::{folder, model, sorted};
use crate::cli::{Failure, failed, input, note, say};
use widedeep::fetch;
use widedeep::inside::edit::read_units;
use widedeep::inside::masonry::functions::Functions;
use widedeep::inside::masonry::update::{Fact, Written, transplant, write_fact};
use widedeep::llama::{NextTokens, Tap, TapConfig, Threads, Weights};

/// Replace the units of a brick, or write a fact
///
/// To scale or silence a brick's units, see `widedeep edit`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write a copy of a model in which some units are those of another model of the same shape
    Units {
        /// Model: a name from `widedeep models list`, or the path of a GGUF file
        model: String,

        /// JSON file with the units: a brick, a detector, a list
        #[arg(long, value_name = "FILE")]
        units: PathBuf,

        /// Model whose units they become
        #[arg(long, value_name = "MODEL")]
        from: String,

        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write an adapter of rank 1 after which a prompt goes on as it does with another subject
    ///
    /// The output of layers at the subject becomes what it is at --towards, and the changes are those that move other outputs least. The model's file stays as it is.
    Fact {
        /// Model: a name from `widedeep models list`, or the path of a GGUF file
        model: String,

        /// Prompt whose continuation is to change, with `{}` in place of the subject, such as "The capital of {} is"
        #[arg(long, value_name = "TEXT")]
        prompt: String,

        /// The subject
        #[arg(long, value_name = "TEXT")]
        subject: String,

        /// A subject with which the model continues the prompt as wanted
        #[arg(long, value_name = "TEXT")]
        towards: String,

        /// What is to follow, whose probability is told
        #[arg(long, value_name = "TEXT")]
        target: String,

        /// Layers whose `ffn_down` is changed: one, or a range such as 2-12
        #[arg(long, value_name = "LAYERS", value_parser = range)]
        layers: RangeInclusive<usize>,

        /// Tokens of ordinary text that say what to leave alone
        #[arg(long, value_name = "N", default_value = "2048")]
        tokens: usize,

        /// Adapter to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Units {
            model,
            units,
            from,
            out,
        } => {
            let (model, from) = (fetch::resolve_model(model), fetch::resolve_model(from));
            let (model, from) = (model.map_err(input)?, from.map_err(input)?);
            let ffn = Weights::open(&model).and_then(|weights| weights.ffn()).map_err(input)?;
            let units = read_units(units, &ffn).map_err(input)?;
            transplant(&model, &from, &units, out).map_err(sorted)?;
            note(&format!("wrote {}", out.display()));
            say(&format!("{} units are those of {}", units.len(), from.display()))
        }
        What::Fact {
            model: name,
            prompt,
            subject,
            towards,
            target,
            layers,
            tokens,
            out,
        } => {
            let Some((head, tail)) = prompt.split_once("{}") else {
                return Err(input(anyhow::anyhow!(
                    "`{prompt}` does not say where its subject is; write {{}} there, as in \"The capital of {{}} is\""
                )));
            };
            let prompt = &format!("{head}{subject}{tail}");
            if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                folder(parent)?;
            }
            let model = model(name)?;
            let config = TapConfig {
                context: 512,
                chunk: None,
                threads: Threads::Auto,
            };
            let mut tap = Tap::new(&model, &config).map_err(input)?;
            let functions = Functions::shipped().map_err(failed)?;
            let texts: Vec<&str> = functions
                .instances()
                .iter()
                .map(|instance| instance.text.as_str())
                .collect();
            let prose = functions.names().iter().position(|name| name == "prose").unwrap_or(0);
            let prefixes: Vec<&str> = functions.of(prose).into_iter().take(10).map(|nth| texts[nth]).collect();
            let fact = Fact {
                layers: layers.clone(),
                subject: format!("{head}{subject}"),
                towards: format!("{head}{towards}"),
            };
            let before = probability(&mut tap, prompt, target)?;
            let aside = aside(&mut tap, &texts)?;
            let written = write_fact(&model, &mut tap, &fact, &prefixes, &texts, *tokens, out).map_err(sorted)?;
            note(&format!("wrote {}", out.display()));
            let after = probability(&mut tap, prompt, target)?;
            let still = self::aside(&mut tap, &texts)?;
            say(&shown(&written, target, [before, after], [aside, still]))
        }
    }
}

/// `5` or `2-12`.
fn range(text: &str) -> Result<RangeInclusive<usize>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err("expected a layer such as 5, or a range such as 2-12".to_owned()),
    }
}

fn shown(written: &Written, target: &str, probability: [f64; 2], aside: [f64; 2]) -> String {
    format!(
        "probability of `{target}` after the prompt: {:.4} → {:.4}\n\
         perplexity of other texts: {:.3} → {:.3} ({:+.2} %)\n\
         largest relative change of a weight: {:.2e}, from {} prefixes and {} tokens",
        probability[0],
        probability[1],
        aside[0],
        aside[1],
        100.0 * (aside[1] / aside[0] - 1.0),
        written.relative_change,
        written.prefixes,
        written.tokens
    )
}

/// The probability that `target` follows.
fn probability(tap: &mut Tap<'_>, prompt: &str, target: &str) -> Result<f64, Failure> {
    let before = tap.model().tokens(prompt).len();
    let all = tap.model().tokens(&format!("{prompt}{target}"));
    let mut next = NextTokens::default();
    tap.read(&all, 0, &mut next).map_err(failed)?;
    let log: f64 = next.tokens()[before.saturating_sub(1)..]
        .iter()
        .filter_map(|token| token.log_probability)
        .sum();
    Ok(log.exp())
}

/// Perplexity over texts that have nothing to do with it.
fn aside(tap: &mut Tap<'_>, texts: &[&str]) -> Result<f64, Failure> {
    let (mut nats, mut tokens) = (0.0, 0.0);
    for text in texts.iter().step_by(4) {
        let read = tap.model().tokens(text);
        let found = tap.perplexity(&read).map_err(failed)?;
        nats += found.nats * found.tokens as f64;
        tokens += found.tokens as f64;
    }
    Ok(f64::exp(nats / tokens))
}
