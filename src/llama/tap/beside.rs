//! What flows beside the feed-forward layers: attention's heads and the residual stream.

use super::node::Node;

/// A place beside a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Outputs of the attention's heads, one after another: what `attn_output` reads.
    Heads,
    /// The residual stream that the feed-forward layer's norm reads.
    Mid,
    /// The residual stream that leaves the block.
    Out,
}

/// Numbers of one place of one layer for consecutive tokens of a text.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The layer.
    pub layer: usize,
    /// Which place.
    pub place: Place,
    /// Position of the first token in the text.
    pub first: usize,
    /// How many tokens.
    pub tokens: usize,
    /// Numbers per token.
    pub width: usize,
    /// tokens × width.
    pub values: &'a [f32],
}

/// Names of the operations that make the stream, per layer, as a look at the graph found them; none where the graph shows no such place.
#[derive(Debug, Default)]
pub(super) struct Streams {
    mid: Vec<Option<String>>,
    out: Vec<Option<String>>,
}

impl Streams {
    /// From what each layer's norm reads. `once` says whether a single operation bears a name.
    pub(super) fn new(norms: Vec<Option<String>>, once: impl Fn(&str) -> bool) -> Self {
        let single = |name: Option<String>| name.filter(|name| once(name));
        let out = (0..norms.len()).map(|layer| single(Some(leaving(layer)))).collect();
        Self {
            mid: norms.into_iter().map(single).collect(),
            out,
        }
    }

    /// The place that an operation's result is.
    pub(super) fn find(&self, node: Node<'_>) -> Option<(Place, usize)> {
        if let Some(layer) = node.attention_output() {
            return Some((Place::Heads, layer));
        }
        let name = node.name();
        // llama.cpp ends the names of a layer's operations in its number.
        let layer: usize = name.rsplit_once('-')?.1.parse().ok()?;
        let is = |names: &[Option<String>]| names.get(layer).is_some_and(|known| known.as_deref() == Some(name));
        if is(&self.mid) {
            Some((Place::Mid, layer))
        } else {
            is(&self.out).then_some((Place::Out, layer))
        }
    }
}

/// What llama.cpp calls the stream that leaves a block, on every architecture.
fn leaving(layer: usize) -> String {
    format!("l_out-{layer}")
}
