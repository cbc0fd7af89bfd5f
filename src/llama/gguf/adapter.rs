//! LoRA adapters in files, as llama.cpp has them.
//!
//! For a tensor with rows of `n` numbers and `m` rows, `NAME.lora_a` has `r` rows of `n` and `NAME.lora_b` `m` rows of `r`: at scale s the runtime adds `s·(α/r)·B(A x)`,
//! and `s·B(A x)` where α is 0.

use std::path::Path;

use super::{Draft, Field, Format, GgufError};
use crate::llama::{Value, Weights, WeightsError};

const A: &str = ".lora_a";
const B: &str = ".lora_b";

/// What an adapter adds to one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The tensor of the model.
    pub tensor: String,
    /// The rank r.
    pub rank: usize,
    /// r rows of as many numbers as a row of the tensor has.
    pub a: Vec<f32>,
    /// As many rows as the tensor has, of r numbers.
    pub b: Vec<f32>,
}

/// An adapter in a file.
#[derive(Debug)]
pub struct AdapterFile {
    weights: Weights,
    alpha: f32,
}

impl AdapterFile {
    /// Reads the header of an adapter.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let wrong = |problem: String| GgufError::NoAdapter {
            path: path.to_owned(),
            problem,
        };
        let weights = Weights::open(path).map_err(|error| wrong(error.to_string()))?;
        for (key, value) in [("general.type", "adapter"), ("adapter.type", "lora")] {
            let found = weights.field(key).and_then(Value::as_text);
            if found != Some(value) {
                return Err(wrong(format!("its `{key}` is {found:?} and not `{value}`")));
            }
        }
        let alpha = match weights.field("adapter.lora.alpha") {
            Some(Value::Float(alpha)) => *alpha,
            _ => return Err(wrong("it has no `adapter.lora.alpha`".to_owned())),
        };
        #[expect(clippy::cast_possible_truncation, reason = "it was a 32-bit float in the file")]
        let alpha = alpha as f32;
        let adapter = Self { weights, alpha };
        for tensor in adapter.tensors() {
            let (a, b) = (format!("{tensor}{A}"), format!("{tensor}{B}"));
            let rank = |name: &str| adapter.weights.tensor(name).map_err(|error| wrong(error.to_string()));
            let (rows, columns) = (rank(&a)?.rows(), rank(&b)?.columns());
            if rows != columns {
                return Err(wrong(format!("`{a}` has {rows} rows, but `{b}` rows of {columns}")));
            }
        }
        Ok(adapter)
    }

    /// `general.architecture`: that of the models that it fits.
    pub fn architecture(&self) -> Result<&str, WeightsError> {
        self.weights.architecture()
    }

    /// `adapter.lora.alpha`.
    pub fn alpha(&self) -> f32 {
        self.alpha
    }

    /// The tensors that it changes.
    pub fn tensors(&self) -> Vec<String> {
        let names = self.weights.tensors().map(|tensor| tensor.name.as_str());
        names
            .filter_map(|name| name.strip_suffix(A))
            .map(str::to_owned)
            .collect()
    }

    /// What it adds to a tensor.
    pub fn pair(&self, tensor: &str) -> Result<Pair, WeightsError> {
        let name = format!("{tensor}{A}");
        Ok(Pair {
            tensor: tensor.to_owned(),
            rank: self.weights.tensor(&name)?.rows(),
            a: self.weights.all(&name)?,
            b: self.weights.all(&format!("{tensor}{B}"))?,
        })
    }
}

impl Draft<'_> {
    /// An adapter without tensors for models of an architecture.
    pub fn adapter(architecture: &str, name: &str, alpha: f32) -> Self {
        let mut draft = Self::empty();
        draft.set("general.architecture", Field::text(architecture));
        draft.set("general.type", Field::text("adapter"));
        draft.set("general.name", Field::text(name));
        draft.set("adapter.type", Field::text("lora"));
        draft.set("adapter.lora.alpha", Field::float(alpha));
        draft
    }

    /// Adds what an adapter adds to a tensor; both factors are stored as 32-bit floats.
    pub fn add_pair(&mut self, pair: Pair) -> Result<(), GgufError> {
        let Pair { tensor, rank, a, b } = pair;
        let sizes = [&a, &b].map(|factor| factor.len().checked_div(rank).unwrap_or(0));
        let [inputs, outputs] = sizes;
        if rank == 0 || inputs * rank != a.len() || outputs * rank != b.len() {
            return Err(GgufError::Tensor {
                name: tensor,
                problem: format!("factors of {} and {} numbers are not of rank {rank}", a.len(), b.len()),
            });
        }
        self.add(&format!("{tensor}{A}"), &[inputs, rank], Format::F32, move |rows| {
            Ok(rows.values(&a)?)
        })?;
        self.add(&format!("{tensor}{B}"), &[rank, outputs], Format::F32, move |rows| {
            Ok(rows.values(&b)?)
        })
    }
}
