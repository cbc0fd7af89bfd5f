//! A look at the graph before anything is read: does it use the layers' weights as expected, and which operations make z?

use std::collections::HashMap;

use super::TapError;
use super::beside::Streams;
use super::layout::Layout;
use super::node::Node;
use super::place::{Part, Place};
use super::watch::{Next, Watcher};

/// Names of the operations that make each layer's z.
#[derive(Debug, Default)]
pub(super) struct Producers {
    layers: Vec<Result<String, String>>,
}

impl Producers {
    pub(super) fn name(&self, layer: usize) -> Result<&str, TapError> {
        match self.layers.get(layer) {
            Some(Ok(name)) => Ok(name),
            Some(Err(problem)) => Err(TapError::Producer {
                layer,
                problem: problem.clone(),
            }),
            None => Err(TapError::Producer {
                layer,
                problem: "there is no such layer".to_owned(),
            }),
        }
    }
}

pub(super) struct Probe<'a> {
    layout: &'a Layout,
    /// How many operations bear a name.
    names: HashMap<String, usize>,
    /// Per layer: how many down-projections, and the name of what made z.
    found: Vec<(usize, String)>,
    /// Per layer: the name of what its norm reads.
    norms: Vec<Option<String>>,
    failure: Option<TapError>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(layout: &'a Layout) -> Self {
        Self {
            layout,
            names: HashMap::new(),
            found: vec![(0, String::new()); layout.ffn.layers],
            norms: vec![None; layout.ffn.layers],
            failure: None,
        }
    }

    pub(super) fn finish(self) -> Result<(Producers, Streams), TapError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut layers = Vec::new();
        for (layer, (times, producer)) in self.found.into_iter().enumerate() {
            if times != 1 {
                return Err(TapError::Passes {
                    tensor: Part::Down.tensor(layer, "weight"),
                    times,
                });
            }
            layers.push(match self.names.get(&producer).copied().unwrap_or(0) {
                _ if producer.is_empty() => Err("the operation that makes z has no name".to_owned()),
                1 => Ok(producer),
                n => Err(format!(
                    "{n} operations are called `{producer}` like the one that makes z"
                )),
            });
        }
        let once = |name: &str| self.names.get(name) == Some(&1);
        Ok((Producers { layers }, Streams::new(self.norms, once)))
    }

    fn look(&mut self, node: Node<'_>, place: Place) -> Result<(), TapError> {
        let data = |problem: String| TapError::Data {
            tensor: place.weight(),
            problem,
        };
        let Some(found) = self.found.get_mut(place.layer) else {
            return Ok(());
        };
        let z = node
            .operand(1)
            .ok_or_else(|| data("it has no second operand".to_owned()))?;
        let ffn = &self.layout.ffn;
        let (columns, shape) = (node.shape().0, z.shape().0);
        if columns != ffn.width || shape != ffn.units {
            return Err(data(format!(
                "it makes {columns} numbers of {shape}, but its tensor {} of {}",
                ffn.width, ffn.units
            )));
        }
        found.0 += 1;
        z.source().name().clone_into(&mut found.1);
        Ok(())
    }
}

impl Watcher for Probe<'_> {
    fn wants(&mut self, node: Node<'_>) -> bool {
        *self.names.entry(node.name().to_owned()).or_default() += 1;
        if let Some((layer, stream)) = node.normed()
            && let Some(name) = self.norms.get_mut(layer)
        {
            *name = Some(stream.name().to_owned());
        }
        if let Some(place) = node.place()
            && place.part == Part::Down
            && let Err(failure) = self.look(node, place)
        {
            self.failure.get_or_insert(failure);
        }
        false
    }

    fn see(&mut self, _: Node<'_>) -> Next {
        Next::GoOn
    }
}
