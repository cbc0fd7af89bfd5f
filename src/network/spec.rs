//! A network as its TOML file describes it.
//!
//! The file is the documentation's ground truth: every key is listed here with its default, unknown keys are errors, and a [`Network`] that
//! exists can run. `--set layers=3`-style overrides are applied to the file's text before it is read, so an override obeys the same rules.

mod neuron;
mod roles;
mod stop;

use std::fmt;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::aggregate::{Cell, Margin, Reading};
use super::overrides;
use crate::prompt::Layout;

pub use neuron::{DETECTOR, NeuronKind, NeuronSpec};
pub use roles::{RoleParser, Roles};
pub use stop::{Sequential, Stop};

/// An evaluator network: where roles come from, the layers, what a call's reply looks like, how scores become a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What tables call it.
    pub name: String,
    /// One line for `widedeep networks list`.
    pub summary: String,
    /// Order in which prompts say things: `shared`, `official`, `faireval`, `faireval-vanilla`.
    #[serde(default)]
    pub prompt: Layout,
    /// When to stop before all neurons have spoken: `never`, `unanimous`, `sequential`.
    #[serde(default, skip_serializing_if = "Stop::is_never")]
    pub stop: Stop,
    /// What `stop = "sequential"` asks for; set if and only if that is the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequential: Option<Sequential>,
    /// Where the roles of the neurons come from.
    #[serde(default)]
    pub roles: Roles,
    /// The layers, first to last; one table `[[layers]]` each.
    pub layers: Vec<Layer>,
    /// How each neuron is called.
    #[serde(default)]
    pub calls: Calls,
    /// What a reply consists of and how it is read.
    #[serde(default)]
    pub reply: ReplySpec,
    /// How free text is drawn in evaluation calls.
    #[serde(default)]
    pub sampling: Draw,
    /// How scores become a verdict.
    #[serde(default)]
    pub aggregate: Aggregate,
}

/// One layer. All keys are optional; layers from 2 on read the one before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The model of the whole layer, in the words of `--model`; without it, the run's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whose reviews of the layer before a neuron reads.
    #[serde(default)]
    pub neighbourhood: Neighbourhood,
    /// Whether the reviews are read at all.
    #[serde(default)]
    pub history: HistoryUse,
    /// Settings of single neurons; neuron i takes entry i modulo their number, so three models make a mixed jury of any width.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neurons: Vec<NeuronSpec>,
}

/// Whose reviews a neuron of a deeper layer reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neighbourhood {
    /// Everybody's (the paper).
    #[default]
    All,
    /// Its own and those of `window - 1` neurons on each side (the published code, window 2).
    Window(NonZeroUsize),
    /// `all` up to four neurons, `window = 2` beyond, where prompts would grow too long.
    Auto,
}

/// Whether reviews of the layer before are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HistoryUse {
    /// The layer before's.
    #[default]
    Previous,
    /// None: the layer judges afresh, a control for what discussion adds.
    None,
}

/// How each neuron is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// Presentation orders.
    #[serde(default)]
    pub orders: Orders,
    /// Samples per neuron and order (FairEval's k).
    #[serde(default = "one")]
    pub samples: NonZeroUsize,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            orders: Orders::default(),
            samples: one(),
        }
    }
}

/// In which orders a neuron sees the responses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orders {
    /// Both, so that position bias cancels.
    #[default]
    Both,
    /// As given only.
    One,
}

/// What a reply consists of and how it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplySpec {
    /// `scaffold` forces the score lines where the model can be steered; `free` reads whatever it writes.
    #[serde(default)]
    pub form: Form,
    /// Most tokens of evidence before the scores (scaffold).
    #[serde(default = "evidence_tokens")]
    pub evidence_tokens: usize,
    /// Most tokens of a free reply.
    #[serde(default = "free_tokens")]
    pub max_tokens: usize,
    /// How a free reply is read.
    #[serde(default)]
    pub parser: Parser,
    /// Requests made until a free reply can be read; under the robust parser further ones use at least temperature 0.7, since at 0
    /// they would repeat the first.
    #[serde(default = "one")]
    pub attempts: NonZeroUsize,
    /// What becomes of a reply that cannot be read.
    #[serde(default)]
    pub failure: Failure,
    /// Whether the published code's defects B1, B3 and B4 are reproduced.
    #[serde(default)]
    pub defects: Defects,
}

impl Default for ReplySpec {
    fn default() -> Self {
        Self {
            form: Form::default(),
            evidence_tokens: evidence_tokens(),
            max_tokens: free_tokens(),
            parser: Parser::default(),
            attempts: one(),
            failure: Failure::default(),
            defects: Defects::default(),
        }
    }
}

/// The form of a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Evidence, then forced score lines in which only the score is chosen.
    #[default]
    Scaffold,
    /// Free text.
    Free,
}

/// How scores are read out of free text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parser {
    /// The last complete pair, within 1 to 10.
    #[default]
    Robust,
    /// The published WideDeep code's rule.
    Compat,
    /// The published FairEval code's rule.
    Faireval,
}

/// What a reply that cannot be read counts as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Missing: it is counted and shown, and takes no part in the verdict.
    #[default]
    Missing,
    /// 0–0, as in the published code (defect of the official build; for comparison only).
    Zero,
}

/// Whether the published code's defects are reproduced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defects {
    /// No.
    #[default]
    Fixed,
    /// Yes.
    Reproduce,
}

/// How free text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// 0 takes the most probable token.
    #[serde(default)]
    pub temperature: f32,
    /// Nucleus.
    #[serde(default = "whole")]
    pub top_p: f32,
}

impl Default for Draw {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: whole(),
        }
    }
}

/// How scores become a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// Cell of the grid that decides, such as `mean/all/argmax`; the whole grid is always reported.
    #[serde(default)]
    pub cell: Cell,
    /// Means that differ by no more than this are a tie.
    #[serde(default)]
    pub tie_margin: Margin,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}
fn evidence_tokens() -> usize {
    128
}
fn free_tokens() -> usize {
    512
}
fn whole() -> f32 {
    1.0
}

/// Why a text is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// It is not the TOML of a network.
    #[error("{origin}:{line}: {what}")]
    Syntax {
        /// File, or the name of the embedded network.
        origin: String,
        /// 1-based line of the file.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// It is well-formed but cannot run.
    #[error("{origin}: {what}")]
    Impossible {
        /// File, or the name of the embedded network.
        origin: String,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// An override cannot be applied.
    #[error("`--set {text}`: {what}")]
    Override {
        /// What the user wrote.
        text: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Network {
    /// Reads a network from TOML; `origin` (a path, or a name) is what errors cite. Overrides are `path.to.key=value`, with a TOML value or a
    /// bare word; `layers=N` sets the depth by dropping layers or repeating the last, `roles.source` starts the table `[roles]` afresh,
    /// since each source has its own keys, and `stop` drops the table `[sequential]` where another rule is set.
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Self, NetworkError> {
        let syntax = |error: &toml::de::Error, text: &str| NetworkError::Syntax {
            origin: origin.to_owned(),
            line: error
                .span()
                .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1),
            what: error.message().to_owned(),
        };
        // Read as given first, so that lines in errors are those of the user's file.
        let network: Network = toml::from_str(text).map_err(|error| syntax(&error, text))?;
        let mut network = if overrides.is_empty() {
            network
        } else {
            let mut table: toml::Table = toml::from_str(text).map_err(|error| syntax(&error, text))?;
            overrides::apply(&mut table, overrides)?;
            Network::deserialize(table).map_err(|error| NetworkError::Override {
                text: overrides.join(" --set "),
                what: with_key(&error),
            })?
        };
        network.check().map_err(|what| NetworkError::Impossible {
            origin: origin.to_owned(),
            what,
        })?;
        let neurons = network.layers.iter_mut().flat_map(|layer| &mut layer.neurons);
        neurons.for_each(NeuronSpec::spell_out);
        // Written out, so that a run knows by which test it stopped.
        if network.stop == Stop::Sequential {
            network.sequential.get_or_insert_default();
        }
        Ok(network)
    }

    fn check(&self) -> Result<(), String> {
        if self.layers.is_empty() {
            return Err("a network needs at least one layer: add a `[[layers]]` table".into());
        }
        if let Roles::Fixed { names } = &self.roles
            && (names.is_empty() || names.iter().any(|name| name.trim().is_empty()))
        {
            return Err("`roles.names` needs at least one name, and no empty one; use `source = \"none\"` for a judge without role".into());
        }
        self.layers
            .iter()
            .flat_map(|layer| &layer.neurons)
            .try_for_each(NeuronSpec::check)?;
        if matches!(self.roles, Roles::Generated { .. }) && self.kind_of(0, 0) == NeuronKind::Detector {
            return Err("roles are generated by the model of the first neuron, and a detector writes nothing: put it later, or use fixed roles".into());
        }
        let fair = matches!(self.prompt, Layout::FairEval | Layout::FairEvalVanilla);
        if fair && self.roles != Roles::None {
            return Err(format!(
                "the prompt layout `{}` has no roles: use `roles.source = \"none\"`, or the layout `shared`",
                self.prompt.name()
            ));
        }
        if fair && self.layers.len() > 1 {
            return Err(format!(
                "the prompt layout `{}` has no deeper layers: use one layer, or the layout `shared`",
                self.prompt.name()
            ));
        }
        if let Roles::Generated {
            temperature,
            max_tokens,
            ..
        } = &self.roles
        {
            if !(0.0..=10.0).contains(temperature) {
                return Err("`roles.temperature` lies between 0 and 10".into());
            }
            if *max_tokens == 0 {
                return Err("`roles.max_tokens` is 0, which leaves no list of roles: use 1 or more".into());
            }
        }
        if self.reply.max_tokens == 0 {
            return Err("`reply.max_tokens` is 0, which leaves no free reply: use 1 or more".into());
        }
        if self.aggregate.cell.reading == Reading::Expected && self.reply.form == Form::Free {
            return Err(format!(
                "`aggregate.cell = \"{}\"` needs score distributions, which free replies do not have: use \
                 `reply.form = \"scaffold\"`, or an `argmax` cell",
                self.aggregate.cell
            ));
        }
        if !(0.0..=10.0).contains(&self.sampling.temperature) {
            return Err("`sampling.temperature` lies between 0 and 10".into());
        }
        if !(self.sampling.top_p > 0.0 && self.sampling.top_p <= 1.0) {
            return Err("`sampling.top_p` lies above 0 and up to 1".into());
        }
        if self.calls.samples.get() > 1 && self.sampling.temperature == 0.0 {
            return Err(
                "`calls.samples` above 1 at temperature 0 repeats one reply: raise `sampling.temperature`".into(),
            );
        }
        if self.layers[0].neighbourhood != Neighbourhood::default() || self.layers[0].history != HistoryUse::default() {
            return Err("layer 1 reads no reviews: `neighbourhood` and `history` belong to later layers".into());
        }
        self.check_stop()
    }

    fn check_stop(&self) -> Result<(), String> {
        match (self.stop, &self.sequential) {
            (Stop::Never | Stop::Unanimous, Some(_)) => Err(format!(
                "`[sequential]` belongs to `stop = \"sequential\"`, and `stop` is \"{}\": remove the table, or set `stop = \"sequential\"`",
                self.stop.name()
            )),
            (Stop::Unanimous, None) if self.layers.len() == 1 => Err(
                "`stop = \"unanimous\"` skips layers after the first, and there is one layer: add a `[[layers]]` table, or use `stop = \"never\"`"
                    .into(),
            ),
            (Stop::Sequential, _) if self.roles.most() == Some(1) => Err(
                "`stop = \"sequential\"` asks neuron by neuron, and there is one neuron: give `roles` more, or use `stop = \"never\"`"
                    .into(),
            ),
            (Stop::Sequential, Some(test)) => test.check(),
            _ => Ok(()),
        }
    }

    /// The models that the network names besides the run's, without repetition.
    pub fn models(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for layer in &self.layers {
            let of_neurons = layer.neurons.iter().filter_map(|neuron| neuron.model.as_deref());
            for name in layer.model.as_deref().into_iter().chain(of_neurons) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// The model of a neuron, if the network names one.
    pub fn model_of(&self, layer: usize, neuron: usize) -> Option<&str> {
        let own = self.neuron(layer, neuron).and_then(|neuron| neuron.model.as_deref());
        own.or(self.layers.get(layer)?.model.as_deref())
    }

    /// What a neuron is.
    pub fn kind_of(&self, layer: usize, neuron: usize) -> NeuronKind {
        self.neuron(layer, neuron)
            .map_or(NeuronKind::Language, |neuron| neuron.kind)
    }

    /// A neuron's own settings, if it has some.
    fn neuron(&self, layer: usize, neuron: usize) -> Option<&NeuronSpec> {
        let neurons = &self.layers.get(layer)?.neurons;
        (!neurons.is_empty()).then(|| &neurons[neuron % neurons.len()])
    }
}

/// The message of an error without a line: which key it is about stands on a line of its own.
fn with_key(error: &toml::de::Error) -> String {
    let text = error.to_string();
    match text.trim_end().split_once("\nin ") {
        Some((what, key)) => format!("{what} (in {key})"),
        None => error.message().to_owned(),
    }
}

impl fmt::Display for Neighbourhood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Neighbourhood::All => f.write_str("all"),
            Neighbourhood::Window(window) => write!(f, "window {window}"),
            Neighbourhood::Auto => f.write_str("auto"),
        }
    }
}
