//! The division of a model's layers into four parts.
//!
//! The paper draws the borders by eye. The rule here (specification, section 6) is ours: the last layer is the vocabulary output; the shared semantic
//! space is the longest run of layers before it with hardly any language units; what lies before that run understands, what lies after it
//! transforms. Not every family of models has such a run, and none is forced on them.

use std::ops::Range;

use serde::Serialize;

use super::{classes::Classes, rate::Rate};

/// At most this share of all language units lies in a layer of the shared semantic space.
pub const EMPTY: f64 = 0.005;

/// A shared semantic space has at least so many layers.
const LEAST: usize = 2;

/// The parts as ranges of layers. Understanding or transformation may be empty, where the run touches an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum Parts {
    /// All four.
    Four {
        /// Multilingual understanding: the first layers.
        understanding: Range<usize>,
        /// Reasoning in a shared semantic space: language units are nearly absent.
        shared: Range<usize>,
        /// Transformation into the output language.
        transformation: Range<usize>,
        /// Output in vocabulary space: the last layer.
        output: usize,
    },
    /// No run of at least two layers is nearly free of language units.
    NoShared {
        /// The layers before the last.
        body: Range<usize>,
        /// The last layer.
        output: usize,
    },
}

/// Divides layers by their numbers of language units (specific and related), `[layer]`: a layer belongs to the shared space if it has at most `empty`
/// times their sum. `None` without any layer or any language unit.
pub fn divide(language_units: &[usize], empty: Rate) -> Option<Parts> {
    let output = language_units.len().checked_sub(1)?;
    let sum: usize = language_units.iter().sum();
    if sum == 0 {
        return None;
    }
    let most = empty.get() * sum as f64;
    let mut longest = 0..0;
    let mut start = 0;
    let full = language_units[..output].iter().map(|&units| units as f64 > most);
    // The last layer ends a run whatever it holds.
    for (layer, full) in full.chain([true]).enumerate() {
        if !full {
            continue;
        }
        // Strictly longer: of equal runs the earliest stays.
        if layer - start > longest.len() {
            longest = start..layer;
        }
        start = layer + 1;
    }
    if longest.len() < LEAST {
        return Some(Parts::NoShared {
            body: 0..output,
            output,
        });
    }
    Some(Parts::Four {
        understanding: 0..longest.start,
        transformation: longest.end..output,
        shared: longest,
        output,
    })
}

impl Classes {
    /// The parts of this model, with the share that the specification recommends.
    pub fn parts(&self) -> Option<Parts> {
        let language_units: Vec<usize> = self.layers.iter().map(|layer| layer.language_units()).collect();
        divide(&language_units, Rate::new(EMPTY).ok()?)
    }
}

impl Parts {
    /// The name of the part that a layer belongs to.
    pub fn name(&self, layer: usize) -> &'static str {
        match self {
            Self::Four { output, .. } | Self::NoShared { output, .. } if layer == *output => "vocabulary output",
            Self::Four { understanding, .. } if understanding.contains(&layer) => "understanding",
            Self::Four { shared, .. } if shared.contains(&layer) => "shared semantic space",
            Self::Four { .. } => "output transformation",
            Self::NoShared { .. } => "undivided",
        }
    }
}

impl std::fmt::Display for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let layers = |range: &Range<usize>| match range.len() {
            0 => "no layer".to_owned(),
            1 => format!("layer {}", range.start),
            _ => format!("layers {} to {}", range.start, range.end - 1),
        };
        match self {
            Self::Four {
                understanding,
                shared,
                transformation,
                output,
            } => write!(
                f,
                "understanding: {}; shared semantic space: {}; output transformation: {}; vocabulary output: layer {output}",
                layers(understanding),
                layers(shared),
                layers(transformation),
            ),
            Self::NoShared { output, .. } => write!(
                f,
                "no shared semantic space found (no run of {LEAST} layers is nearly free of language units); vocabulary output: layer {output}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn rate() -> Rate {
        Rate::new(EMPTY).unwrap()
    }

    #[test]
    fn of_equal_runs_the_earliest_is_the_shared_space() {
        let Parts::Four { shared, .. } = divide(&[50, 0, 0, 50, 0, 0, 50], rate()).unwrap() else {
            panic!()
        };
        assert_eq!(shared, 1..3);
    }

    #[test]
    fn the_last_layer_is_never_shared() {
        let parts = divide(&[50, 40, 0, 0], rate()).unwrap();
        assert_eq!(parts, Parts::NoShared { body: 0..3, output: 3 });
    }

    #[test]
    fn a_run_that_touches_the_bottom_leaves_no_understanding() {
        let parts = divide(&[0, 0, 0, 10, 5], rate()).unwrap();
        assert_eq!(
            parts.to_string(),
            "understanding: no layer; shared semantic space: layers 0 to 2; output transformation: layer 3; vocabulary output: layer 4"
        );
    }

    #[test]
    fn nothing_is_divided_without_language_units() {
        assert_eq!(divide(&[0, 0, 0], rate()), None);
        assert_eq!(divide(&[], rate()), None);
    }
}
