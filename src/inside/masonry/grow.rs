//! Wider feed-forward layers, and further layers, that compute what the model did before (spec §6.4).
//!
//! Old numbers keep their bytes: rows are appended to `ffn_gate` and `ffn_up`, and blocks of zeros to the rows of `ffn_down`. llama.cpp takes the first layer's width for all, so
//! that all layers are widened by as many units.

use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::MasonryError;
use crate::llama::{Draft, Entry, Ffn, Field, Gate, Gguf, GgufError, Problem, Rows, Weights};

/// What new units are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum New {
    /// They read at random, as strongly as the old ones do on average, and write nothing: neutral until somebody trains or edits them.
    Neutral {
        /// What they are drawn from.
        seed: u64,
    },
    /// Copies of the first units, each of which then writes half of what it wrote. The copies' columns of `ffn_down` are stored anew, with a quantised format's rounding.
    Copies,
}

/// Widens every feed-forward layer by `count` units.
pub fn widen(model: &Path, count: usize, new: New, out: &Path) -> Result<Ffn, MasonryError> {
    let file = Gguf::open(model)?;
    let weights = Weights::open(model)?;
    let ffn = weights.ffn()?;
    let architecture = file.architecture()?.to_owned();
    let refuse = |problem: String| MasonryError::Model {
        path: model.to_owned(),
        problem,
    };
    if count == 0 || new == New::Copies && count > ffn.units {
        return Err(refuse(format!(
            "{count} new units were asked for; give at least 1, and for copies {} at the most",
            ffn.units
        )));
    }
    if ffn.gate == Gate::Fused {
        return Err(refuse(
            "its gate is a part of `ffn_up`; models with a `ffn_gate` of their own, or without, are widened".to_owned(),
        ));
    }
    let mut draft = Draft::of(&file);
    let units = ffn.units + count;
    let width = u32::try_from(units).map_err(|_| refuse(format!("{units} units are too many")))?;
    draft.set(&format!("{architecture}.feed_forward_length"), Field::number(width));
    for layer in 0..ffn.layers {
        for part in ["ffn_gate", "ffn_up"] {
            let name = format!("blk.{layer}.{part}.weight");
            let Ok(tensor) = file.tensor(&name) else { continue };
            let (file, weights) = (&file, &weights);
            draft.reshape(&name, &[tensor.columns(), units], tensor.format, move |rows| {
                let mut again = Vec::new();
                file.each_row(tensor, |row, bytes| {
                    if row < count {
                        again.extend_from_slice(bytes);
                    }
                    Ok(rows.bytes(bytes)?)
                })?;
                match new {
                    New::Copies => Ok(rows.bytes(&again)?),
                    New::Neutral { seed } => random_rows(weights, tensor, count, seed, rows),
                }
            })?;
            let bias = format!("blk.{layer}.{part}.bias");
            if let Ok(tensor) = file.tensor(&bias) {
                let old = weights.all(&bias)?;
                draft.reshape(&bias, &[units], tensor.format, move |rows| {
                    let more: Vec<f32> = match new {
                        New::Copies => old[..count].to_vec(),
                        New::Neutral { .. } => vec![0.0; count],
                    };
                    Ok(rows.values(&[old, more].concat())?)
                })?;
            }
        }
        let name = format!("blk.{layer}.ffn_sub_norm.weight");
        if file.has(&name) {
            return Err(refuse(format!(
                "`{name}` normalises over all units, so that new ones change the old ones' part"
            )));
        }
        let name = format!("blk.{layer}.ffn_down.weight");
        let tensor = file.tensor(&name)?;
        if tensor.format.row_bytes(units).is_err() {
            return Err(refuse(format!(
                "`{name}` is `{}`, whose rows are multiples of {} long, and {units} units are none; widen in steps of {}",
                tensor.format,
                tensor.format.block(),
                tensor.format.block()
            )));
        }
        let (file, weights) = (&file, &weights);
        draft.reshape(&name, &[units, tensor.rows()], tensor.format, move |rows| {
            longer_rows(file, weights, tensor, count, new, rows)
        })?;
    }
    draft.write(out)?;
    Ok(Ffn { units, ..ffn })
}

/// Rows of `ffn_down`: the old bytes, then zeros or the copies' halves.
fn longer_rows(
    file: &Gguf,
    weights: &Weights,
    tensor: &Entry,
    count: usize,
    new: New,
    rows: &mut Rows<'_>,
) -> Result<(), Problem> {
    let missing = rows.tensor().row_bytes() - tensor.row_bytes();
    file.each_row(tensor, |row, bytes| {
        let mut longer = bytes.to_vec();
        match new {
            // Bytes of zeros read as zeros in every format.
            New::Neutral { .. } => longer.resize(bytes.len() + missing, 0),
            New::Copies => {
                // The width grows by whole blocks, so that the copied units fill blocks of their own.
                let values = weights.rows(&tensor.name, row..row + 1)?;
                let halves: Vec<f32> = values[..count].iter().map(|value| value / 2.0).collect();
                let mut stored = Vec::new();
                tensor.format.quantise(count, &halves, &mut stored)?;
                longer[..stored.len()].copy_from_slice(&stored);
                longer.extend(stored);
            }
        }
        Ok(rows.bytes(&longer)?)
    })
}

/// Rows that are as large as the tensor's are on average.
#[expect(clippy::cast_possible_truncation, reason = "numbers of a model are 32-bit floats")]
fn random_rows(weights: &Weights, tensor: &Entry, count: usize, seed: u64, rows: &mut Rows<'_>) -> Result<(), Problem> {
    let (mut squares, mut numbers) = (0.0, 0.0);
    weights.stream(&tensor.name, |_, values| {
        squares += values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
        numbers += values.len() as f64;
    })?;
    let size = if numbers > 0.0 {
        f64::sqrt(squares / numbers)
    } else {
        0.0
    };
    // Every tensor has numbers of its own.
    let hash = blake3::hash(tensor.name.as_bytes());
    let mut of_name = [0; 8];
    of_name.copy_from_slice(&hash.as_bytes()[..8]);
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ u64::from_le_bytes(of_name));
    for _ in 0..count {
        let row: Vec<f32> = (0..tensor.columns())
            .map(|_| {
                let drawn: f64 = StandardNormal.sample(&mut rng);
                (size * drawn) as f32
            })
            .collect();
        rows.values(&row)?;
    }
    Ok(())
}

/// Inserts a copy of layer `after` behind it, whose attention and feed-forward layer write nothing: until somebody trains it, it passes on what it reads.
pub fn deepen(model: &Path, after: usize, out: &Path) -> Result<(), MasonryError> {
    let file = Gguf::open(model)?;
    let weights = Weights::open(model)?;
    let ffn = weights.ffn()?;
    let architecture = file.architecture()?.to_owned();
    let refuse = |problem: String| MasonryError::Model {
        path: model.to_owned(),
        problem,
    };
    if after >= ffn.layers {
        return Err(refuse(format!(
            "there is no layer {after}; it has {} from 0 on",
            ffn.layers
        )));
    }
    let blocks = file.number(&format!("{architecture}.block_count"))?;
    if blocks != ffn.layers as u64 {
        return Err(refuse(
            "some of its blocks predict further tokens, and have no place for another".to_owned(),
        ));
    }
    // Kinds of layers that take turns would be out of step behind the new one.
    let periodic = [
        "attention.sliding_window",
        "attention.sliding_window_pattern",
        "full_attention_interval",
    ];
    if let Some(key) = periodic
        .iter()
        .find(|key| file.field(&format!("{architecture}.{key}")).is_some())
    {
        return Err(refuse(format!(
            "`{architecture}.{key}` says that its layers are not alike, and those behind a new one would change their kind"
        )));
    }
    let prefix = format!("{architecture}.");
    let per_layer =
        |(key, field): &(&str, &Field)| key.starts_with(&prefix) && field.list_length() == Some(ffn.layers as u64);
    if let Some((key, _)) = file.fields().find(per_layer) {
        return Err(refuse(format!(
            "`{key}` has a value for each layer, and none for a new one"
        )));
    }
    let mut draft = Draft::empty_like(&file);
    let count = u32::try_from(ffn.layers + 1).map_err(|_| refuse("it has too many layers".to_owned()))?;
    draft.set(&format!("{architecture}.block_count"), Field::number(count));
    for tensor in file.tensors() {
        let place = tensor.name.strip_prefix("blk.").and_then(|rest| {
            let (layer, part) = rest.split_once('.')?;
            Some((layer.parse::<usize>().ok()?, part))
        });
        let mut copy = |name: &str, silent: bool| -> Result<(), GgufError> {
            let file = &file;
            draft.add(name, &tensor.dimensions, tensor.format, move |rows| {
                file.each_row(tensor, |_, bytes| {
                    if silent {
                        bytes.fill(0);
                    }
                    Ok(rows.bytes(bytes)?)
                })
            })
        };
        match place {
            None => copy(&tensor.name, false)?,
            Some((layer, part)) => {
                let number = if layer > after { layer + 1 } else { layer };
                copy(&format!("blk.{number}.{part}"), false)?;
                if layer == after {
                    let silent = part.starts_with("attn_output.") || part.starts_with("ffn_down.");
                    copy(&format!("blk.{}.{part}", after + 1), silent)?;
                }
            }
        }
    }
    draft.write(out)?;
    Ok(())
}
