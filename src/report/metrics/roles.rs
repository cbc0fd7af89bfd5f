//! How wide the network was, and from how many angles it looked.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::network::Evaluation;

/// The roles of the neurons over all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Roles {
    /// Pairs.
    pub pairs: usize,
    /// Roles, and so neurons of a layer that is heard in full, on average over the pairs.
    pub mean_width: f64,
    /// The narrowest network of the run.
    pub min_width: usize,
    /// The widest.
    pub max_width: usize,
    /// Different roles over all pairs; upper and lower case, and space around a name, make no difference.
    pub distinct: usize,
}

impl Roles {
    /// `None` over no pairs.
    pub(super) fn of<'a>(evaluations: impl Iterator<Item = &'a Evaluation>) -> Option<Self> {
        let mut distinct: BTreeSet<String> = BTreeSet::new();
        let mut widths: Vec<usize> = Vec::new();
        for evaluation in evaluations {
            widths.push(evaluation.roles.roles.len());
            let names = evaluation.roles.roles.iter().flatten();
            distinct.extend(names.map(|name| name.trim().to_lowercase()));
        }
        Some(Self {
            pairs: widths.len(),
            min_width: *widths.iter().min()?,
            max_width: *widths.iter().max()?,
            mean_width: widths.iter().sum::<usize>() as f64 / widths.len() as f64,
            distinct: distinct.len(),
        })
    }
}
