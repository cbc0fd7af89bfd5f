//! A comparison in few lines: one per set, measure or matrix, over all blocks.

use serde::Serialize;

use super::difference::Difference;
use super::flows::FlowDifference;
use super::links::LinkDifference;
use super::nodes::NodeDifference;
use crate::inside::topology::sets::Mode;
use crate::inside::topology::summary::quantile;

/// Corrected p-values up to this are counted.
pub const LEVEL: f64 = 0.05;

/// One quantity over all blocks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverviewRow {
    /// The matrix, or the set with its measure.
    pub what: String,
    /// Blocks (and experts) that were compared.
    pub blocks: usize,
    /// Median over blocks, in bits.
    pub jensen_shannon_bits: f64,
    /// Median of what sampling noise alone would give, of nodes.
    pub jensen_shannon_noise_bits: Option<f64>,
    /// Median over blocks.
    pub kolmogorov_smirnov: f64,
    /// Median over blocks, after mean and spread were brought to 0 and 1.
    pub standardised_kolmogorov_smirnov: Option<f64>,
    /// Blocks whose distributions differ at [`LEVEL`] after correction.
    pub kolmogorov_smirnov_found: Option<usize>,
    /// Blocks whose spreads differ at [`LEVEL`] after correction.
    pub brown_forsythe_found: Option<usize>,
    /// Median of the second's standard deviation divided by the first's.
    pub std_ratio: Option<f64>,
    /// Median correlation node by node, where the sets have one size.
    pub correlation: Option<f64>,
    /// Median root mean square difference weight by weight, where the shapes are the same.
    pub rms_difference: Option<f64>,
}

/// Matrices, then strengths and disparities with norms folded in, then what nodes do over the text.
#[must_use]
pub fn overview(links: &[LinkDifference], nodes: &[NodeDifference], flows: &[FlowDifference]) -> Vec<OverviewRow> {
    let mut rows = Vec::new();
    for tensor in unique(links.iter().map(|row| row.tensor.clone())) {
        let of: Vec<&LinkDifference> = links.iter().filter(|row| row.tensor == tensor).collect();
        rows.push(OverviewRow {
            blocks: of.len(),
            jensen_shannon_bits: median(of.iter().map(|row| row.jensen_shannon_bits)).unwrap_or(0.0),
            jensen_shannon_noise_bits: None,
            kolmogorov_smirnov: median(of.iter().map(|row| row.kolmogorov_smirnov)).unwrap_or(0.0),
            standardised_kolmogorov_smirnov: None,
            kolmogorov_smirnov_found: None,
            brown_forsythe_found: None,
            std_ratio: None,
            correlation: None,
            rms_difference: median(of.iter().filter_map(|row| row.rms_difference)),
            what: tensor,
        });
    }
    let folded = nodes.iter().filter(|row| row.mode == Mode::Folded);
    let nodes = folded.map(|row| (format!("{}/{}", row.set.name(), row.measure.name()), &row.difference));
    let flows = flows.iter().map(|row| {
        (
            format!("{}/{} over the text", row.set.name(), row.metric),
            &row.difference,
        )
    });
    let named: Vec<(String, &Difference)> = nodes.chain(flows).collect();
    for what in unique(named.iter().map(|(what, _)| what.clone())) {
        let of = || named.iter().filter(|(name, _)| *name == what).map(|(_, row)| *row);
        let found = |p: fn(&Difference) -> Option<f64>| of().filter(|row| p(row).is_some_and(|p| p <= LEVEL)).count();
        rows.push(OverviewRow {
            blocks: of().count(),
            jensen_shannon_bits: median(of().map(|row| row.jensen_shannon_bits)).unwrap_or(0.0),
            jensen_shannon_noise_bits: median(of().map(|row| row.jensen_shannon_noise_bits)),
            kolmogorov_smirnov: median(of().map(|row| row.kolmogorov_smirnov)).unwrap_or(0.0),
            standardised_kolmogorov_smirnov: median(of().filter_map(|row| row.standardised_kolmogorov_smirnov)),
            kolmogorov_smirnov_found: Some(found(|row| Some(row.kolmogorov_smirnov_p_holm))),
            brown_forsythe_found: Some(found(|row| row.brown_forsythe_p_holm)),
            std_ratio: median(of().filter(|row| row.std_a > 0.0).map(|row| row.std_b / row.std_a)),
            correlation: median(of().filter_map(|row| row.paired.as_ref()?.correlation)),
            rms_difference: None,
            what,
        });
    }
    rows
}

/// Each name once, in the order of first appearance.
fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    (!values.is_empty()).then(|| quantile(&values, 0.5))
}
