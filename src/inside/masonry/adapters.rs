//! Adapters combined, built into a model, and taken out of one (spec §6.2, §6.5).

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{MasonryError, Progress};
use crate::inside::bricks::Matrix;
use crate::inside::bricks::lora::{Lora, average, extract, merge_adapters};
use crate::inside::bricks::merge::{Method, Weighting};
use crate::inside::edit::Store;
use crate::llama::{AdapterFile, Draft, Gguf, Pair, Weights};

/// How adapters become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Combine {
    /// Their sum at these weights, exactly: the ranks add up.
    Join,
    /// By a method on their products, cut to a rank (that of the first, unless given).
    Cut(Method, Option<usize>),
}

/// What cutting to a rank lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cut {
    /// The tensor.
    pub tensor: String,
    /// The rank.
    pub rank: usize,
    /// The relative Frobenius norm of what was lost.
    pub relative_error: f64,
}

/// Whether a file is an adapter.
pub fn is_adapter(path: &Path) -> Result<bool, MasonryError> {
    let file = Gguf::open(path)?;
    Ok(file.field("general.type").and_then(crate::llama::Field::as_text) == Some("adapter"))
}

/// Combines adapters of one architecture, tensor by tensor. Joining takes adapters of any tensors; other methods want all to have the same.
pub fn combine(parts: &[(PathBuf, f64)], how: Combine, out: &Path) -> Result<Vec<Cut>, MasonryError> {
    let adapters: Vec<(AdapterFile, f64)> = parts
        .iter()
        .map(|(path, weight)| Ok((AdapterFile::open(path)?, *weight)))
        .collect::<Result<_, MasonryError>>()?;
    let Some((first, _)) = adapters.first() else {
        return Err(MasonryError::Texts(
            "no adapter is given; combining takes one or more".into(),
        ));
    };
    let mut tensors = Vec::new();
    for ((adapter, _), (path, _)) in adapters.iter().zip(parts) {
        let fail = |problem: String| MasonryError::Fit {
            left: parts[0].0.clone(),
            right: path.clone(),
            problem,
        };
        if adapter.architecture()? != first.architecture()? {
            return Err(fail("they are for models of other architectures".to_owned()));
        }
        let these = adapter.tensors();
        if how != Combine::Join && these != first.tensors() {
            return Err(fail(
                "they change other tensors; join them, or give adapters of the same tensors".to_owned(),
            ));
        }
        let new: Vec<String> = these.into_iter().filter(|tensor| !tensors.contains(tensor)).collect();
        tensors.extend(new);
    }
    // α = 0: the runtime's scale is the factor, and what the results' own α says is multiplied in.
    let mut draft = Draft::adapter(first.architecture()?, "combined adapters", 0.0);
    let mut cuts = Vec::new();
    for tensor in tensors {
        let loaded: Vec<(Lora<f32>, f64)> = adapters
            .iter()
            .filter(|(adapter, _)| adapter.tensors().contains(&tensor))
            .map(|(adapter, weight)| Ok((lora(adapter, &tensor)?, *weight)))
            .collect::<Result<_, MasonryError>>()?;
        let given: Vec<(&Lora<f32>, f64)> = loaded.iter().map(|(lora, weight)| (lora, *weight)).collect();
        let lora = match how {
            Combine::Join => Lora::joined(&given)?,
            Combine::Cut(method, rank) => {
                let rank = rank.or(given.first().map(|(lora, _)| lora.rank()));
                let cut = match method {
                    Method::Linear {
                        weighting: Weighting::Normalised,
                    } => average(&given, rank.unwrap_or(1))?,
                    _ => merge_adapters(method, &given, rank, cuts.len() as u64)?,
                };
                cuts.push(Cut {
                    tensor: tensor.clone(),
                    rank: cut.adapter.rank(),
                    relative_error: cut.relative_error,
                });
                cut.adapter
            }
        };
        draft.add_pair(pair(tensor, &lora))?;
    }
    draft.write(out)?;
    Ok(cuts)
}

/// Builds an adapter into a model's weights: `W + scale·(α/r)·B A`. With [`Store::As`] of `f16` that is what `llama-export-lora` does.
pub fn build_in(
    model: &Path,
    adapter: &Path,
    scale: f64,
    store: Store,
    out: &Path,
    progress: Progress<'_>,
) -> Result<(), MasonryError> {
    let file = Gguf::open(model)?;
    let weights = Weights::open(model)?;
    let loaded = AdapterFile::open(adapter)?;
    let fail = |problem: String| MasonryError::Fit {
        left: model.to_owned(),
        right: adapter.to_owned(),
        problem,
    };
    if loaded.architecture()? != file.architecture()? {
        return Err(fail("the adapter is for models of another architecture".to_owned()));
    }
    let tensors = loaded.tensors();
    let total = tensors.len();
    let progress = std::cell::RefCell::new((0, progress));
    let mut draft = Draft::of(&file);
    for name in tensors {
        let tensor = file.tensor(&name)?;
        let lora = lora(&loaded, &name)?;
        if tensor.columns() != lora.a().columns() || tensor.rows() != lora.b().rows() {
            return Err(fail(format!("`{name}` has another shape")));
        }
        let format = match store {
            Store::As(format) => format,
            Store::AsTheyAre => tensor.format,
        };
        let (weights, progress) = (&weights, &progress);
        draft.reshape(&name, &tensor.dimensions, format, move |rows| {
            let factor = lora.factor(scale);
            for row in 0..tensor.rows() {
                let mut values = weights.rows(&tensor.name, row..row + 1)?;
                add(&mut values, &lora, row, factor);
                rows.values(&values)?;
            }
            let (done, progress) = &mut *progress.borrow_mut();
            *done += 1;
            progress(*done, total);
            Ok(())
        })?;
    }
    draft.write(out)?;
    Ok(())
}

/// Adds a row of the product to a row of the weight.
#[expect(clippy::cast_possible_truncation, reason = "back to the numbers of the file")]
fn add(values: &mut [f32], lora: &Lora<f32>, row: usize, factor: f64) {
    let mut sums: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    for component in 0..lora.rank() {
        let weight = factor * lora.b().at(row, component);
        for (sum, &a) in sums.iter_mut().zip(lora.a().row(component)) {
            *sum += weight * f64::from(a);
        }
    }
    for (value, sum) in values.iter_mut().zip(sums) {
        *value = sum as f32;
    }
}

/// The adapter of this rank that is nearest to what tuning changed, for each matrix of the blocks that differs: `tuned − base`.
pub fn take_out(
    base: &Path,
    tuned: &Path,
    rank: usize,
    out: &Path,
    progress: Progress<'_>,
) -> Result<Vec<Cut>, MasonryError> {
    let (base_file, base_weights) = (Gguf::open(base)?, Weights::open(base)?);
    let (tuned_file, tuned_weights) = (Gguf::open(tuned)?, Weights::open(tuned)?);
    let mut draft = Draft::adapter(base_file.architecture()?, "difference of two models", 0.0);
    let mut cuts = Vec::new();
    let total = base_file.tensors().len();
    for (nth, tensor) in base_file.tensors().iter().enumerate() {
        progress(nth, total);
        let is_matrix = tensor.rows() > 1 && tensor.name.starts_with("blk.") && tensor.name.ends_with(".weight");
        if !is_matrix {
            continue;
        }
        let other = tuned_file.tensor(&tensor.name)?;
        if other.dimensions != tensor.dimensions {
            return Err(MasonryError::Fit {
                left: base.to_owned(),
                right: tuned.to_owned(),
                problem: format!("`{}` has another shape", tensor.name),
            });
        }
        let (before, after) = (base_weights.all(&tensor.name)?, tuned_weights.all(&tensor.name)?);
        let delta: Vec<f32> = after
            .iter()
            .zip(&before)
            .map(|(after, before)| after - before)
            .collect();
        if delta.iter().all(|&value| value == 0.0) {
            continue;
        }
        let cut = extract(&Matrix::new(tensor.rows(), tensor.columns(), delta)?, rank)?;
        cuts.push(Cut {
            tensor: tensor.name.clone(),
            rank: cut.adapter.rank(),
            relative_error: cut.relative_error,
        });
        draft.add_pair(pair(tensor.name.clone(), &cut.adapter))?;
    }
    progress(total, total);
    if cuts.is_empty() {
        return Err(MasonryError::Fit {
            left: base.to_owned(),
            right: tuned.to_owned(),
            problem: "no matrix of their blocks differs, so there is nothing to take out".to_owned(),
        });
    }
    draft.write(out)?;
    Ok(cuts)
}

/// A tensor's adapter with the file's α.
fn lora(file: &AdapterFile, tensor: &str) -> Result<Lora<f32>, MasonryError> {
    let pair = file.pair(tensor)?;
    let (inputs, outputs) = (pair.a.len() / pair.rank.max(1), pair.b.len() / pair.rank.max(1));
    let a = Matrix::new(pair.rank, inputs, pair.a)?;
    let b = Matrix::new(outputs, pair.rank, pair.b)?;
    Ok(Lora::new(a, b, f64::from(file.alpha()))?)
}

/// An adapter as it is stored in a file with α = 0: its own factor at scale 1 is multiplied into B.
#[expect(clippy::cast_possible_truncation, reason = "stored as 32-bit floats")]
pub(super) fn pair(tensor: String, lora: &Lora<f32>) -> Pair {
    let factor = lora.factor(1.0);
    Pair {
        tensor,
        rank: lora.rank(),
        a: lora.a().values().to_vec(),
        b: lora
            .b()
            .values()
            .iter()
            .map(|&value| (factor * f64::from(value)) as f32)
            .collect(),
    }
}
