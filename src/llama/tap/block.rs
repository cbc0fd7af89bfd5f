//! What a tap hands over, and to whom.

use super::beside::{Beside, Place};

/// Activations of one layer for consecutive tokens of a text.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The layer.
    pub layer: usize,
    /// Position of the first token in the text.
    pub first: usize,
    /// How many tokens.
    pub tokens: usize,
    /// Units of the layer.
    pub units: usize,
    /// Numbers that the layer writes per token.
    pub width: usize,
    /// Hidden vectors, what the down-projection reads: tokens × units.
    pub z: &'a [f32],
    /// What the layer writes, its bias included, before any norm and before it is added to the stream: tokens × width.
    pub h: &'a [f32],
    /// Pre-activations of the gate, its bias included: tokens × units; empty unless asked for.
    pub gate: &'a [f32],
    /// What `ffn_up` gives, its bias included: tokens × units; empty unless asked for.
    pub up: &'a [f32],
}

impl Block<'_> {
    /// Tokens with their positions: z and h of each.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &[f32], &[f32])> {
        (self.first..)
            .zip(self.z.chunks_exact(self.units))
            .zip(self.h.chunks_exact(self.width))
            .map(|((position, z), h)| (position, z, h))
    }

    /// Tokens × units of one kind.
    pub fn values(&self, source: Source) -> &[f32] {
        match source {
            Source::Z => self.z,
            Source::Gate => self.gate,
            Source::Up => self.up,
        }
    }
}

/// One number per unit and token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The hidden vector.
    Z,
    /// The gate's pre-activation.
    Gate,
    /// What `ffn_up` gives: the pre-activation where there is no gate.
    Up,
}

impl Source {
    /// What a reducer of this source asks for.
    pub fn reads(self) -> Reads {
        match self {
            Source::Z => Reads::Z,
            Source::Gate => Reads::GATE,
            Source::Up => Reads::UP,
        }
    }
}

/// What the model predicts after a token.
#[derive(Debug, Clone, Copy)]
pub struct Predicted<'a> {
    /// The token's position in the text.
    pub position: usize,
    /// One number per token of the vocabulary.
    pub logits: &'a [f32],
    /// The token that follows in the text, as an index into the logits; none after the last.
    pub next: Option<usize>,
}

/// A set of things that a reducer asks for. What nobody asks for costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reads(u8);

impl Reads {
    /// Nothing at all.
    pub const NOTHING: Self = Self(0);
    /// Blocks, with z and h.
    pub const Z: Self = Self(1);
    /// Blocks, with the gate's pre-activation as well.
    pub const GATE: Self = Self(1 | 2);
    /// Blocks, with what `ffn_up` gives as well.
    pub const UP: Self = Self(1 | 4);
    /// Logits.
    pub const PREDICTIONS: Self = Self(8);
    /// [`Place::Heads`] beside the layers.
    pub const HEADS: Self = Self(16);
    /// [`Place::Mid`] beside the layers.
    pub const MID: Self = Self(32);
    /// [`Place::Out`] beside the layers.
    pub const OUT: Self = Self(64);

    pub(super) const fn of(place: Place) -> Self {
        match place {
            Place::Heads => Self::HEADS,
            Place::Mid => Self::MID,
            Place::Out => Self::OUT,
        }
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is asked for.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Keeps of the activations what somebody wants to know.
///
/// Texts are read in chunks; each chunk gives one block per layer, in the order of layers. A reducer that has read several texts has read them as one: nothing is
/// forgotten between them. Two reducers in a pair read the same pass.
pub trait Reducer {
    /// What to hand over.
    fn reads(&self) -> Reads {
        Reads::Z
    }

    /// Takes a layer's block.
    fn block(&mut self, block: &Block<'_>);

    /// Takes what flows beside a layer, where it is asked for and the model's graph shows it: heads and the stream between before the layer's block,
    /// the stream that leaves after it.
    fn beside(&mut self, beside: &Beside<'_>) {
        let _ = beside;
    }

    /// Takes the prediction after a token; called when [`Reads::PREDICTIONS`] is asked for, after the blocks of the token's chunk.
    fn predicted(&mut self, predicted: &Predicted<'_>) {
        let _ = predicted;
    }
}

impl<A: Reducer, B: Reducer> Reducer for (A, B) {
    fn reads(&self) -> Reads {
        self.0.reads().and(self.1.reads())
    }

    fn block(&mut self, block: &Block<'_>) {
        self.0.block(block);
        self.1.block(block);
    }

    fn beside(&mut self, beside: &Beside<'_>) {
        self.0.beside(beside);
        self.1.beside(beside);
    }

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        self.0.predicted(predicted);
        self.1.predicted(predicted);
    }
}

impl<R: Reducer + ?Sized> Reducer for &mut R {
    fn reads(&self) -> Reads {
        (**self).reads()
    }

    fn block(&mut self, block: &Block<'_>) {
        (**self).block(block);
    }

    fn beside(&mut self, beside: &Beside<'_>) {
        (**self).beside(beside);
    }

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        (**self).predicted(predicted);
    }
}
