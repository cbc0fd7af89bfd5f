//! Differences between two models or networks as rows of a record.

use serde::Serialize;

use super::compare::{Difference, FlowDifference, LinkDifference, NodeDifference, SampleDifference};
use super::record::Record;
use super::sets::Mode;

/// One divergence between two models.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Divergence {
    /// The first model.
    pub a: String,
    /// The second.
    pub b: String,
    /// The block.
    pub block: usize,
    /// The second model's block.
    pub block_b: usize,
    /// The expert.
    pub expert: Option<usize>,
    /// The matrix, or the set with its measure and mode, as `ffn_neuron/strength/folded`.
    pub what: String,
    /// `jensen_shannon_bits`, `wasserstein`, `kolmogorov_smirnov`, `brown_forsythe` and others.
    pub measure: &'static str,
    /// Its value.
    pub value: f64,
    /// Its p-value, where it is a test's statistic.
    pub p: Option<f64>,
    /// That by Holm's correction for all rows of the comparison.
    pub p_holm: Option<f64>,
}

/// A measure's name, its value, and its p-values.
type Figure = (&'static str, Option<f64>, Option<[Option<f64>; 2]>);

/// What two rows are called, and where they stand.
struct At<'a> {
    models: (&'a str, &'a str),
    blocks: (usize, usize),
    expert: Option<usize>,
    what: String,
}

impl Record {
    /// Adds how node values differ between two models.
    pub fn add_node_differences(&mut self, a: &str, b: &str, rows: &[NodeDifference]) {
        for row in rows {
            let mode = match row.mode {
                Mode::Raw => "raw",
                Mode::Folded => "folded",
            };
            let at = At {
                models: (a, b),
                blocks: (row.block, row.block_b),
                expert: row.expert,
                what: format!("{}/{}/{mode}", row.set.name(), row.measure.name()),
            };
            self.push_divergences(&at, &figures(&row.difference));
        }
    }

    /// Adds how what nodes do over a text differs.
    pub fn add_flow_differences(&mut self, a: &str, b: &str, rows: &[FlowDifference]) {
        for row in rows {
            let at = At {
                models: (a, b),
                blocks: (row.block, row.block_b),
                expert: None,
                what: format!("{}/{}/text", row.set.name(), row.metric),
            };
            let values = ("values_jensen_shannon_bits", Some(row.values_jensen_shannon_bits), None);
            self.push_divergences(&at, &[values]);
            self.push_divergences(&at, &figures(&row.difference));
        }
    }

    /// Adds how two small networks differ.
    pub fn add_sample_differences(&mut self, a: &str, b: &str, rows: &[SampleDifference]) {
        for row in rows {
            let at = At {
                models: (a, b),
                blocks: (row.block, row.block),
                expert: None,
                what: format!("{}/{}", row.set, row.measure),
            };
            self.push_divergences(&at, &[("jeffreys_integral", row.jeffreys, None)]);
            self.push_divergences(&at, &figures(&row.difference));
        }
    }

    /// Adds how weights differ between two models.
    pub fn add_link_differences(&mut self, a: &str, b: &str, rows: &[LinkDifference]) {
        for row in rows {
            let at = At {
                models: (a, b),
                blocks: (row.block, row.block_b),
                expert: row.expert,
                what: row.tensor.clone(),
            };
            let figures = [
                ("jensen_shannon_bits", Some(row.jensen_shannon_bits), None),
                ("wasserstein", Some(row.wasserstein), None),
                ("kolmogorov_smirnov", Some(row.kolmogorov_smirnov), None),
                ("rms_difference", row.rms_difference, None),
            ];
            self.push_divergences(&at, &figures);
        }
    }

    fn push_divergences(&mut self, at: &At<'_>, figures: &[Figure]) {
        self.divergences
            .extend(figures.iter().filter_map(|&(measure, value, p)| {
                let [p, p_holm] = p.unwrap_or_default();
                Some(Divergence {
                    a: at.models.0.to_owned(),
                    b: at.models.1.to_owned(),
                    block: at.blocks.0,
                    block_b: at.blocks.1,
                    expert: at.expert,
                    what: at.what.clone(),
                    measure,
                    value: value?,
                    p,
                    p_holm,
                })
            }));
    }
}

fn figures(row: &Difference) -> [Figure; 11] {
    let paired = row.paired.as_ref();
    [
        ("std_a", Some(row.std_a), None),
        ("std_b", Some(row.std_b), None),
        ("jensen_shannon_bits", Some(row.jensen_shannon_bits), None),
        ("jensen_shannon_noise_bits", Some(row.jensen_shannon_noise_bits), None),
        ("wasserstein", Some(row.wasserstein), None),
        (
            "kolmogorov_smirnov",
            Some(row.kolmogorov_smirnov),
            Some([row.kolmogorov_smirnov_p, row.kolmogorov_smirnov_p_holm].map(Some)),
        ),
        (
            "standardised_kolmogorov_smirnov",
            row.standardised_kolmogorov_smirnov,
            None,
        ),
        (
            "brown_forsythe",
            row.brown_forsythe,
            Some([row.brown_forsythe_p, row.brown_forsythe_p_holm]),
        ),
        ("shift_std", paired.map(|paired| paired.shift_std), None),
        (
            "shift_std_relative",
            paired.and_then(|paired| paired.shift_std_relative),
            None,
        ),
        ("correlation", paired.and_then(|paired| paired.correlation), None),
    ]
}
