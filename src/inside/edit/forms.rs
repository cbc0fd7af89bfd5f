//! The three forms.

use std::collections::BTreeMap;
use std::path::Path;

use crate::inside::bricks::UnitSet;
use crate::inside::bricks::requantise::{BlockFormat, RowError, scale_row, zero_row};
use crate::llama::{
    Draft, Edit, Entry, Format, Gate, Gguf, GgufError, Pair, Problem, Rows, Unit, Weights, WeightsError,
};

/// Edits that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The model's numbers cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] GgufError),
    /// A factor that is none.
    #[error("units cannot be scaled by {0}; give a finite number")]
    Scale(f32),
    /// z is normalised before `ffn_down` reads it.
    #[error(
        "`{0}` normalises what units give before `ffn_down` reads it, so that a row of `ffn_up` does more than to scale its unit; edit this model live or \
         through an adapter"
    )]
    Normalised(String),
}

/// How edited tensors are stored in a rewritten file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In the format that they have.
    AsTheyAre,
    /// In this format, such as `f16`.
    As(Format),
}

/// The edit as the tap takes it.
pub fn live(units: &UnitSet, scale: f32) -> Edit {
    let unit = |unit: crate::inside::bricks::Unit| Unit {
        layer: unit.layer,
        index: unit.index,
    };
    Edit {
        units: units.iter().map(unit).collect(),
        scale,
    }
}

/// Writes a copy of the model in which the units are scaled: their rows of `ffn_up`, and their elements of its bias. Where there is no gate, the activation function stands between
/// `ffn_up` and z, and their columns of `ffn_down` are scaled instead; blocks of a quantised row that hold such a column are quantised anew. At scale 1 the copy is the same, byte for byte.
pub fn rewrite(model: &Path, units: &UnitSet, scale: f32, store: Store, out: &Path) -> Result<(), EditError> {
    if !scale.is_finite() {
        return Err(EditError::Scale(scale));
    }
    let weights = Weights::open(model)?;
    let ffn = weights.ffn()?;
    let file = Gguf::open(model)?;
    let mut draft = Draft::of(&file);
    let changes = if scale.total_cmp(&1.0).is_eq() {
        Vec::new()
    } else {
        units.layers()
    };
    for layer in changes {
        let norm = format!("blk.{layer}.ffn_sub_norm.weight");
        if file.has(&norm) {
            return Err(EditError::Normalised(norm));
        }
        let indices: Vec<usize> = units.in_layer(layer).collect();
        if ffn.gate == Gate::Absent {
            let name = format!("blk.{layer}.ffn_down.weight");
            columns(&mut draft, &file, &weights, &name, indices, scale, store)?;
            continue;
        }
        // Fused tensors have the gate's rows first.
        let first = if ffn.gate == Gate::Fused { ffn.units } else { 0 };
        let rows: Vec<usize> = indices.iter().map(|index| first + index).collect();
        let bias = format!("blk.{layer}.ffn_up.bias");
        if file.has(&bias) {
            columns(
                &mut draft,
                &file,
                &weights,
                &bias,
                rows.clone(),
                scale,
                Store::AsTheyAre,
            )?;
        }
        let name = format!("blk.{layer}.ffn_up.weight");
        scaled_rows(&mut draft, &file, &weights, &name, rows, scale, store)?;
    }
    draft.write(out)?;
    Ok(())
}

fn scaled_rows<'a>(
    draft: &mut Draft<'a>,
    file: &'a Gguf,
    weights: &'a Weights,
    name: &str,
    rows: Vec<usize>,
    scale: f32,
    store: Store,
) -> Result<(), EditError> {
    let tensor = file.tensor(name)?;
    match store {
        Store::As(format) if format != tensor.format => {
            let dimensions = tensor.dimensions.clone();
            let name = name.to_owned();
            draft.reshape(&name.clone(), &dimensions, format, move |into| {
                numbers(weights, &name, into, |row, values| {
                    if rows.binary_search(&row).is_ok() {
                        for value in values {
                            *value *= scale;
                        }
                    }
                })
            })?;
        }
        _ => draft.replace(name, move |into| {
            file.each_row(tensor, |row, bytes| {
                if rows.binary_search(&row).is_ok() {
                    scale_bytes(tensor, bytes, scale)?;
                }
                Ok(into.bytes(bytes)?)
            })
        })?,
    }
    Ok(())
}

fn scale_bytes(tensor: &Entry, bytes: &mut [u8], scale: f32) -> Result<(), RowError> {
    if scale == 0.0 {
        zero_row(bytes);
        return Ok(());
    }
    let name = tensor.format.name().to_uppercase();
    let format = BlockFormat::ALL
        .into_iter()
        .find(|format| format.name().to_uppercase() == name);
    match format {
        Some(format) => scale_row(format, bytes, f64::from(scale)),
        None => Err(RowError::Unsupported("this format")),
    }
}

/// Scales columns; only the blocks that hold them are written anew.
fn columns<'a>(
    draft: &mut Draft<'a>,
    file: &'a Gguf,
    weights: &'a Weights,
    name: &str,
    columns: Vec<usize>,
    scale: f32,
    store: Store,
) -> Result<(), EditError> {
    let tensor = file.tensor(name)?;
    let name = name.to_owned();
    if let Store::As(format) = store
        && format != tensor.format
    {
        draft.reshape(&tensor.name, &tensor.dimensions, format, move |into| {
            numbers(weights, &name, into, |_, values| {
                for column in columns.iter().copied() {
                    values[column] *= scale;
                }
            })
        })?;
        return Ok(());
    }
    let change = move |_: usize, column: usize, value: f32| {
        if columns.binary_search(&column).is_ok() {
            value * scale
        } else {
            value
        }
    };
    draft.replace(&tensor.name, move |into| {
        patch_blocks(file, weights, tensor, into, change)
    })?;
    Ok(())
}

/// Copies a tensor with some numbers changed: blocks in which no number changes keep their bytes. `change` gives the new number for a row, a column and the old number.
pub(in crate::inside) fn patch_blocks(
    file: &Gguf,
    weights: &Weights,
    tensor: &Entry,
    into: &mut Rows<'_>,
    change: impl Fn(usize, usize, f32) -> f32,
) -> Result<(), Problem> {
    let block = tensor.format.block();
    let width = tensor.format.row_bytes(block)?;
    let mut fresh = Vec::new();
    file.each_row(tensor, |row, bytes| {
        let mut values = weights.rows(&tensor.name, row..row + 1)?;
        for (number, values) in values.chunks_exact_mut(block).enumerate() {
            let mut touched = false;
            for (nth, value) in values.iter_mut().enumerate() {
                let new = change(row, number * block + nth, *value);
                touched |= new.to_bits() != value.to_bits();
                *value = new;
            }
            if touched {
                fresh.clear();
                tensor.format.quantise(block, values, &mut fresh)?;
                bytes[number * width..][..width].copy_from_slice(&fresh);
            }
        }
        Ok(into.bytes(bytes)?)
    })
}

/// Hands a tensor's rows over as numbers, to be changed and stored.
fn numbers(
    weights: &Weights,
    name: &str,
    into: &mut Rows<'_>,
    change: impl Fn(usize, &mut [f32]),
) -> Result<(), Problem> {
    let columns = weights.tensor(name)?.columns();
    let mut result = Ok(());
    weights.stream(name, |first, rows| {
        if result.is_err() {
            return;
        }
        let mut rows = rows.to_vec();
        for (nth, row) in rows.chunks_exact_mut(columns).enumerate() {
            change(first + nth, row);
        }
        result = into.values(&rows);
    })?;
    Ok(result?)
}

/// Writes a LoRA adapter that multiplies the units by `1 + t·(scale − 1)` at runtime scale t: for each layer, row k of A picks the k-th unit, and column k of B is `(scale − 1)` times what that
/// unit writes, read from the file that the adapter is for. Stored as floats with α = 0, at which llama.cpp takes t as the factor.
pub fn adapter(model: &Path, units: &UnitSet, scale: f32, out: &Path) -> Result<(), EditError> {
    if !scale.is_finite() {
        return Err(EditError::Scale(scale));
    }
    let weights = Weights::open(model)?;
    let ffn = weights.ffn()?;
    let mut draft = Draft::adapter(weights.architecture()?, "scaled units", 0.0);
    let layers: BTreeMap<usize, Vec<usize>> = units
        .layers()
        .into_iter()
        .map(|layer| (layer, units.in_layer(layer).collect()))
        .collect();
    for (layer, indices) in layers {
        let tensor = format!("blk.{layer}.ffn_down.weight");
        let rank = indices.len();
        let mut a = vec![0.0; rank * ffn.units];
        for (row, &index) in indices.iter().enumerate() {
            a[row * ffn.units + index] = 1.0;
        }
        let mut b = Vec::with_capacity(ffn.width * rank);
        weights.stream(&tensor, |_, rows| {
            for row in rows.chunks_exact(ffn.units) {
                b.extend(indices.iter().map(|&index| (scale - 1.0) * row[index]));
            }
        })?;
        draft.add_pair(Pair { tensor, rank, a, b })?;
    }
    draft.write(out)?;
    Ok(())
}
