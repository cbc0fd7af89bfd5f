//! Tensors of small networks, by name, from `.npz` or `.safetensors` files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use npyz::{DType, NpyFile, Order, TypeChar};
use safetensors::{Dtype, SafeTensors};
use thiserror::Error;

/// A tensor's numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Lengths along each axis, the slowest first.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f64>,
}

/// Why a file of tensors cannot be used.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of another kind.
    #[error(
        "`{path}` is neither `.npz` nor `.safetensors`; save the tensors with `numpy.savez` or `safetensors.numpy.save_file`"
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A file that is not what its name says.
    #[error("`{path}` does not read as {kind}: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A tensor that is not there.
    #[error("`{path}` has no tensor `{name}`; it has {present}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// The names that there are.
        present: String,
    },
    /// Numbers of a type that has no place here.
    #[error("tensor `{name}` of `{path}` holds `{found}`; floating-point numbers or integers are needed")]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A number that is none.
    #[error(
        "tensor `{name}` of `{path}` holds a value that is not finite; the training diverged, or the file is damaged"
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
}

/// An opened file of tensors.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Npz(Vec<String>),
    Safetensors(Vec<u8>),
}

impl Archive {
    /// Opens a file and reads its list of tensors.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let failed = |source| ArchiveError::Read {
            path: path.to_owned(),
            source,
        };
        let content = match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => {
                let zip = unzip(path)?;
                let names = zip
                    .file_names()
                    .map(|name| Ok(name?.trim_end_matches(".npy").to_owned()));
                let names: Result<_, zip::result::ZipError> = names.collect();
                Content::Npz(names.map_err(|error| damaged(path, "npz", &error))?)
            }
            Some("safetensors") => {
                let bytes = std::fs::read(path).map_err(failed)?;
                SafeTensors::deserialize(&bytes).map_err(|error| damaged(path, "safetensors", &error))?;
                Content::Safetensors(bytes)
            }
            _ => return Err(ArchiveError::Kind { path: path.to_owned() }),
        };
        Ok(Self {
            path: path.to_owned(),
            content,
        })
    }

    /// The names of the tensors, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = match &self.content {
            Content::Npz(names) => names.clone(),
            Content::Safetensors(bytes) => SafeTensors::deserialize(bytes)
                .map(|tensors| tensors.names().into_iter().map(str::to_owned).collect())
                .unwrap_or_default(),
        };
        names.sort_unstable();
        names
    }

    /// Reads one tensor.
    pub fn tensor(&self, name: &str) -> Result<Tensor, ArchiveError> {
        let names = self.names();
        if !names.iter().any(|present| present == name) {
            return Err(ArchiveError::Missing {
                path: self.path.clone(),
                name: name.to_owned(),
                present: names
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        let tensor = match &self.content {
            Content::Npz(_) => self.read_npz(name),
            Content::Safetensors(bytes) => self.read_safetensors(bytes, name),
        }?;
        if tensor.values.iter().all(|value| value.is_finite()) {
            Ok(tensor)
        } else {
            Err(ArchiveError::NotFinite {
                path: self.path.clone(),
                name: name.to_owned(),
            })
        }
    }

    fn unfit(&self, name: &str, found: String) -> ArchiveError {
        ArchiveError::Type {
            path: self.path.clone(),
            name: name.to_owned(),
            found,
        }
    }

    fn read_npz(&self, name: &str) -> Result<Tensor, ArchiveError> {
        let failed = |error: &dyn std::fmt::Display| damaged(&self.path, "npz", error);
        let mut zip = unzip(&self.path)?;
        let entry = zip.by_name(&format!("{name}.npy")).map_err(|error| failed(&error))?;
        let array = NpyFile::new(entry).map_err(|error| failed(&error))?;
        let DType::Plain(kind) = array.dtype() else {
            return Err(self.unfit(name, array.dtype().descr()));
        };
        let shape: Result<Vec<usize>, _> = array.shape().iter().map(|&axis| usize::try_from(axis)).collect();
        let shape = shape.map_err(|error| failed(&error))?;
        let order = array.order();
        macro_rules! numbers {
            ($($kind:pat => $number:ty, $convert:expr;)*) => {
                match (kind.type_char(), kind.size_field()) {
                    $($kind => array.into_vec::<$number>().map(|values| values.into_iter().map($convert).collect()),)*
                    _ => return Err(self.unfit(name, kind.to_string())),
                }
            };
        }
        let values: std::io::Result<Vec<f64>> = numbers! {
            (TypeChar::Float, 2) => half::f16, f64::from;
            (TypeChar::Float, 4) => f32, f64::from;
            (TypeChar::Float, 8) => f64, std::convert::identity;
            (TypeChar::Int, 1) => i8, f64::from;
            (TypeChar::Int, 2) => i16, f64::from;
            (TypeChar::Int, 4) => i32, f64::from;
            (TypeChar::Int, 8) => i64, |value| value as f64;
            (TypeChar::Uint, 1) => u8, f64::from;
            (TypeChar::Uint, 2) => u16, f64::from;
            (TypeChar::Uint, 4) => u32, f64::from;
        };
        let values = values.map_err(|error| failed(&error))?;
        Ok(match order {
            Order::C => Tensor { shape, values },
            // Stored with the first axis fastest: the transpose of a row-major tensor with the axes reversed.
            Order::Fortran => {
                let axes: Vec<usize> = (0..shape.len()).rev().collect();
                let shape = shape.into_iter().rev().collect();
                Tensor { shape, values }.with_axes(&axes)
            }
        })
    }

    fn read_safetensors(&self, bytes: &[u8], name: &str) -> Result<Tensor, ArchiveError> {
        let failed = |error: &dyn std::fmt::Display| damaged(&self.path, "safetensors", error);
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| failed(&error))?;
        let view = tensors.tensor(name).map_err(|error| failed(&error))?;
        let data = view.data();
        macro_rules! numbers {
            ($number:ty, $convert:expr) => {{
                let (numbers, _) = data.as_chunks();
                numbers
                    .iter()
                    .map(|&bytes| $convert(<$number>::from_le_bytes(bytes)))
                    .collect()
            }};
        }
        let values: Vec<f64> = match view.dtype() {
            Dtype::F64 => numbers!(f64, std::convert::identity),
            Dtype::F32 => numbers!(f32, f64::from),
            Dtype::F16 => numbers!(half::f16, f64::from),
            Dtype::BF16 => numbers!(half::bf16, f64::from),
            Dtype::I8 => numbers!(i8, f64::from),
            Dtype::U8 => numbers!(u8, f64::from),
            Dtype::I16 => numbers!(i16, f64::from),
            Dtype::I32 => numbers!(i32, f64::from),
            other => return Err(self.unfit(name, format!("{other:?}"))),
        };
        Ok(Tensor {
            shape: view.shape().to_vec(),
            values,
        })
    }
}

impl Tensor {
    /// The tensor with its axes in another order: axis k of the result is axis `axes[k]` of this. `axes` must be a permutation.
    #[must_use]
    pub fn with_axes(&self, axes: &[usize]) -> Self {
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        let values = (0..self.values.len()).map(|mut at| {
            let mut from = 0;
            for (&axis, &length) in axes.iter().zip(&shape).rev() {
                from += at % length * strides[axis];
                at /= length;
            }
            self.values[from]
        });
        Self {
            values: values.collect(),
            shape,
        }
    }
}

fn unzip(path: &Path) -> Result<zip::ZipArchive<BufReader<File>>, ArchiveError> {
    let failed = |source| ArchiveError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    zip::ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(path, "npz", &error))
}

fn damaged(path: &Path, kind: &'static str, error: &dyn std::fmt::Display) -> ArchiveError {
    ArchiveError::Damaged {
        path: path.to_owned(),
        kind,
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_moved_with_their_numbers() {
        let tensor = Tensor {
            shape: vec![2, 3],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        };
        let turned = tensor.with_axes(&[1, 0]);
        assert_eq!(
            (turned.shape.as_slice(), turned.values.as_slice()),
            (&[3, 2][..], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0][..])
        );
        assert_eq!(turned.with_axes(&[1, 0]), tensor);
    }
}
