//! The TOML file that says how tensors make a small network.
//!
//! ```toml
//! weights = "net.npz"        # beside this file; .npz or .safetensors
//! input = [1, 28, 28]        # channels, height, width; only where the first layer is an image's
//! inputs = "x"               # optional: a tensor [samples][...] in the same file, for the data-dependent metrics
//!
//! [[layers]]
//! kind = "conv"              # dense, conv, max-pool, mean-pool
//! weights = "conv1/kernel"   # [c_out][c_in][height][width], or hwio as Keras stores it:
//! layout = "hwio"
//! bias = "conv1/bias"
//! stride = 1
//! padding = 0
//! activation = "relu"
//!
//! [[layers]]
//! kind = "dense"
//! weights = "fc/kernel"
//! layout = "in-out"          # [in][out], as Keras stores it; out-in, as PyTorch does, is the default
//! flatten = "channels-last"  # how the image before was made flat; channels-first is the default
//! ```
//!
//! A recurrent network has one table `[recurrent]` in the place of the layers. An autoencoder is a network of dense layers.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::activation::Activation;
use super::archive::{Archive, ArchiveError, Tensor};
use super::layer::{Conv, Dense, Image, Kernel, Layer, LayerError, Pool, Pooling, Stride};
use super::matrix::{Matrix, ShapeError};
use super::recurrent::{Elman, ElmanError, Outputs, Parts};
use super::stack::{Stack, StackError};

/// Why a file does not describe a network.
#[derive(Debug)]
pub struct PlanError {
    /// The TOML file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: PlanFault,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.fault)
    }
}

/// The fault is part of the message, so that the chain goes on with what is behind it.
impl std::error::Error for PlanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong with a line of a plan.
#[derive(Debug, Error)]
pub enum PlanFault {
    /// The file itself.
    #[error("cannot read the file")]
    Read(#[source] std::io::Error),
    /// Not TOML, a key that is not known, a value that has no place.
    #[error("{0}")]
    Syntax(String),
    /// Neither layers nor a recurrent network, or both.
    #[error("give either `[[layers]]` or one `[recurrent]`")]
    Choice,
    /// A key that a layer of this kind needs.
    #[error("a `{kind}` layer needs `{key}`")]
    Needs {
        /// The layer's kind.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A key, or a value of it, that a layer of this kind does not have.
    #[error("a `{kind}` layer does not take this `{key}`; see the list of keys and values of each kind of layer")]
    HasNo {
        /// The layer's kind.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// An image is needed, and what comes is flat.
    #[error(
        "a `{kind}` layer reads an image, but {what}; give `input = [channels, height, width]`, or put it before the dense layers"
    )]
    NoImage {
        /// The layer's kind.
        kind: &'static str,
        /// What comes.
        what: &'static str,
    },
    /// A tensor with another number of axes.
    #[error("tensor `{name}` has shape {shape:?} where {expected} is needed")]
    Axes {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// What is needed.
        expected: &'static str,
    },
    /// A tensor that cannot be had.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Parts that do not make a layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// Layers that do not make a network.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// Parts that do not make a recurrent network.
    #[error(transparent)]
    Elman(#[from] ElmanError),
    /// Numbers that do not fill a shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// A network as a file describes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Network {
    /// Layers one after another.
    Stack(Stack),
    /// A recurrent network, unfolded over this many steps.
    Recurrent {
        /// The network.
        elman: Elman,
        /// Steps.
        steps: usize,
    },
}

/// What a plan yields.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The network.
    pub network: Network,
    /// The file that its tensors are in.
    pub weights: PathBuf,
    /// The sample of inputs, `[samples][...]`, where the file names one.
    pub inputs: Option<Tensor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    weights: Spanned<PathBuf>,
    input: Option<[usize; 3]>,
    inputs: Option<Spanned<String>>,
    #[serde(default)]
    layers: Vec<Spanned<LayerPlan>>,
    recurrent: Option<Spanned<RecurrentPlan>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Dense,
    Conv,
    MaxPool,
    MeanPool,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Conv => "conv",
            Self::MaxPool => "max-pool",
            Self::MeanPool => "mean-pool",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Layout {
    OutIn,
    InOut,
    Oihw,
    Hwio,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Flatten {
    #[default]
    ChannelsFirst,
    ChannelsLast,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerPlan {
    kind: Kind,
    weights: Option<Spanned<String>>,
    bias: Option<Spanned<String>>,
    layout: Option<Spanned<Layout>>,
    flatten: Option<Spanned<Flatten>>,
    size: Option<Spanned<usize>>,
    stride: Option<Spanned<usize>>,
    padding: Option<Spanned<usize>>,
    activation: Option<Spanned<Activation>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecurrentPlan {
    steps: usize,
    input_weights: Spanned<String>,
    state_weights: Spanned<String>,
    bias: Option<Spanned<String>>,
    output_weights: Spanned<String>,
    output_bias: Option<Spanned<String>>,
    #[serde(default)]
    activation: Activation,
    #[serde(default)]
    output_activation: Activation,
    #[serde(default)]
    outputs: Outputs,
    layout: Option<Spanned<Layout>>,
}

type Fault = (Range<usize>, PlanFault);

/// Reads a network from the TOML file at `path` and the tensors that it names.
pub fn read_network(path: &Path) -> Result<Planned, PlanError> {
    let fail = |line, fault| PlanError {
        path: path.to_owned(),
        line,
        fault,
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(1, PlanFault::Read(error)))?;
    let line = |span: &Range<usize>| text[..span.start.clamp(0, text.len())].matches('\n').count() + 1;
    let plan: Plan = toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(1, |span| line(&span));
        fail(at, PlanFault::Syntax(error.message().to_owned()))
    })?;
    build(&plan, path).map_err(|(span, fault)| fail(line(&span), fault))
}

fn build(plan: &Plan, path: &Path) -> Result<Planned, Fault> {
    let file = path.parent().unwrap_or(Path::new("")).join(plan.weights.get_ref());
    let archive = Archive::open(&file).map_err(|error| (plan.weights.span(), error.into()))?;
    let network = match (&plan.recurrent, plan.layers.is_empty()) {
        (Some(recurrent), true) => {
            let elman = build_recurrent(recurrent, &archive)?;
            let steps = recurrent.get_ref().steps;
            Network::Recurrent { elman, steps }
        }
        (None, false) => Network::Stack(build_stack(plan, &archive)?),
        _ => return Err((0..0, PlanFault::Choice)),
    };
    let inputs = plan.inputs.as_ref().map(|name| tensor(&archive, name)).transpose()?;
    Ok(Planned {
        network,
        weights: file,
        inputs,
    })
}

fn build_stack(plan: &Plan, archive: &Archive) -> Result<Stack, Fault> {
    let mut image = plan.input.map(|[channels, height, width]| Image {
        channels,
        height,
        width,
    });
    let mut layers: Vec<Layer> = Vec::new();
    for entry in &plan.layers {
        let what = if layers.is_empty() {
            "no image's size is given"
        } else {
            "the layer before it is flat"
        };
        let layer = build_layer(entry, image, what, archive)?;
        // A misfit is said where it stands.
        if let Some(before) = layers.last()
            && before.outputs() != layer.inputs()
        {
            let mismatch = StackError::Mismatch {
                layer: layers.len() + 1,
                reads: layer.inputs(),
                given: before.outputs(),
            };
            return Err((entry.span(), mismatch.into()));
        }
        image = layer.image();
        layers.push(layer);
    }
    Stack::new(layers).map_err(|error| (0..0, error.into()))
}

fn build_layer(
    entry: &Spanned<LayerPlan>,
    image: Option<Image>,
    what: &'static str,
    archive: &Archive,
) -> Result<Layer, Fault> {
    let (plan, span) = (entry.get_ref(), entry.span());
    let kind = plan.kind.name();
    refuse_keys(plan)?;
    let needs = |key| (span.clone(), PlanFault::Needs { kind, key });
    let reads_image = || image.ok_or_else(|| (span.clone(), PlanFault::NoImage { kind, what }));
    let of = |key: &Option<Spanned<usize>>| key.as_ref().map(|key| *key.get_ref());
    let activation = plan
        .activation
        .as_ref()
        .map_or(Activation::Linear, |key| *key.get_ref());
    let padding = of(&plan.padding).unwrap_or(0);
    let bias = || plan.bias.as_ref().map(|name| vector(archive, name)).transpose();
    let layer = match plan.kind {
        Kind::Dense => {
            let weights = plan.weights.as_ref().ok_or_else(|| needs("weights"))?;
            let mut matrix = matrix(archive, weights, plan.layout.as_ref())?;
            if plan
                .flatten
                .as_ref()
                .is_some_and(|key| *key.get_ref() == Flatten::ChannelsLast)
            {
                matrix = channels_first(&matrix, reads_image()?).map_err(|fault| (span.clone(), fault))?;
            }
            Dense::new(matrix, bias()?, activation).map(Layer::Dense)
        }
        Kind::Conv => {
            let name = plan.weights.as_ref().ok_or_else(|| needs("weights"))?;
            let mut kernel = tensor(archive, name)?;
            let axes = kernel.shape.len() == 4;
            if axes && plan.layout.as_ref().is_some_and(|key| *key.get_ref() == Layout::Hwio) {
                kernel = kernel.with_axes(&[3, 2, 0, 1]);
            }
            let shape = kernel.shape.try_into();
            let shape = shape.map_err(|shape| (name.span(), axes_fault(name, shape, "4 axes")))?;
            let stride = Stride {
                step: of(&plan.stride).unwrap_or(1),
                padding,
            };
            let kernel = Kernel {
                shape,
                values: kernel.values,
            };
            Conv::new(kernel, bias()?, reads_image()?, stride, activation).map(Layer::Conv)
        }
        Kind::MaxPool | Kind::MeanPool => {
            let size = of(&plan.size).ok_or_else(|| needs("size"))?;
            let stride = Stride {
                step: of(&plan.stride).unwrap_or(size),
                padding,
            };
            let pooling = if plan.kind == Kind::MaxPool {
                Pooling::Max
            } else {
                Pooling::Mean
            };
            Pool::new(pooling, size, reads_image()?, stride).map(Layer::Pool)
        }
    };
    layer.map_err(|error| (span.clone(), error.into()))
}

/// Keys that a layer's kind does not have are mistakes, and not ignored.
fn refuse_keys(plan: &LayerPlan) -> Result<(), Fault> {
    fn at<T>(key: Option<&Spanned<T>>) -> Option<Range<usize>> {
        key.map(Spanned::span)
    }
    let (dense, conv) = (plan.kind == Kind::Dense, plan.kind == Kind::Conv);
    let pool = !dense && !conv;
    let layout = plan.layout.as_ref();
    let flat = layout.is_some_and(|key| matches!(key.get_ref(), Layout::OutIn | Layout::InOut));
    let refused = [
        ("weights", pool, at(plan.weights.as_ref())),
        ("bias", pool, at(plan.bias.as_ref())),
        ("activation", pool, at(plan.activation.as_ref())),
        ("flatten", !dense, at(plan.flatten.as_ref())),
        ("size", !pool, at(plan.size.as_ref())),
        ("stride", dense, at(plan.stride.as_ref())),
        ("padding", dense, at(plan.padding.as_ref())),
        ("layout", pool || flat != dense, at(layout)),
    ];
    for (key, wrong, span) in refused {
        if let (true, Some(span)) = (wrong, span) {
            let kind = plan.kind.name();
            return Err((span, PlanFault::HasNo { kind, key }));
        }
    }
    Ok(())
}

fn build_recurrent(entry: &Spanned<RecurrentPlan>, archive: &Archive) -> Result<Elman, Fault> {
    let plan = entry.get_ref();
    let layout = plan.layout.as_ref();
    if let Some(key) = layout
        && matches!(key.get_ref(), Layout::Oihw | Layout::Hwio)
    {
        let (kind, key_name) = ("recurrent", "layout");
        return Err((key.span(), PlanFault::HasNo { kind, key: key_name }));
    }
    let matrix = |name| matrix(archive, name, layout);
    let bias = |name: &Option<Spanned<String>>| name.as_ref().map(|name| vector(archive, name)).transpose();
    let parts = Parts {
        input_weights: matrix(&plan.input_weights)?,
        state_weights: matrix(&plan.state_weights)?,
        bias: bias(&plan.bias)?,
        output_weights: matrix(&plan.output_weights)?,
        output_bias: bias(&plan.output_bias)?,
        activation: plan.activation,
        output_activation: plan.output_activation,
        outputs: plan.outputs,
    };
    Elman::new(parts).map_err(|error| (entry.span(), error.into()))
}

fn tensor(archive: &Archive, name: &Spanned<String>) -> Result<Tensor, Fault> {
    archive
        .tensor(name.get_ref())
        .map_err(|error| (name.span(), error.into()))
}

fn vector(archive: &Archive, name: &Spanned<String>) -> Result<Vec<f64>, Fault> {
    let tensor = tensor(archive, name)?;
    if tensor.shape.len() == 1 {
        Ok(tensor.values)
    } else {
        Err((name.span(), axes_fault(name, tensor.shape, "1 axis")))
    }
}

fn matrix(archive: &Archive, name: &Spanned<String>, layout: Option<&Spanned<Layout>>) -> Result<Matrix, Fault> {
    let mut tensor = tensor(archive, name)?;
    if tensor.shape.len() != 2 {
        return Err((name.span(), axes_fault(name, tensor.shape, "2 axes")));
    }
    if layout.is_some_and(|key| *key.get_ref() == Layout::InOut) {
        tensor = tensor.with_axes(&[1, 0]);
    }
    let made = Matrix::new(tensor.shape[0], tensor.shape[1], tensor.values);
    made.map_err(|error| (name.span(), error.into()))
}

fn axes_fault(name: &Spanned<String>, shape: Vec<usize>, expected: &'static str) -> PlanFault {
    PlanFault::Axes {
        name: name.get_ref().clone(),
        shape,
        expected,
    }
}

/// Columns from `y, x, c` order (Keras) to the `c, y, x` order of nodes here.
fn channels_first(matrix: &Matrix, image: Image) -> Result<Matrix, PlanFault> {
    let values = Tensor {
        shape: vec![matrix.rows(), image.height, image.width, image.channels],
        values: matrix.values().to_vec(),
    };
    ShapeError::check(&values.shape, values.values.len())?;
    let values = values.with_axes(&[0, 3, 1, 2]).values;
    Ok(Matrix::new(matrix.rows(), matrix.columns(), values)?)
}
