//! Twelve pairs, and judges that say of them what a test wants.

use std::path::PathBuf;

use widedeep::cost::Tariff;
use widedeep::pair::{Label, Pair};
use widedeep::report::compare::{Compared, Terms, compare};
use widedeep::run::{Baseline, RunConfig};

use crate::runs::{Layers, Run, by_network, network, neuron, pair};

/// Human labels; 1 and 2 for the models, T for a tie.
pub const GOLD: &str = "112212T121T2";
/// What two networks say.
pub const ONE: &str = "112211T12112";
pub const TWO: &str = "122112T111T1";

const FOR_ONE: Layers = &[&[neuron((8., 6.), (7., 6.))]];
const FOR_TWO: Layers = &[&[neuron((6., 8.), (6., 7.))]];
const FOR_NEITHER: Layers = &[&[neuron((7., 7.), (6., 6.))]];
/// Prefers what is shown first, the first response a little more: a verdict for it, by one call of two.
pub const TORN: Layers = &[&[neuron((9., 3.), (6., 7.))]];

pub fn labels(text: &str) -> Vec<Label> {
    let label = |c| match c {
        '1' => Label::Model1,
        '2' => Label::Model2,
        _ => Label::Tie,
    };
    text.chars().map(label).collect()
}

/// The pairs: responses 1 and 2 are the longer ones in turns.
pub fn pairs() -> Vec<Pair> {
    let pair = |(index, label): (usize, Label)| {
        let lengths = if index % 2 == 0 { [9, 4] } else { [4, 9] };
        pair(index, "shp", Some(label), lengths)
    };
    labels(GOLD).into_iter().enumerate().map(pair).collect()
}

/// A network of this name that says this with this seed; where a letter is `x`, it is torn.
pub fn judged(name: &str, seed: u64, says: &str) -> Run {
    judged_as(&configuration(name, seed), says)
}

pub fn configuration(name: &str, seed: u64) -> RunConfig {
    let mut network = network(&[]);
    network.name = name.into();
    RunConfig {
        seed,
        ..by_network(network)
    }
}

pub fn judged_as(config: &RunConfig, says: &str) -> Run {
    let pairs = pairs();
    let run = Run::start(config, &pairs);
    for (pair, said) in pairs.iter().zip(says.chars()) {
        let layers = match said {
            '1' => FOR_ONE,
            '2' => FOR_TWO,
            'x' => TORN,
            _ => FOR_NEITHER,
        };
        run.judge(pair, layers);
    }
    run
}

pub fn baseline(baseline: Baseline) -> Run {
    Run::baseline(baseline, &pairs())
}

pub fn folders(runs: &[&Run]) -> Vec<PathBuf> {
    runs.iter().map(|run| run.path().to_owned()).collect()
}

pub fn compared(runs: &[&Run]) -> Compared {
    compare(&folders(runs), &Terms::default()).unwrap()
}

/// Local models cost nothing but the machine, which costs nothing either.
pub fn free_machine() -> Tariff {
    Tariff {
        machine_usd_per_hour: Some(0.0),
        ..Tariff::default()
    }
}

pub fn assert_near(found: impl Into<Option<f64>>, expected: f64, what: &str) {
    let found: Option<f64> = found.into();
    assert!(
        found.is_some_and(|found| (found - expected).abs() < 5e-7),
        "{what}: {found:?} is not {expected}"
    );
}
