//! Elman networks: `h_t = act(W_x x_t + W_h h_(t-1) + b)`, `y = W_o h + c`, with h before the first step zero (specification section 4.4).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::activation::Activation;
use super::flow::{Flow, NodeFlows};
use super::matrix::{Matrix, add};
use super::nodes::{NodeLayer, incoming, outgoing};
use super::stack::{InputError, Links};

/// Which steps an output is read at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outputs {
    /// The last step alone: many-to-one.
    #[default]
    Last,
    /// Every step: many-to-many.
    Every,
}

/// Parts that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{part}` has {found} where the network's hidden size {hidden} asks for {expected}; check which tensor is named"
)]
pub struct ElmanError {
    /// The part that does not fit.
    pub part: &'static str,
    /// What it should have.
    pub expected: String,
    /// What it has.
    pub found: String,
    /// Hidden units, from the rows of the input weights.
    pub hidden: usize,
}

/// The tensors of an Elman network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// `W_x`, `[hidden][input]`.
    pub input_weights: Matrix,
    /// `W_h`, `[hidden][hidden]`.
    pub state_weights: Matrix,
    /// `b`, one per hidden unit.
    pub bias: Option<Vec<f64>>,
    /// `W_o`, `[output][hidden]`.
    pub output_weights: Matrix,
    /// `c`, one per output.
    pub output_bias: Option<Vec<f64>>,
    /// Of the hidden units.
    pub activation: Activation,
    /// Of the outputs.
    pub output_activation: Activation,
    /// Which steps an output is read at.
    pub outputs: Outputs,
}

/// An Elman network whose parts fit together.
#[derive(Debug, Clone, PartialEq)]
pub struct Elman {
    parts: Parts,
}

/// Link statistics of the three matrices, biases with the matrix they are added after.
#[derive(Debug, Clone, PartialEq)]
pub struct ElmanLinks {
    /// `W_x` and `b`.
    pub input: Links,
    /// `W_h`.
    pub state: Links,
    /// `W_o` and `c`.
    pub output: Links,
}

/// Data-dependent metrics: the hidden nodes of each step, and the outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct ElmanFlows {
    /// Hidden nodes per step.
    pub steps: Vec<NodeFlows>,
    /// Hidden nodes, all steps together.
    pub hidden: NodeFlows,
    /// Output nodes.
    pub output: NodeFlows,
}

impl Elman {
    /// Checks the shapes.
    pub fn new(parts: Parts) -> Result<Self, ElmanError> {
        let hidden = parts.input_weights.rows();
        let misfit = |part, expected: String, found: String| {
            if expected == found {
                Ok(())
            } else {
                Err(ElmanError {
                    part,
                    expected,
                    found,
                    hidden,
                })
            }
        };
        let shape = |rows: usize, columns: usize| format!("shape {rows}x{columns}");
        let length = |n: usize| format!("{n} numbers");
        let (state, output) = (&parts.state_weights, &parts.output_weights);
        misfit(
            "state_weights",
            shape(hidden, hidden),
            shape(state.rows(), state.columns()),
        )?;
        misfit(
            "output_weights",
            shape(output.rows(), hidden),
            shape(output.rows(), output.columns()),
        )?;
        if let Some(bias) = &parts.bias {
            misfit("bias", length(hidden), length(bias.len()))?;
        }
        if let Some(bias) = &parts.output_bias {
            misfit("output_bias", length(output.rows()), length(bias.len()))?;
        }
        Ok(Self { parts })
    }

    /// Its tensors.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Numbers that one step reads.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.parts.input_weights.columns()
    }

    /// Link statistics; `None` for a matrix without weights.
    #[must_use]
    pub fn links(&self) -> Option<ElmanLinks> {
        let parts = &self.parts;
        Some(ElmanLinks {
            input: Links::of(parts.input_weights.values(), parts.bias.as_deref())?,
            state: Links::of(parts.state_weights.values(), None)?,
            output: Links::of(parts.output_weights.values(), parts.output_bias.as_deref())?,
        })
    }

    /// Strengths of the hidden nodes of each of `steps` steps. Between the first and the last step all are equal.
    #[must_use]
    pub fn unfolded(&self, steps: usize) -> Vec<NodeLayer> {
        let Parts {
            input_weights,
            state_weights,
            output_weights,
            outputs,
            ..
        } = &self.parts;
        let hidden = input_weights.rows();
        let step = |step: usize| {
            let (first, last) = (step == 0, step + 1 == steps);
            let arriving: &[&Matrix] = if first {
                &[input_weights]
            } else {
                &[input_weights, state_weights]
            };
            let leaving: &[&Matrix] = match (last, outputs) {
                (true, _) => &[output_weights],
                (false, Outputs::Last) => &[state_weights],
                (false, Outputs::Every) => &[state_weights, output_weights],
            };
            let arriving = incoming(arriving, self.parts.bias.as_deref());
            NodeLayer::new(hidden, Some(arriving), Some(outgoing(leaving)))
        };
        (0..steps).map(step).collect()
    }

    /// Strengths of the hidden units, one node each whatever the number of steps.
    #[must_use]
    pub fn folded(&self) -> NodeLayer {
        let parts = &self.parts;
        let arriving = incoming(&[&parts.input_weights, &parts.state_weights], parts.bias.as_deref());
        let leaving = outgoing(&[&parts.state_weights, &parts.output_weights]);
        NodeLayer::new(parts.input_weights.rows(), Some(arriving), Some(leaving))
    }

    /// Strengths of one step's input nodes.
    #[must_use]
    pub fn input_nodes(&self) -> NodeLayer {
        NodeLayer::new(self.inputs(), None, Some(outgoing(&[&self.parts.input_weights])))
    }

    /// Strengths of the output nodes.
    #[must_use]
    pub fn output_nodes(&self) -> NodeLayer {
        let parts = &self.parts;
        let arriving = incoming(&[&parts.output_weights], parts.output_bias.as_deref());
        NodeLayer::new(parts.output_weights.rows(), Some(arriving), None)
    }

    /// Data-dependent metrics over sequences of `steps` steps each, `[step][feature]` in row-major order.
    pub fn flows<'a>(
        &self,
        steps: usize,
        sequences: impl IntoIterator<Item = &'a [f64]>,
        flow: Flow,
    ) -> Result<ElmanFlows, InputError> {
        let parts = &self.parts;
        let hidden = parts.input_weights.rows();
        let nodes = self.unfolded(steps);
        let mut flows = ElmanFlows {
            steps: nodes.iter().map(|_| NodeFlows::new(hidden)).collect(),
            hidden: NodeFlows::new(hidden),
            output: NodeFlows::new(parts.output_weights.rows()),
        };
        let expected = steps * self.inputs();
        for (input, sequence) in sequences.into_iter().enumerate() {
            if sequence.len() != expected {
                let found = sequence.len();
                return Err(InputError { input, expected, found });
            }
            let mut state = vec![0.0; hidden];
            for (step, features) in sequence.chunks(self.inputs()).enumerate() {
                let mut sums = parts.input_weights.times(features);
                add(&mut sums, &parts.state_weights.times(&state));
                add(&mut sums, parts.bias.as_deref().unwrap_or_default());
                state.clone_from(&sums);
                parts.activation.apply(&mut state);
                let out = nodes[step].outgoing.iter().flat_map(|side| &side.strength);
                let leaves: Vec<f64> = state.iter().zip(out).map(|(value, out)| value * out).collect();
                flows.steps[step].add(&state, &sums, &leaves, flow);
                flows.hidden.add(&state, &sums, &leaves, flow);
                if step + 1 == steps || parts.outputs == Outputs::Every {
                    self.read_output(&state, &mut flows.output, flow);
                }
            }
        }
        Ok(flows)
    }

    fn read_output(&self, state: &[f64], flows: &mut NodeFlows, flow: Flow) {
        let mut sums = self.parts.output_weights.times(state);
        add(&mut sums, self.parts.output_bias.as_deref().unwrap_or_default());
        let mut values = sums.clone();
        self.parts.output_activation.apply(&mut values);
        flows.add(&values, &sums, &values, flow);
    }
}
