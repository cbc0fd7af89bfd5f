//! What goes into a prompt and what comes out.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// What a judge is shown, the responses in the order displayed: swapping the order swaps `first` and `second` here and nowhere
/// else, so text and label cannot get out of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// What the responses answer; may be empty, and is not shown by families without a context block.
    pub query: &'a str,
    /// The response shown as Assistant 1.
    pub first: &'a str,
    /// The response shown as Assistant 2.
    pub second: &'a str,
}

/// How many angles of view the model is asked for (spec 3.1, 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Angles {
    /// As many as the model wants.
    Unlimited,
    /// Exactly this many, the most important ones.
    Limited(NonZeroUsize),
}

/// Whether the defects of the published code that show in a prompt are reproduced (spec 5.4; here B1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Defects {
    /// As published: unless both own and others' reviews exist there is no history, and `{aspect}` stays unfilled. Only
    /// [`Layout::Official`](super::Layout::Official) has this defect; other layouts are the same under both.
    Reproduce,
    /// Whatever history exists is shown.
    Fixed,
}

/// One neuron of the previous layer whose reviews are visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'a> {
    /// Position of the neuron in its layer, 0-based; prompts show it 1-based.
    pub number: usize,
    /// Its role; empty for a judge without one.
    pub role: &'a str,
    /// Its reviews of the previous layer (order 12, then order 21), already relabelled for the order that is now displayed.
    /// Failed calls leave theirs out.
    pub reviews: Vec<&'a str>,
}

/// What a neuron of a deeper layer reads of the layer before (spec 5.2, 5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<'a> {
    /// The number of the neuron that the prompt is for, 0-based; one of `members`.
    pub own: usize,
    /// All whose reviews are visible, own included, numbers ascending.
    pub members: Vec<Member<'a>>,
    /// Union of the angle lists of all members, in first-seen order.
    pub angles: Vec<&'a str>,
}

/// A prompt ready to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rendered {
    /// The system message, where the layout has one for this kind of prompt.
    pub system: Option<String>,
    /// The user message.
    pub user: String,
}
