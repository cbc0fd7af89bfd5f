//! Collecting blocks from the operations of one chunk, and scaling units on the way.

use std::ops::Range;

use super::beside::{Beside, Place as BesidePlace, Streams};
use super::edit::Plan;
use super::layout::Layout;
use super::node::Node;
use super::place::{Part, Place};
use super::watch::{Next, Watcher};
use super::{Block, Reads, Reducer, TapError};
use crate::llama::weights::Gate;

/// Memory that is used again for every layer.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    z: Vec<f32>,
    h: Vec<f32>,
    product: Vec<f32>,
    /// Kept from their products until the layer's block is complete: ggml uses their memory for something else by then.
    gate: Vec<f32>,
    up: Vec<f32>,
}

pub(super) struct Reading<'a> {
    layout: &'a Layout,
    plan: &'a Plan,
    streams: &'a Streams,
    reads: Reads,
    /// Positions of the chunk's tokens.
    tokens: Range<usize>,
    /// First position that is handed over.
    from: usize,
    scratch: &'a mut Scratch,
    reducer: &'a mut dyn Reducer,
    /// Per layer: how often each part and the producer of z was seen.
    seen: Vec<Seen>,
    failure: Option<TapError>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    down: usize,
    gate: usize,
    up: usize,
    scaled: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        (layout, plan, streams): (&'a Layout, &'a Plan, &'a Streams),
        tokens: Range<usize>,
        from: usize,
        scratch: &'a mut Scratch,
        reducer: &'a mut dyn Reducer,
    ) -> Self {
        Self {
            layout,
            plan,
            streams,
            reads: reducer.reads(),
            tokens,
            from,
            scratch,
            reducer,
            seen: vec![Seen::default(); layout.ffn.layers],
            failure: None,
        }
    }

    /// Whether everything was there, once.
    pub(super) fn finish(self) -> Result<(), TapError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        for (layer, seen) in self.seen.iter().enumerate() {
            let expected = [
                (Part::Down, seen.down, self.wants_part(Part::Down)),
                (Part::Gate, seen.gate, self.wants_part(Part::Gate)),
                (Part::Up, seen.up, self.wants_part(Part::Up)),
            ];
            for (part, times, wanted) in expected {
                if wanted && times != 1 {
                    return Err(TapError::Passes {
                        tensor: part.tensor(layer, "weight"),
                        times,
                    });
                }
            }
        }
        for layer in self.plan.layers() {
            let times = self.seen[layer].scaled;
            if times != 1 {
                return Err(TapError::Producer {
                    layer,
                    problem: format!("the operation that makes z ran {times} times"),
                });
            }
        }
        Ok(())
    }

    fn wants_part(&self, part: Part) -> bool {
        let gate = self.reads.contains(Reads::GATE);
        match part {
            Part::Down => self.reads.contains(Reads::Z),
            Part::Gate => gate && self.layout.ffn.gate == Gate::Separate,
            Part::Up => self.reads.contains(Reads::UP) || gate && self.layout.ffn.gate == Gate::Fused,
        }
    }

    /// The chunk's rows that are handed over: those left out come first.
    fn skipped(&self) -> usize {
        self.from.saturating_sub(self.tokens.start).min(self.tokens.len())
    }

    fn rows(&self, node: Node<'_>, columns: usize) -> Result<(), String> {
        let (found, rows) = node.shape();
        if found == columns && rows == self.tokens.len() {
            return Ok(());
        }
        Err(format!(
            "it has {rows} rows of {found} numbers, and {} tokens of {columns} were expected",
            self.tokens.len()
        ))
    }

    /// Whether nothing that comes after this operation matters: the last layer is complete and nobody asks for logits, whose product with the vocabulary
    /// is most of a small model's work.
    fn is_last(&self, node: Node<'_>) -> bool {
        let last = Place {
            part: Part::Down,
            layer: self.layout.ffn.layers - 1,
        };
        !self.reads.contains(Reads::PREDICTIONS) && node.place() == Some(last)
    }

    /// Keeps a pre-activation until its layer's block is complete.
    fn keep(&mut self, node: Node<'_>, place: Place) -> Result<(), String> {
        let columns = self.layout.columns(place.part);
        self.rows(node, columns)?;
        let bias = self.layout.bias(place.part, place.layer);
        let values = &mut self.scratch.product;
        read_biased(node, bias, values)?;
        let (gate, up) = (&mut self.scratch.gate, &mut self.scratch.up);
        match place.part {
            Part::Gate => std::mem::swap(gate, values),
            Part::Up if self.layout.ffn.gate == Gate::Fused => {
                gate.clear();
                up.clear();
                for row in values.chunks_exact(columns) {
                    let (first, second) = row.split_at(columns / 2);
                    gate.extend_from_slice(first);
                    up.extend_from_slice(second);
                }
            }
            Part::Up => std::mem::swap(up, values),
            Part::Down => {}
        }
        Ok(())
    }

    fn complete(&mut self, node: Node<'_>, layer: usize) -> Result<(), String> {
        let (units, width) = (self.layout.ffn.units, self.layout.ffn.width);
        let z = node.operand(1).ok_or("it has no second operand")?;
        self.rows(node, width)?;
        self.rows(z, units)?;
        let (skipped, tokens) = (self.skipped(), self.tokens.len());
        if skipped == tokens {
            return Ok(());
        }
        let scratch = &mut *self.scratch;
        z.read(&mut scratch.z)?;
        read_biased(node, self.layout.bias(Part::Down, layer), &mut scratch.h)?;
        let asked = |reads: Reads, values| {
            if self.reads.contains(reads) {
                after(values, skipped, units)
            } else {
                &[]
            }
        };
        self.reducer.block(&Block {
            layer,
            first: self.tokens.start + skipped,
            tokens: tokens - skipped,
            units,
            width,
            z: after(&scratch.z, skipped, units),
            h: after(&scratch.h, skipped, width),
            gate: asked(Reads::GATE, &scratch.gate),
            up: asked(Reads::UP, &scratch.up),
        });
        Ok(())
    }

    /// The place beside the layers that an operation shows, if it is asked for.
    fn place_beside(&self, node: Node<'_>) -> Option<(BesidePlace, usize)> {
        let asked = [BesidePlace::Heads, BesidePlace::Mid, BesidePlace::Out]
            .into_iter()
            .any(|place| self.reads.contains(Reads::of(place)));
        let found = if asked { self.streams.find(node)? } else { return None };
        let wanted = found.1 < self.layout.ffn.layers && self.reads.contains(Reads::of(found.0));
        wanted.then_some(found)
    }

    fn hand_beside(&mut self, node: Node<'_>, place: BesidePlace, layer: usize) -> Result<(), String> {
        let node = match place {
            BesidePlace::Heads => node.operand(1).ok_or("it has no second operand")?,
            BesidePlace::Mid | BesidePlace::Out => node,
        };
        let width = node.shape().0;
        self.rows(node, width)?;
        let (skipped, tokens) = (self.skipped(), self.tokens.len());
        if skipped == tokens {
            return Ok(());
        }
        let values = &mut self.scratch.product;
        node.read(values)?;
        self.reducer.beside(&Beside {
            layer,
            place,
            first: self.tokens.start + skipped,
            tokens: tokens - skipped,
            width,
            values: after(values, skipped, width),
        });
        Ok(())
    }

    fn take(&mut self, node: Node<'_>) -> Result<(), TapError> {
        if let Some(step) = self.plan.step(node.name()) {
            self.seen[step.layer].scaled += 1;
            return self
                .rows(node, self.layout.ffn.units)
                .and_then(|()| node.scale(&step.factors, &mut self.scratch.product))
                .map_err(|problem| TapError::Producer {
                    layer: step.layer,
                    problem,
                });
        }
        if let Some((place, layer)) = self.place_beside(node) {
            return self.hand_beside(node, place, layer).map_err(|problem| TapError::Data {
                tensor: node.name().to_owned(),
                problem,
            });
        }
        let Some(place) = node.place() else { return Ok(()) };
        let seen = &mut self.seen[place.layer];
        let result = match place.part {
            Part::Down => {
                seen.down += 1;
                self.complete(node, place.layer)
            }
            Part::Gate => {
                seen.gate += 1;
                self.keep(node, place)
            }
            Part::Up => {
                seen.up += 1;
                self.keep(node, place)
            }
        };
        result.map_err(|problem| TapError::Data {
            tensor: place.weight(),
            problem,
        })
    }
}

impl Watcher for Reading<'_> {
    fn wants(&mut self, node: Node<'_>) -> bool {
        if self.failure.is_some() {
            return false;
        }
        if let Some(place) = node.place() {
            return place.layer < self.layout.ffn.layers && self.wants_part(place.part);
        }
        if self.place_beside(node).is_some() {
            return true;
        }
        !self.plan.is_empty() && self.plan.step(node.name()).is_some()
    }

    fn see(&mut self, node: Node<'_>) -> Next {
        if let Err(failure) = self.take(node) {
            self.failure.get_or_insert(failure);
            return Next::Stop;
        }
        if self.is_last(node) { Next::Stop } else { Next::GoOn }
    }
}

fn after(values: &[f32], rows: usize, columns: usize) -> &[f32] {
    &values[rows * columns..]
}

/// Reads a product and adds the bias that the model adds afterwards.
fn read_biased(node: Node<'_>, bias: &[f32], values: &mut Vec<f32>) -> Result<(), String> {
    node.read(values)?;
    if !bias.is_empty() {
        for row in values.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    }
    Ok(())
}
