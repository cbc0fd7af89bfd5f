//! One model out of several of the same shape (spec §6.2).

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{MasonryError, Progress};
use crate::inside::bricks::merge::{Method, Weighted, Weighting, merge as combine};
use crate::inside::edit::Store;
use crate::llama::{Draft, Entry, Field, Format, Gguf, Rows, Weights};

/// One of the models, with its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// The weight.
    pub weight: f64,
}

/// What became of a tensor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Merged {
    /// Its name.
    pub tensor: String,
    /// How it is stored.
    pub format: String,
    /// Whether all models have the same bytes, which are copied.
    pub copied: bool,
    /// The root mean square of what storing lost, relative to that of the numbers.
    pub quantisation_error: f64,
}

/// An open model.
struct Opened {
    file: Gguf,
    weights: Weights,
    weight: f64,
}

impl Opened {
    fn new(path: &Path, weight: f64) -> Result<Self, MasonryError> {
        Ok(Self {
            file: Gguf::open(path)?,
            weights: Weights::open(path)?,
            weight,
        })
    }
}

/// Merges models tensor by tensor and writes the result. Fields, formats and the order of tensors are those of the base, or of the first model where the method needs none. Tensors whose
/// bytes are the same in all files, and of which the result is known to be these, are copied: so a merge of A with A is A.
pub fn merge(
    method: Method,
    base: Option<&Path>,
    parts: &[Part],
    store: Store,
    out: &Path,
    progress: Progress<'_>,
) -> Result<Vec<Merged>, MasonryError> {
    let models: Vec<Opened> = parts
        .iter()
        .map(|part| Opened::new(&part.path, part.weight))
        .collect::<Result<_, _>>()?;
    let base = base.map(|path| Opened::new(path, 0.0)).transpose()?;
    let Some(like) = base.as_ref().or(models.first()) else {
        return Err(MasonryError::Texts(
            "no model is given; merging takes one or more".into(),
        ));
    };
    for other in models.iter().chain(&base) {
        check(&like.file, &other.file)?;
        if same(other.file.path(), out) {
            return Err(crate::llama::GgufError::Same(out.to_owned()).into());
        }
    }
    let done = std::cell::RefCell::new((Vec::new(), progress));
    let mut draft = Draft::of(&like.file);
    describe(&mut draft, method, base.as_ref(), &models);
    let total = like.file.tensors().len();
    for (number, tensor) in like.file.tensors().iter().enumerate() {
        let format = format(tensor, store);
        let (models, base, done) = (&models, base.as_ref(), &done);
        draft.reshape(&tensor.name, &tensor.dimensions, format, move |rows| {
            let merged = if is_kept(method, base, models, tensor, format)? {
                like.file.each_row(tensor, |_, bytes| Ok(rows.bytes(bytes)?))?;
                Merged {
                    tensor: tensor.name.clone(),
                    format: format.name(),
                    copied: true,
                    quantisation_error: 0.0,
                }
            } else {
                one(method, base, models, tensor, number as u64, rows)?
            };
            let (list, progress) = &mut *done.borrow_mut();
            list.push(merged);
            progress(list.len(), total);
            Ok(())
        })?;
    }
    draft.write(out)?;
    let (list, _) = done.into_inner();
    Ok(list)
}

/// Matrices are stored as asked; vectors (norms, biases) as they are.
fn format(tensor: &Entry, store: Store) -> Format {
    match store {
        Store::As(format) if tensor.rows() > 1 => format,
        _ => tensor.format,
    }
}

/// Whether the result is what all files have.
fn is_kept(
    method: Method,
    base: Option<&Opened>,
    models: &[Opened],
    tensor: &Entry,
    format: Format,
) -> Result<bool, MasonryError> {
    let all: Vec<&Opened> = match method {
        Method::Linear {
            weighting: Weighting::Normalised,
        }
        | Method::Slerp { .. } => models.iter().collect(),
        // The differences are all zero.
        Method::TaskArithmetic { .. } | Method::Ties { .. } | Method::Dare { .. } => {
            models.iter().chain(base).collect()
        }
        Method::Linear { .. } => return Ok(false),
    };
    let Some((first, others)) = all.split_first() else {
        return Ok(false);
    };
    if format != tensor.format {
        return Ok(false);
    }
    let hash = |model: &Opened| -> Result<(Format, blake3::Hash), MasonryError> {
        let entry = model.file.tensor(&tensor.name)?;
        let mut hasher = blake3::Hasher::new();
        let read = model.file.each_row(entry, |_, bytes| {
            hasher.update(bytes);
            Ok(())
        });
        read.map_err(|problem| MasonryError::Texts(problem.to_string()))?;
        Ok((entry.format, hasher.finalize()))
    };
    let first = hash(first)?;
    for other in others {
        if hash(other)? != first {
            return Ok(false);
        }
    }
    // A first model that is stored otherwise than the base is no copy of it.
    Ok(first.0 == tensor.format)
}

fn one(
    method: Method,
    base: Option<&Opened>,
    models: &[Opened],
    tensor: &Entry,
    number: u64,
    rows: &mut Rows<'_>,
) -> Result<Merged, Box<dyn std::error::Error + Send + Sync>> {
    let values: Vec<Vec<f32>> = models
        .iter()
        .map(|model| model.weights.all(&tensor.name))
        .collect::<Result<_, _>>()?;
    let weighted: Vec<Weighted<'_, f32>> = models
        .iter()
        .zip(&values)
        .map(|(model, values)| Weighted {
            values,
            weight: model.weight,
        })
        .collect();
    let base = base.map(|base| base.weights.all(&tensor.name)).transpose()?;
    let merged = combine(method, base.as_deref(), &weighted, number)?;
    rows.values(&merged)?;
    let entry = rows.tensor();
    Ok(Merged {
        tensor: tensor.name.clone(),
        format: entry.format.name(),
        copied: false,
        quantisation_error: loss(&merged, entry)?,
    })
}

/// What storing numbers in a format loses.
fn loss(values: &[f32], tensor: &Entry) -> Result<f64, Box<dyn std::error::Error + Send + Sync>> {
    let mut bytes = Vec::new();
    let (mut lost, mut all) = (0.0, 0.0);
    let columns = tensor.columns().max(1);
    for row in values.chunks_exact(columns) {
        bytes.clear();
        tensor.format.quantise(columns, row, &mut bytes)?;
        let stored = tensor.format.dequantise(&bytes)?;
        for (value, stored) in row.iter().zip(stored) {
            let (value, off) = (f64::from(*value), f64::from(value - stored));
            lost += off * off;
            all += value * value;
        }
    }
    Ok(if all > 0.0 { (lost / all).sqrt() } else { 0.0 })
}

fn describe(draft: &mut Draft<'_>, method: Method, base: Option<&Opened>, models: &[Opened]) {
    let method = serde_json::to_string(&method).unwrap_or_default();
    draft.set("general.merge.method", Field::text(&method));
    if let Some(base) = base {
        draft.set("general.merge.base", Field::text(&base.file.fingerprint()));
    }
    draft.set(
        "general.merge.count",
        Field::number(u32::try_from(models.len()).unwrap_or(u32::MAX)),
    );
    for (number, model) in models.iter().enumerate() {
        let told = format!("{} weight {}", model.file.fingerprint(), model.weight);
        draft.set(&format!("general.merge.{number}"), Field::text(&told));
    }
}

/// Whether two models have the same tensors, shapes and vocabulary.
fn check(left: &Gguf, right: &Gguf) -> Result<(), MasonryError> {
    let fail = |problem: String| MasonryError::Fit {
        left: left.path().to_owned(),
        right: right.path().to_owned(),
        problem,
    };
    if left.architecture()? != right.architecture()? {
        return Err(fail(format!(
            "one is a `{}` and the other a `{}`",
            left.architecture()?,
            right.architecture()?
        )));
    }
    if left.field("tokenizer.ggml.tokens") != right.field("tokenizer.ggml.tokens") {
        return Err(fail("their vocabularies differ".to_owned()));
    }
    if left.tensors().len() != right.tensors().len() {
        let counts = (left.tensors().len(), right.tensors().len());
        return Err(fail(format!("one has {} tensors and the other {}", counts.0, counts.1)));
    }
    for tensor in left.tensors() {
        let Ok(other) = right.tensor(&tensor.name) else {
            return Err(fail(format!("only one has `{}`", tensor.name)));
        };
        if other.dimensions != tensor.dimensions {
            return Err(fail(format!(
                "`{}` is {:?} in one and {:?} in the other",
                tensor.name, tensor.dimensions, other.dimensions
            )));
        }
    }
    Ok(())
}

fn same(left: &Path, right: &Path) -> bool {
    matches!((left.canonicalize(), right.canonicalize()), (Ok(left), Ok(right)) if left == right)
}
