//! How far the units of two functions are the same (distribution similarity, spec §4.4).

use serde::{Deserialize, Serialize};

/// The overlap of functions, mean over layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// `|A ∩ B| / k`, `[layers][functions][functions]`.
    pub per_layer: Vec<Vec<Vec<f64>>>,
    /// The mean over layers, `[functions][functions]`.
    pub mean: Vec<Vec<f64>>,
}

/// `sets[layer][function]` are ascending unit indices, as many for each function of a layer. Two random sets of k of f units share `k/f` on average. Two empty sets
/// share nothing.
pub fn overlap(sets: &[Vec<Vec<usize>>]) -> Overlap {
    let functions = sets.first().map_or(0, Vec::len);
    let of_layer = |layer: &Vec<Vec<usize>>| -> Vec<Vec<f64>> {
        let row = |left: &Vec<usize>| layer.iter().map(|right| similarity(left, right)).collect();
        layer.iter().map(row).collect()
    };
    let per_layer: Vec<Vec<Vec<f64>>> = sets.iter().map(of_layer).collect();
    let cell = |row: usize, column: usize| {
        let sum: f64 = per_layer.iter().map(|layer| layer[row][column]).sum();
        sum / per_layer.len() as f64
    };
    let mean = (0..functions)
        .map(|row| (0..functions).map(|column| cell(row, column)).collect())
        .collect();
    Overlap { per_layer, mean }
}

fn similarity(left: &[usize], right: &[usize]) -> f64 {
    let larger = left.len().max(right.len()).max(1);
    shared(left, right) as f64 / larger as f64
}

/// `|A ∩ B| / |A ∪ B|` of ascending indices; 0 for two empty sets.
pub fn jaccard(left: &[usize], right: &[usize]) -> f64 {
    let shared = shared(left, right);
    let either = left.len() + right.len() - shared;
    shared as f64 / either.max(1) as f64
}

fn shared(left: &[usize], right: &[usize]) -> usize {
    left.iter().filter(|unit| right.binary_search(unit).is_ok()).count()
}
