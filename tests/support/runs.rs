//! What runs of tests are made of.

use std::path::PathBuf;

use widedeep::network::{Network, shipped};
use widedeep::pair::{Label, Pair, Selection, Taxonomy};
use widedeep::prompt::Prompts;
use widedeep::run::{DataSource, Judge, RunConfig};

/// The configuration of a run over some pairs, with seed 7 and the texts that come with the program.
pub fn config(judge: Judge) -> RunConfig {
    RunConfig {
        widedeep: "0.1.0".to_owned(),
        data: DataSource {
            path: PathBuf::from("pairs.jsonl"),
            format: "jsonl".to_owned(),
            blake3: "00".to_owned(),
            selection: Selection::default(),
            skipped: 0,
        },
        judge,
        seed: 7,
        prompts: Prompts::embedded().digest(),
        taxonomy: Taxonomy::embedded().digest(),
    }
}

/// A shipped network with changes.
pub fn network(name: &str, overrides: &[&str]) -> Network {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Network::parse(shipped(name).unwrap(), name, &overrides).unwrap()
}

/// So many pairs, of these datasets in turn. Indices are places in the source, of which a selection leaves some out.
pub fn pairs(n: usize, datasets: &[&str]) -> Vec<Pair> {
    let pair = |index: usize| Pair {
        index: 10 * index + 3,
        id: None,
        query: format!("What is {index}?"),
        response1: format!("One says {}.", "this ".repeat(index % 3)),
        response2: format!("Two says {}.", "that ".repeat(index % 2)),
        label: Some(Label::Model1),
        dataset: datasets[index % datasets.len()].to_owned(),
    };
    (0..n).map(pair).collect()
}
