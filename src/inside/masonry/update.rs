//! Units replaced by another model's, and facts written as adapters (spec §6.3).

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::MasonryError;
use super::adapters::pair;
use super::sparsity::down;
use crate::inside::bricks::Matrix;
use crate::inside::bricks::UnitSet;
use crate::inside::bricks::update::{covariance, rank_one_edit};
use crate::inside::edit::patch_blocks;
use crate::llama::{Adapter, Capture, Draft, Gate, Gguf, Model, Pair, Reads, Source, Tap, Weights};

/// Writes a copy of `model` in which the units are those of `from`, a model of the same shape: their rows of `ffn_gate` and `ffn_up`, with biases, and their columns of `ffn_down`.
/// Rows of one format keep their bytes; of `ffn_down`, blocks that hold such a column are quantised anew.
pub fn transplant(model: &Path, from: &Path, units: &UnitSet, out: &Path) -> Result<(), MasonryError> {
    let (file, weights) = (Gguf::open(model)?, Weights::open(model)?);
    let (other, others) = (Gguf::open(from)?, Weights::open(from)?);
    let (ffn, theirs) = (weights.ffn()?, others.ffn()?);
    if ffn != theirs || file.architecture()? != other.architecture()? {
        return Err(MasonryError::Fit {
            left: model.to_owned(),
            right: from.to_owned(),
            problem: "their feed-forward layers are not alike".to_owned(),
        });
    }
    let mut draft = Draft::of(&file);
    for layer in units.layers() {
        let indices: Vec<usize> = units.in_layer(layer).collect();
        let mut rows = indices.clone();
        if ffn.gate == Gate::Fused {
            rows.extend(indices.iter().map(|index| ffn.units + index));
        }
        for part in ["ffn_gate", "ffn_up"] {
            let name = format!("blk.{layer}.{part}.weight");
            if let Ok(tensor) = file.tensor(&name) {
                let source = other.tensor(&name)?;
                let (file, other, others, rows) = (&file, &other, &others, rows.clone());
                draft.replace(&name, move |into| {
                    let mut theirs = std::collections::BTreeMap::new();
                    if source.format == tensor.format {
                        other.each_row(source, |row, bytes| {
                            if rows.binary_search(&row).is_ok() {
                                theirs.insert(row, bytes.to_vec());
                            }
                            Ok(())
                        })?;
                    }
                    for &row in rows.iter().filter(|_| source.format != tensor.format) {
                        let mut bytes = Vec::new();
                        let values = others.rows(&source.name, row..row + 1)?;
                        tensor.format.quantise(tensor.columns(), &values, &mut bytes)?;
                        theirs.insert(row, bytes);
                    }
                    file.each_row(tensor, |row, bytes| {
                        Ok(into.bytes(theirs.get(&row).map_or(&*bytes, |row| row.as_slice()))?)
                    })
                })?;
            }
            let bias = format!("blk.{layer}.{part}.bias");
            if let Ok(tensor) = file.tensor(&bias) {
                let new = others.all(&bias)?;
                let (file, weights, rows) = (&file, &weights, rows.clone());
                draft.replace(&bias, move |into| {
                    patch_blocks(file, weights, tensor, into, |_, column, old| {
                        if rows.binary_search(&column).is_ok() {
                            new[column]
                        } else {
                            old
                        }
                    })
                })?;
            }
        }
        let name = format!("blk.{layer}.ffn_down.weight");
        let tensor = file.tensor(&name)?;
        let new = others.all(&name)?;
        let (file, weights) = (&file, &weights);
        draft.replace(&name, move |into| {
            patch_blocks(file, weights, tensor, into, |row, column, old| {
                if indices.binary_search(&column).is_ok() {
                    new[row * ffn.units + column]
                } else {
                    old
                }
            })
        })?;
    }
    draft.write(out)?;
    Ok(())
}

/// A fact to write: where a text speaks of one subject, layers are to give what they give where another is spoken of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The layers whose `ffn_down` is changed, from first to last. One layer's share of what the model knows of a subject is small.
    pub layers: RangeInclusive<usize>,
    /// A text that ends with the subject whose continuation is to change, such as `The capital of France`.
    pub subject: String,
    /// A text that ends with a subject after which the model already continues as it should, such as `The capital of Italy`.
    pub towards: String,
}

/// How the edit came about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    /// Prefixes over which the key was averaged.
    pub prefixes: usize,
    /// Tokens behind the covariance of what the layers read.
    pub tokens: usize,
    /// The relative size of the largest change: `‖ΔW‖ / ‖W‖` (Frobenius).
    pub relative_change: f64,
}

/// Writes a fact as an adapter of rank 1 of each layer's `ffn_down`: `Ŵk = v`, with k the mean of what the layer reads at the subject's last token (alone and after each of `prefixes`) and v what it writes at
/// the last token of the other subject. Of all such changes it is the one that moves the outputs for ordinary inputs least, as `texts` show them. Keys of a layer are read with the layers before it
/// changed. The tap has the adapter afterwards.
pub fn write_fact(
    model: &Arc<Model>,
    tap: &mut Tap<'_>,
    fact: &Fact,
    prefixes: &[&str],
    texts: &[&str],
    tokens: usize,
    out: &Path,
) -> Result<Written, MasonryError> {
    let ffn = *tap.ffn();
    let path = model.path().to_owned();
    if *fact.layers.end() >= ffn.layers || fact.layers.is_empty() {
        return Err(MasonryError::Model {
            path,
            problem: format!(
                "there are no layers {} to {}; it has {} from 0 on",
                fact.layers.start(),
                fact.layers.end(),
                ffn.layers
            ),
        });
    }
    let weights = Weights::open(&path)?;
    let prompts: Vec<String> = std::iter::once(fact.subject.clone())
        .chain(prefixes.iter().map(|prefix| format!("{prefix} {}", fact.subject)))
        .collect();
    let values: Vec<Vec<f64>> = fact
        .layers
        .clone()
        .map(|layer| value(tap, &weights, layer, &fact.towards))
        .collect::<Result<_, _>>()?;
    let mut pairs: Vec<Pair> = Vec::new();
    let mut written = Written {
        prefixes: prefixes.len(),
        tokens: 0,
        relative_change: 0.0,
    };
    for (layer, value) in fact.layers.clone().zip(values) {
        let mut key = vec![0.0; ffn.units];
        for prompt in &prompts {
            let (z, _) = last(tap, layer, prompt)?;
            key.iter_mut()
                .zip(z)
                .for_each(|(sum, z)| *sum += z / prompts.len() as f64);
        }
        let inputs = inputs(tap, layer, texts, tokens)?;
        let weight = down(&weights, layer)?;
        let lora = rank_one_edit(&weight, &key, &value, Some(&covariance(&inputs, RIDGE)))?;
        let length = |values: &[f32]| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        let change = length(lora.a().values()) * length(lora.b().values()) / weight.frobenius();
        if change > written.relative_change {
            written.relative_change = change;
        }
        written.tokens = inputs.rows();
        pairs.push(pair(format!("blk.{layer}.ffn_down.weight"), &lora));
        let mut draft = Draft::adapter(weights.architecture()?, "a fact", 0.0);
        for pair in &pairs {
            draft.add_pair(pair.clone())?;
        }
        draft.write(out)?;
        tap.set_adapters(&[(Adapter::load(model, out)?, 1.0)])?;
    }
    Ok(written)
}

/// What a layer writes at a text's last token, less its bias, which is added whatever the weight gives.
fn value(tap: &mut Tap<'_>, weights: &Weights, layer: usize, text: &str) -> Result<Vec<f64>, MasonryError> {
    let (_, mut value) = last(tap, layer, text)?;
    let bias = format!("blk.{layer}.ffn_down.bias");
    if weights.has(&bias) {
        let bias = weights.all(&bias)?;
        value
            .iter_mut()
            .zip(bias)
            .for_each(|(value, bias)| *value -= f64::from(bias));
    }
    Ok(value)
}

/// Added to the covariance's diagonal, relative to its mean (spec §6.3).
const RIDGE: f64 = 1e-4;

/// z and h at the last token.
fn last(tap: &mut Tap<'_>, layer: usize, text: &str) -> Result<(Vec<f64>, Vec<f64>), MasonryError> {
    let tokens = tap.model().tokens(text);
    let mut capture = Capture::new(tap.ffn(), Reads::NOTHING);
    tap.read(&tokens, tokens.len().saturating_sub(1), &mut capture)?;
    let row = capture.rows(layer).last();
    let (z, h) = row.ok_or_else(|| MasonryError::Texts("a prompt is empty; give one with a token at least".into()))?;
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
    Ok((wide(z), wide(h)))
}

/// What one layer's `ffn_down` reads, `[tokens][units]`.
fn inputs(tap: &mut Tap<'_>, layer: usize, texts: &[&str], tokens: usize) -> Result<Matrix<f32>, MasonryError> {
    let units = tap.ffn().units;
    let mut values = Vec::new();
    for text in texts {
        if values.len() >= tokens * units {
            break;
        }
        let mut read = tap.model().tokens(text);
        read.truncate(tap.context());
        let mut capture = Capture::new(tap.ffn(), Reads::NOTHING);
        if read.len() > 1 {
            tap.read(&read, 1, &mut capture)?;
            values.extend_from_slice(capture.values(layer, Source::Z));
        }
    }
    values.truncate(tokens * units);
    Ok(Matrix::new(values.len() / units.max(1), units, values)?)
}
