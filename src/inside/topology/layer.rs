//! Layers of small networks as links between nodes.
//!
//! A layer is a set of weighted links from source nodes to target nodes. Convolution and pooling are unrolled: each position of each channel is
//! a node, and a window that reaches into the padding has links for its real positions only, since padding has no nodes (specification 4.3).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::activation::Activation;
use super::matrix::{Matrix, ShapeError, add};

/// Channels of an image; its nodes are numbered channel first, then row, then column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Number of channels.
    pub channels: usize,
    /// Rows of each channel.
    pub height: usize,
    /// Columns of each channel.
    pub width: usize,
}

impl Image {
    /// Number of nodes.
    #[must_use]
    pub fn nodes(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Why a layer's parts do not make a layer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayerError {
    /// Numbers that do not fill a shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A bias of another length.
    #[error("the bias has {found} numbers for {nodes} output nodes or channels; name the bias of this layer")]
    Bias {
        /// Output nodes (or channels) of the layer.
        nodes: usize,
        /// Numbers in the bias.
        found: usize,
    },
    /// A kernel made for another number of channels.
    #[error("the kernel reads {kernel} channels, but {image} arrive; check the order of the kernel's axes")]
    Channels {
        /// Input channels of the kernel.
        kernel: usize,
        /// Channels of the image.
        image: usize,
    },
    /// A window that does not fit, or never moves.
    #[error("a window of {height}x{width} with stride {stride} does not fit {image:?} with padding {padding}")]
    Window {
        /// Rows of the window.
        height: usize,
        /// Columns of the window.
        width: usize,
        /// Its step.
        stride: usize,
        /// Zeros on each side.
        padding: usize,
        /// What it moves over.
        image: Image,
    },
}

/// A fully connected layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    weights: Matrix,
    bias: Option<Vec<f64>>,
    activation: Activation,
}

impl Dense {
    /// Weights `[out][in]` and a bias per output node.
    pub fn new(weights: Matrix, bias: Option<Vec<f64>>, activation: Activation) -> Result<Self, LayerError> {
        check_bias(bias.as_deref(), weights.rows())?;
        Ok(Self {
            weights,
            bias,
            activation,
        })
    }
}

/// How a window moves over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stride {
    /// Its step, in both directions.
    pub step: usize,
    /// Zeros that surround the image on each side.
    pub padding: usize,
}

/// A window and the images before and after it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    height: usize,
    width: usize,
    stride: Stride,
    from: Image,
    to: Image,
}

impl Window {
    fn new(height: usize, width: usize, stride: Stride, from: Image, channels: usize) -> Result<Self, LayerError> {
        let places = |size: usize, window: usize| {
            let room = (size + 2 * stride.padding).checked_sub(window)?;
            Some(room.checked_div(stride.step)? + 1)
        };
        let fits = height > 0 && width > 0;
        let to = fits.then(|| Some((places(from.height, height)?, places(from.width, width)?)));
        let Some((rows, columns)) = to.flatten() else {
            return Err(LayerError::Window {
                height,
                width,
                stride: stride.step,
                padding: stride.padding,
                image: from,
            });
        };
        let to = Image {
            channels,
            height: rows,
            width: columns,
        };
        Ok(Self {
            height,
            width,
            stride,
            from,
            to,
        })
    }

    /// Calls `tap(y, x, place)` for the taps of the window at output (`row`, `column`) that fall on real positions; `place` numbers the position
    /// within its channel.
    fn taps(&self, row: usize, column: usize, mut tap: impl FnMut(usize, usize, usize)) {
        let Stride { step, padding } = self.stride;
        for y in 0..self.height {
            let Some(at_y) = (row * step + y)
                .checked_sub(padding)
                .filter(|&at| at < self.from.height)
            else {
                continue;
            };
            for x in 0..self.width {
                let at_x = (column * step + x).checked_sub(padding);
                if let Some(at_x) = at_x.filter(|&at| at < self.from.width) {
                    tap(y, x, at_y * self.from.width + at_x);
                }
            }
        }
    }

    /// Calls `place(node, channel, row, column)` for every output node.
    fn places(&self, mut place: impl FnMut(usize, usize, usize, usize)) {
        let mut node = 0;
        for channel in 0..self.to.channels {
            for row in 0..self.to.height {
                for column in 0..self.to.width {
                    place(node, channel, row, column);
                    node += 1;
                }
            }
        }
    }
}

/// A convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// `[c_out][c_in * height * width]`.
    kernel: Matrix,
    bias: Option<Vec<f64>>,
    window: Window,
    activation: Activation,
}

/// A kernel's numbers, `[c_out][c_in][height][width]` in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Channels out, channels in, rows, columns.
    pub shape: [usize; 4],
    /// The numbers.
    pub values: Vec<f64>,
}

impl Conv {
    /// A kernel over an image, with a bias per output channel.
    pub fn new(
        kernel: Kernel,
        bias: Option<Vec<f64>>,
        input: Image,
        stride: Stride,
        activation: Activation,
    ) -> Result<Self, LayerError> {
        let [out, channels, height, width] = kernel.shape;
        if channels != input.channels {
            return Err(LayerError::Channels {
                kernel: channels,
                image: input.channels,
            });
        }
        check_bias(bias.as_deref(), out)?;
        Ok(Self {
            kernel: Matrix::new(out, channels * height * width, kernel.values)?,
            bias,
            window: Window::new(height, width, stride, input, out)?,
            activation,
        })
    }
}

fn check_bias(bias: Option<&[f64]>, nodes: usize) -> Result<(), LayerError> {
    match bias {
        Some(bias) if bias.len() != nodes => Err(LayerError::Bias {
            nodes,
            found: bias.len(),
        }),
        _ => Ok(()),
    }
}

/// What a pooling window passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The greatest value. Links have weight 1; for data-dependent metrics only the winner's link carries anything.
    Max,
    /// The mean of the real positions: each of k links has weight 1/k.
    Mean,
}

/// A pooling layer: nodes that pass on what they read, without weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    pooling: Pooling,
    window: Window,
}

impl Pool {
    /// A square window of `size` over an image.
    pub fn new(pooling: Pooling, size: usize, input: Image, stride: Stride) -> Result<Self, LayerError> {
        Ok(Self {
            pooling,
            window: Window::new(size, size, stride, input, input.channels)?,
        })
    }
}

/// A layer of a [`Stack`](super::Stack).
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// Fully connected.
    Dense(Dense),
    /// Convolutional.
    Conv(Conv),
    /// Pooling.
    Pool(Pool),
}

impl Layer {
    /// Number of source nodes.
    #[must_use]
    pub fn inputs(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.weights.columns(),
            Self::Conv(conv) => conv.window.from.nodes(),
            Self::Pool(pool) => pool.window.from.nodes(),
        }
    }

    /// Number of target nodes.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.weights.rows(),
            Self::Conv(conv) => conv.window.to.nodes(),
            Self::Pool(pool) => pool.window.to.nodes(),
        }
    }

    /// The image that leaves the layer, where it is one.
    #[must_use]
    pub fn image(&self) -> Option<Image> {
        match self {
            Self::Dense(_) => None,
            Self::Conv(conv) => Some(conv.window.to),
            Self::Pool(pool) => Some(pool.window.to),
        }
    }

    /// Stored weights and bias: shared weights once, not once for each position. Pooling has none.
    #[must_use]
    pub fn stored(&self) -> Option<(&[f64], Option<&[f64]>)> {
        match self {
            Self::Dense(dense) => Some((dense.weights.values(), dense.bias.as_deref())),
            Self::Conv(conv) => Some((conv.kernel.values(), conv.bias.as_deref())),
            Self::Pool(_) => None,
        }
    }

    /// Calls `link(target, source, weight)` for every link of the unrolled graph, by target.
    pub fn links(&self, mut link: impl FnMut(usize, usize, f64)) {
        match self {
            Self::Dense(dense) => {
                for target in 0..dense.weights.rows() {
                    for (source, &weight) in dense.weights.row(target).iter().enumerate() {
                        link(target, source, weight);
                    }
                }
            }
            Self::Conv(conv) => conv.window.places(|target, channel, row, column| {
                let (kernel, window) = (conv.kernel.row(channel), &conv.window);
                let (size, plane) = (window.height * window.width, window.from.height * window.from.width);
                for from in 0..window.from.channels {
                    window.taps(row, column, |y, x, place| {
                        link(target, from * plane + place, kernel[from * size + y * window.width + x]);
                    });
                }
            }),
            Self::Pool(pool) => pool.window.places(|target, channel, row, column| {
                let plane = channel * pool.window.from.height * pool.window.from.width;
                let mut covered = Vec::new();
                pool.window.taps(row, column, |_, _, place| covered.push(plane + place));
                let weight = match pool.pooling {
                    Pooling::Max => 1.0,
                    Pooling::Mean => 1.0 / covered.len() as f64,
                };
                for source in covered {
                    link(target, source, weight);
                }
            }),
        }
    }

    /// The bias of each target node: zeros where there is none.
    #[must_use]
    pub fn biases(&self) -> Vec<f64> {
        match self {
            Self::Dense(dense) => dense.bias.clone().unwrap_or_else(|| vec![0.0; self.outputs()]),
            Self::Conv(conv) => {
                let Image { height, width, .. } = conv.window.to;
                let zeros = vec![0.0; conv.window.to.channels];
                let bias = conv.bias.as_ref().unwrap_or(&zeros);
                bias.iter()
                    .flat_map(|&bias| std::iter::repeat_n(bias, height * width))
                    .collect()
            }
            Self::Pool(_) => vec![0.0; self.outputs()],
        }
    }

    /// In-strength with all taps of a kernel counted, those on padding too, as the authors' code has it. `None` for other layers.
    #[must_use]
    pub fn full_kernel_strength(&self) -> Option<Vec<f64>> {
        let Self::Conv(conv) = self else { return None };
        let mut strengths = self.biases();
        let sums = conv.kernel.row_sums();
        conv.window
            .places(|node, channel, _, _| strengths[node] += sums[channel]);
        Some(strengths)
    }

    /// The sums that arrive at the target nodes: `z = W a + b`, or what pooling passes on.
    #[must_use]
    pub fn sums(&self, activations: &[f64]) -> Vec<f64> {
        match self {
            Self::Dense(dense) => {
                let mut sums = dense.weights.times(activations);
                add(&mut sums, dense.bias.as_deref().unwrap_or_default());
                sums
            }
            Self::Pool(pool) if pool.pooling == Pooling::Max => {
                let winners = self.winners(activations);
                winners
                    .iter()
                    .map(|winner| winner.map_or(0.0, |source| activations[source]))
                    .collect()
            }
            _ => {
                let mut sums = self.biases();
                self.links(|target, source, weight| sums[target] += weight * activations[source]);
                sums
            }
        }
    }

    /// What leaves each source node through this layer: its activation times its out-strength. Under max pooling only windows that the node wins
    /// count.
    #[must_use]
    pub fn out_flow(&self, activations: &[f64], out_strength: &[f64]) -> Vec<f64> {
        let times = |factors: &[f64]| activations.iter().zip(factors).map(|(a, out)| a * out).collect();
        match self {
            Self::Pool(pool) if pool.pooling == Pooling::Max => {
                let mut wins = vec![0.0; activations.len()];
                for winner in self.winners(activations).into_iter().flatten() {
                    wins[winner] += 1.0;
                }
                times(&wins)
            }
            _ => times(out_strength),
        }
    }

    /// What the layer does to its sums.
    #[must_use]
    pub fn activation(&self) -> Activation {
        match self {
            Self::Dense(dense) => dense.activation,
            Self::Conv(conv) => conv.activation,
            Self::Pool(_) => Activation::Linear,
        }
    }

    /// The source node with the greatest activation in each target's window, the first of equals; none for a window over padding alone.
    fn winners(&self, activations: &[f64]) -> Vec<Option<usize>> {
        let mut winners: Vec<Option<usize>> = vec![None; self.outputs()];
        self.links(|target, source, _| {
            if winners[target].is_none_or(|winner| activations[source] > activations[winner]) {
                winners[target] = Some(source);
            }
        });
        winners
    }
}
