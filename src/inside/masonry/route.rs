//! Which function a query belongs to (spec §6.1), and so which brick, adapter or model serves it.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::MasonryError;
use super::functions::Functions;
use super::profiles::{Presentation, Profiles};
use super::specialise::{Settings, choose};
use crate::inside::bricks::route::{
    Accuracy, Route, Signatures, UnitScale, activity_of_functions, by_function, evaluate,
};
use crate::inside::bricks::specialise::{Aggregation, halves};
use crate::inside::bricks::{Matrix, Unit};

/// The format that this version writes.
const VERSION: u32 = 1;

/// A router in a file: one signature per function, and how a query's vector is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Router {
    version: u32,
    /// BLAKE3 of the model's file: profiles of another model mean something else.
    pub model: String,
    /// How texts are put to the model.
    pub presentation: Presentation,
    /// What a unit's number is.
    pub aggregation: Aggregation,
    /// The functions' signatures.
    pub signatures: Signatures,
}

/// How good the choices are on texts that nothing was learnt from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// By the nearest signature.
    pub by_signature: Accuracy,
    /// By which function's units are most active.
    pub by_units: Accuracy,
    /// By signature: `[right][chosen]`; the last column counts queries for which none was chosen.
    pub confusion: Vec<Vec<usize>>,
}

/// Learns signatures on one half of the texts and measures on the other.
pub fn learn(
    profiles: &Profiles,
    functions: &Functions,
    settings: &Settings,
    threshold: f64,
    model: &str,
    presentation: Presentation,
) -> Result<(Router, Evaluation), MasonryError> {
    let labels = functions.labels()?;
    let split = halves(&labels, settings.seed);
    let all = profiles.all();
    let right =
        |instances: &[usize]| -> Vec<usize> { instances.iter().map(|&nth| labels.of_instance()[nth]).collect() };
    let rows = |instances: &[usize]| -> Matrix<f32> {
        Matrix::from_fn(instances.len(), all.columns(), |row, column| {
            all.at(instances[row], column)
        })
    };
    let learning = rows(&split.choosing);
    let names = labels.functions().to_vec();
    let signatures = Signatures::learn(names.clone(), &learning, &right(&split.choosing))?;
    let scale = UnitScale::new(&learning);
    let chosen = choose(profiles, &labels, &split.choosing, settings)?;
    let place = |unit: Unit| unit.layer * profiles.units() + unit.index;
    let sets: Vec<Vec<usize>> = chosen
        .bricks
        .iter()
        .map(|(_, units)| units.iter().map(place).collect())
        .collect();
    let (mut by_signature, mut by_units) = (Vec::new(), Vec::new());
    for &nth in &split.measuring {
        let route = signatures.route(all.row(nth), threshold)?;
        by_signature.push(
            route
                .chosen
                .and_then(|name| names.iter().position(|other| *other == name)),
        );
        by_units.push(by_function(&activity_of_functions(all.row(nth), &scale, &sets)?));
    }
    let wanted = right(&split.measuring);
    let mut confusion = vec![vec![0; names.len() + 1]; names.len()];
    for (&right, choice) in wanted.iter().zip(&by_signature) {
        confusion[right][choice.unwrap_or(names.len())] += 1;
    }
    let evaluation = Evaluation {
        by_signature: evaluate(&by_signature, &wanted, names.len())?,
        by_units: evaluate(&by_units, &wanted, names.len())?,
        confusion,
    };
    let router = Router {
        version: VERSION,
        model: model.to_owned(),
        presentation,
        aggregation: Aggregation::MeanAbsolute,
        signatures,
    };
    Ok((router, evaluation))
}

impl Router {
    /// Reads a router that was made for this model.
    pub fn read(path: &Path, model: &str) -> Result<Self, MasonryError> {
        let text = fs::read_to_string(path).map_err(|source| MasonryError::Read {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |line: usize, problem: String| MasonryError::Line {
            path: path.to_owned(),
            line,
            problem,
        };
        let router: Self = serde_json::from_str(&text)
            .map_err(|error| wrong(error.line(), format!("{error}; make the router anew with `route`")))?;
        if router.version != VERSION {
            return Err(wrong(
                1,
                format!("its version is {}, and {VERSION} is known", router.version),
            ));
        }
        if router.model != model {
            return Err(wrong(
                1,
                "it was made with another model file; make one for this model".to_owned(),
            ));
        }
        Ok(router)
    }

    /// Ranks the functions for a query's profile.
    pub fn route(&self, profile: &[f32], threshold: f64) -> Result<Route, MasonryError> {
        Ok(self.signatures.route(profile, threshold)?)
    }
}
