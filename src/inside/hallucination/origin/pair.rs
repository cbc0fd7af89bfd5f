//! Two model files of one architecture and shape, and how far the units of the one point away from those of the other.

use std::{collections::BTreeSet, fmt, ops::Range, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    super::{detector::Detector, features::Provenance, rule::ModelId, study::StudyError},
    movement::{Columns, Movement, OriginError, row_distances},
};
use crate::{
    fetch::Sha256,
    inside::language::Shape,
    llama::{Ffn, Gate, Weights, WeightsError},
};

/// About so many numbers of each model are in memory at a time.
const STREAMED: usize = 1 << 20;

/// Formats that hold what a checkpoint holds; what has fewer bits was rounded.
const UNROUNDED: [&str; 4] = ["f64", "f32", "f16", "bf16"];

/// Which of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The one that was tuned.
    Base,
    /// What tuning made of it.
    Tuned,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "base",
            Self::Tuned => "tuned",
        })
    }
}

/// Why the origin of H-units cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file's weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Distances cannot be taken or ranked.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The detector cannot be measured.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// Models of two architectures.
    #[error(
        "the base model is a `{base}` and the tuned one a `{tuned}`: units are compared one by one, which takes two models of one architecture, such as \
         a pre-trained one and its instruction-tuned version"
    )]
    Architecture {
        /// The base model's.
        base: String,
        /// The tuned model's.
        tuned: String,
    },
    /// Feed-forward layers of other sizes.
    #[error(
        "the base and the tuned model are no pair, for they differ in {differences}: take two versions of one model"
    )]
    Shape {
        /// What differs, with the base model's number first.
        differences: String,
    },
    /// A tensor of another size.
    #[error(
        "`{tensor}` has {} rows of {} numbers in the base model and {} of {} in the tuned one, where {} of {} are expected: they are no pair",
        base.0, base.1, tuned.0, tuned.1, expected.0, expected.1
    )]
    Tensor {
        /// Which.
        tensor: String,
        /// Rows and columns in the base model.
        base: (usize, usize),
        /// Rows and columns in the tuned model.
        tuned: (usize, usize),
        /// Rows and columns that the layers' shape asks for.
        expected: (usize, usize),
    },
    /// A weight that is no number.
    #[error("unit {unit} of `{tensor}` holds a weight that is not finite in one of the two files: download it again")]
    NotFinite {
        /// Which tensor.
        tensor: String,
        /// Which unit.
        unit: usize,
    },
    /// A detector of a third file.
    #[error(
        "the detector reads `{}` ({}) with SHA-256 {}, but the base model has {base} and the tuned one {tuned}: one of the two must be the very file that it was \
         made for; give that file, or fit a detector for one of these",
        expected.name, expected.quantisation, expected.sha256
    )]
    OtherDetector {
        /// The model that it was made for.
        expected: Box<ModelId>,
        /// The base model's hash.
        base: Sha256,
        /// The tuned model's hash.
        tuned: Sha256,
    },
    /// A detector whose file was changed.
    #[error(
        "the detector says that its model has {detector}, but the file has {file}: restore the detector, or fit it again"
    )]
    DetectorShape {
        /// What the detector says.
        detector: Shape,
        /// What the file says.
        file: Shape,
    },
    /// Features of a third file.
    #[error(
        "`{collection}` holds features of `{}` ({}) with SHA-256 {}, but the base model has {base} and the tuned one {tuned}: collect them with one of the two files",
        found.name, found.quantisation, found.sha256
    )]
    OtherFeatures {
        /// The collection.
        collection: String,
        /// The model that they were taken from.
        found: Box<ModelId>,
        /// The base model's hash.
        base: Sha256,
        /// The tuned model's hash.
        tuned: Sha256,
    },
}

/// How the feed-forward weights of both files are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Formats of the base model's feed-forward weights.
    pub base: BTreeSet<String>,
    /// Formats of the tuned model's.
    pub tuned: BTreeSet<String>,
    /// Tensors that one file stores in another format than the other file.
    pub different: usize,
}

impl Storage {
    /// Whether rounding can turn vectors as far as tuning does: with formats below 16 bits, or other formats in the two files (spec 5).
    pub fn is_noisy(&self) -> bool {
        let mut all = self.base.iter().chain(&self.tuned);
        self.different > 0 || all.any(|format| !UNROUNDED.contains(&format.as_str()))
    }
}

#[derive(Debug)]
struct One {
    id: ModelId,
    weights: Weights,
}

/// Two open model files whose units correspond.
#[derive(Debug)]
pub struct Pair {
    base: One,
    tuned: One,
    ffn: Ffn,
}

impl Pair {
    /// Opens both files; refuses models that are of two architectures or whose feed-forward layers are not of one shape.
    pub fn open(base: (&Path, ModelId), tuned: (&Path, ModelId)) -> Result<Self, PairError> {
        let open = |(path, id): (&Path, ModelId)| -> Result<One, PairError> {
            let weights = Weights::open(path)?;
            Ok(One { id, weights })
        };
        let (base, tuned) = (open(base)?, open(tuned)?);
        let architectures = (base.weights.architecture()?, tuned.weights.architecture()?);
        if architectures.0 != architectures.1 {
            return Err(PairError::Architecture {
                base: architectures.0.to_owned(),
                tuned: architectures.1.to_owned(),
            });
        }
        let (ffn, other) = (base.weights.ffn()?, tuned.weights.ffn()?);
        if ffn != other {
            return Err(PairError::Shape {
                differences: differences(ffn, other),
            });
        }
        Ok(Self { base, tuned, ffn })
    }

    /// Layers and units per layer, of both.
    pub fn shape(&self) -> Shape {
        Shape {
            layers: self.ffn.layers,
            width: self.ffn.units,
        }
    }

    /// Whether units have a gate.
    pub fn has_gate(&self) -> bool {
        self.ffn.gate != Gate::Absent
    }

    /// Which files they are.
    pub fn id(&self, side: Side) -> &ModelId {
        match side {
            Side::Base => &self.base.id,
            Side::Tuned => &self.tuned.id,
        }
    }

    /// Which of the two has this hash; the tuned one where both are the same file.
    pub fn side(&self, sha256: Sha256) -> Option<Side> {
        [Side::Tuned, Side::Base]
            .into_iter()
            .find(|&side| self.id(side).sha256 == sha256)
    }

    /// Which of the two a detector was made for.
    pub fn admit_detector(&self, detector: &Detector) -> Result<Side, PairError> {
        let side = self
            .side(detector.model.sha256)
            .ok_or_else(|| PairError::OtherDetector {
                expected: Box::new(detector.model.clone()),
                base: self.base.id.sha256,
                tuned: self.tuned.id.sha256,
            })?;
        if detector.shape != self.shape() {
            return Err(PairError::DetectorShape {
                detector: detector.shape,
                file: self.shape(),
            });
        }
        Ok(side)
    }

    /// Which of the two a collection's features were taken from.
    pub fn admit_features(&self, collection: &str, made: &Provenance) -> Result<Side, PairError> {
        self.side(made.model.sha256).ok_or_else(|| PairError::OtherFeatures {
            collection: collection.to_owned(),
            found: Box::new(made.model.clone()),
            base: self.base.id.sha256,
            tuned: self.tuned.id.sha256,
        })
    }

    /// How the weights that are compared are stored.
    pub fn storage(&self) -> Result<Storage, PairError> {
        let mut storage = Storage {
            base: BTreeSet::new(),
            tuned: BTreeSet::new(),
            different: 0,
        };
        let gate = (self.ffn.gate == Gate::Separate).then_some("ffn_gate");
        for layer in 0..self.ffn.layers {
            for part in gate.into_iter().chain(["ffn_up", "ffn_down"]) {
                let name = name(layer, part);
                let base = self.base.weights.tensor(&name)?.format_name();
                let tuned = self.tuned.weights.tensor(&name)?.format_name();
                storage.different += usize::from(base != tuned);
                storage.base.insert(base);
                storage.tuned.insert(tuned);
            }
        }
        Ok(storage)
    }

    /// How far every unit moved, `[layers × units]` flat by layer (spec 5). A few megabytes of weights are in memory at a time, whatever the model;
    /// `listen` hears how many layers are done, and of how many.
    pub fn movements(&self, mut listen: impl FnMut(usize, usize)) -> Result<Vec<Movement>, PairError> {
        let Ffn {
            layers, units, gate, ..
        } = self.ffn;
        let mut all = Vec::with_capacity(self.ffn.all_units());
        for layer in 0..layers {
            listen(layer, layers);
            let (gates, up) = match gate {
                Gate::Separate => (
                    Some(self.rows(layer, "ffn_gate", (0..units, units))?),
                    self.rows(layer, "ffn_up", (0..units, units))?,
                ),
                Gate::Fused => (
                    Some(self.rows(layer, "ffn_up", (0..units, 2 * units))?),
                    self.rows(layer, "ffn_up", (units..2 * units, 2 * units))?,
                ),
                Gate::Absent => (None, self.rows(layer, "ffn_up", (0..units, units))?),
            };
            let down = self.columns(layer)?;
            all.extend((0..units).map(|unit| Movement {
                gate: gates.as_ref().map(|gates| gates[unit]),
                up: up[unit],
                down: down[unit],
            }));
        }
        listen(layers, layers);
        Ok(all)
    }

    /// Distances of some rows of a tensor that has so many.
    fn rows(&self, layer: usize, part: &str, (rows, of): (Range<usize>, usize)) -> Result<Vec<f64>, PairError> {
        let width = self.ffn.width;
        let mut distances = Vec::with_capacity(rows.len());
        let tensor = self.pieces(layer, part, (of, width), rows, |base, tuned| {
            distances.extend(row_distances(base, tuned, width));
        })?;
        finite(tensor, distances)
    }

    /// Distances of the columns of `ffn_down`.
    fn columns(&self, layer: usize) -> Result<Vec<f64>, PairError> {
        let Ffn { units, width, .. } = self.ffn;
        let mut columns = Columns::new(units);
        let tensor = self.pieces(layer, "ffn_down", (width, units), 0..width, |base, tuned| {
            columns.add(base, tuned);
        })?;
        finite(tensor, columns.distances())
    }

    /// Hands the same rows of both models over, piece by piece; says which tensor it was.
    fn pieces(
        &self,
        layer: usize,
        part: &str,
        expected: (usize, usize),
        rows: Range<usize>,
        mut piece: impl FnMut(&[f32], &[f32]),
    ) -> Result<String, PairError> {
        let name = name(layer, part);
        let size = |weights: &Weights| weights.tensor(&name).map(|found| (found.rows(), found.columns()));
        let (base, tuned) = (size(&self.base.weights)?, size(&self.tuned.weights)?);
        if base != expected || tuned != expected {
            return Err(PairError::Tensor {
                tensor: name,
                base,
                tuned,
                expected,
            });
        }
        let step = (STREAMED / expected.1.max(1)).max(1);
        for first in rows.clone().step_by(step) {
            let some = first..(first + step).min(rows.end);
            let base = self.base.weights.rows(&name, some.clone())?;
            piece(&base, &self.tuned.weights.rows(&name, some)?);
        }
        Ok(name)
    }
}

fn name(layer: usize, part: &str) -> String {
    format!("blk.{layer}.{part}.weight")
}

/// Distances, if every weight is a number.
fn finite(tensor: String, distances: Vec<f64>) -> Result<Vec<f64>, PairError> {
    match distances.iter().position(|distance| !distance.is_finite()) {
        Some(unit) => Err(PairError::NotFinite { tensor, unit }),
        None => Ok(distances),
    }
}

/// What differs between two shapes, the base model's number first.
fn differences(base: Ffn, tuned: Ffn) -> String {
    let gate = |ffn: Ffn| match ffn.gate {
        Gate::Separate => "a gate of its own",
        Gate::Fused => "a gate in `ffn_up`",
        Gate::Absent => "no gate",
    };
    let counts = [
        ("layers", base.layers, tuned.layers),
        ("units per layer", base.units, tuned.units),
        ("the width of what layers read and write", base.width, tuned.width),
    ];
    let mut told: Vec<String> = counts
        .into_iter()
        .filter(|(_, base, tuned)| base != tuned)
        .map(|(what, base, tuned)| format!("{what} ({base} and {tuned})"))
        .collect();
    if base.gate != tuned.gate {
        told.push(format!("gates ({} and {})", gate(base), gate(tuned)));
    }
    told.join(", ")
}
