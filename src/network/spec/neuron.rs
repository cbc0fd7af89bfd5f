//! Settings of single neurons: language models, and detectors that read activations.

use serde::{Deserialize, Serialize};

/// One neuron's settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeuronSpec {
    /// What it is.
    #[serde(default, skip_serializing_if = "NeuronKind::is_language")]
    pub kind: NeuronKind,
    /// Its model, in the words of `--model`; for a detector the model that it reads, if not the one whose name it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// For a neuron of kind `detector`: the file that `widedeep detect fit` wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

/// What a neuron is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeuronKind {
    /// A language model that reads the pair and writes.
    #[default]
    Language,
    /// A white-box neuron: a detector reads each response in the activations of its own model, and scores how far it is from made up.
    Detector,
}

impl NeuronKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_language(&self) -> bool {
        *self == Self::Language
    }
}

/// How the words for a model begin that is a detector with the model that it reads: `detector:FILE`, or `detector:FILE@MODEL`.
pub const DETECTOR: &str = "detector:";

impl NeuronSpec {
    pub(super) fn check(&self) -> Result<(), String> {
        match (self.kind, &self.detector) {
            (NeuronKind::Detector, None) => Err(
                "a neuron of kind `detector` needs the file that `widedeep detect fit` wrote: add `detector = \"detector.json\"`".into(),
            ),
            (NeuronKind::Language, Some(_)) => {
                Err("`detector` belongs to a neuron of `kind = \"detector\"`: add the kind, or remove the key".into())
            }
            _ => Ok(()),
        }
    }

    /// Puts detector and model into the words by which the models of a run are found. A network that was written out has them there already.
    pub(super) fn spell_out(&mut self) {
        let (NeuronKind::Detector, Some(file)) = (self.kind, &self.detector) else {
            return;
        };
        let words = format!("{DETECTOR}{file}");
        self.model = Some(match self.model.take() {
            Some(model) if model.starts_with(&words) => model,
            Some(model) => format!("{words}@{model}"),
            None => words,
        });
    }
}
