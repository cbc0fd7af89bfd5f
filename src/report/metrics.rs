//! Every figure of a run, as one value: `metrics.json` is this, and the printed summary is made from it.

mod counts;
mod discussion;
mod grid;
mod groups;
mod length;
mod roles;
mod stages;
mod stopping;

use serde::Serialize;

pub use self::{
    counts::Counts,
    discussion::{Discussion, LayerAgreement},
    grid::{CellRow, CellScore, Grid},
    groups::Group,
    length::{LengthPreference, PreferLonger},
    roles::Roles,
    stages::{Spent, StageMetrics, Stages},
    stopping::{Place, Share, Stopping},
};
use crate::{
    agreement::{Bootstrap, Confusion, PositionBias, PositionSums, Summary},
    cost::Bill,
    network::{
        Evaluation, Network, Opinion,
        aggregate::{Vote, conflict},
        spec::{Aggregate, Orders},
    },
    pair::{Label, Taxonomy},
    run::{DataSource, Judge, Judged, RunConfig, Store, StoreError},
};

/// Agreement over fewer pairs than this says little: readers are warned.
pub(super) const FEW: u64 = 30;

/// The figures of one run. What a run does not have (a baseline has no opinions, own data may have no labels) is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// What the figures are of.
    pub run: RunFacts,
    /// How many of everything.
    pub counts: Counts,
    /// Agreement with the human labels, over all pairs with a label and a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overall: Option<Summary>,
    /// The same per dataset.
    pub datasets: Vec<Group>,
    /// The same per task type.
    pub task_types: Vec<Group>,
    /// The same per ability; a pair counts in each ability of its dataset.
    pub abilities: Vec<Group>,
    /// What every cell of the aggregation grid makes of the same opinions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Grid>,
    /// What the order of presentation did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// What the layers after the first did, for networks that have some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discussion: Option<Discussion>,
    /// Where pairs stopped, for networks that may stop early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
    /// The roles of the neurons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Roles>,
    /// Calls, tokens and time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Stages>,
    /// What the run cost, as far as it was reckoned ([`cost`](fn@crate::report::cost)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Bill>,
    /// Whether the longer response is preferred.
    pub length: LengthPreference,
    /// How the intervals were drawn.
    pub bootstrap: Bootstrap,
}

/// What the figures are of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFacts {
    /// Name of the network or baseline.
    pub judge: String,
    /// Layers of the network; absent for a baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Models by name, the run's first; none for a baseline.
    pub models: Vec<String>,
    /// Where the pairs came from.
    pub data: DataSource,
    /// The run's seed.
    pub seed: u64,
    /// Version of the program that started the run.
    pub widedeep: String,
    /// Cell and tie margin behind the verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    /// Cell and tie margin of the run itself, where these figures are by others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaggregated_from: Option<Aggregate>,
}

/// Position bias, by one reading of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Position {
    /// `argmax` or `expected`: the reading of the cell that decides.
    pub reading: &'static str,
    /// In which orders the network asks. Where it asks in one only, a preference for what is shown first cannot be told from a preference for
    /// `response1`.
    pub orders: Orders,
    /// The diagnostics.
    #[serde(flatten)]
    pub bias: PositionBias,
}

/// How the intervals of a run are drawn: 2,000 resamples at 95 %, with the run's own seed, so that whoever opens the run gets the same ones.
pub fn bootstrap(config: &RunConfig) -> Bootstrap {
    Bootstrap {
        seed: config.seed,
        ..Bootstrap::default()
    }
}

impl Metrics {
    /// Computes all figures. `judged` are the finished pairs of a run of `total_pairs`; `taxonomy` groups them.
    pub fn of(
        config: &RunConfig,
        judged: &[Judged],
        total_pairs: usize,
        taxonomy: &Taxonomy,
        bootstrap: Bootstrap,
    ) -> Self {
        let mut gathering = Gathering::new(config, taxonomy, bootstrap);
        for pair in judged {
            gathering.add(pair);
        }
        gathering.finish(total_pairs)
    }

    /// The figures of a run as it stands, read pair by pair.
    pub fn of_run(store: &Store, taxonomy: &Taxonomy) -> Result<Self, StoreError> {
        let config = store.config();
        let mut gathering = Gathering::new(config, taxonomy, bootstrap(config));
        store.each_judged(|judged| {
            gathering.add(&judged);
            Ok::<(), StoreError>(())
        })?;
        Ok(gathering.finish(store.size()?))
    }
}

/// Figures in the making: finished pairs are added one by one, and nothing is kept of them but counts and labels.
pub(super) struct Gathering<'a> {
    config: &'a RunConfig,
    taxonomy: &'a Taxonomy,
    bootstrap: Bootstrap,
    counts: Counts,
    overall: Confusion,
    datasets: groups::Sums,
    task_types: groups::Sums,
    abilities: groups::Sums,
    length: length::Sums,
    network: Option<OfNetwork<'a>>,
}

/// What only networks have.
struct OfNetwork<'a> {
    network: &'a Network,
    grid: grid::Sums,
    position: PositionSums,
    discussion: Option<discussion::Sums<'a>>,
    stopping: Option<stopping::Sums<'a>>,
    roles: roles::Sums,
    stages: stages::Sums,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(config: &'a RunConfig, taxonomy: &'a Taxonomy, bootstrap: Bootstrap) -> Self {
        let network = match &config.judge {
            Judge::Baseline(_) => None,
            Judge::Network { network, .. } => Some(OfNetwork {
                network,
                grid: grid::Sums::new(network.aggregate),
                position: PositionSums::default(),
                discussion: discussion::Sums::new(network),
                stopping: stopping::Sums::new(network),
                roles: roles::Sums::default(),
                stages: stages::Sums::default(),
            }),
        };
        Self {
            config,
            taxonomy,
            bootstrap,
            counts: Counts::new(config, taxonomy),
            overall: Confusion::default(),
            datasets: groups::Sums::default(),
            task_types: groups::Sums::default(),
            abilities: groups::Sums::default(),
            length: length::Sums::default(),
            network,
        }
    }

    /// Adds a finished pair.
    pub(super) fn add(&mut self, judged: &Judged) {
        let dataset = judged.pair.dataset.as_str();
        self.counts.add(judged, self.taxonomy);
        self.overall.extend(compared(judged));
        self.datasets.add(Some(dataset), judged);
        self.task_types.add(self.taxonomy.task_type(dataset), judged);
        match self.taxonomy.abilities(dataset) {
            [] => self.abilities.add(None, judged),
            abilities => abilities
                .iter()
                .for_each(|ability| self.abilities.add(Some(ability), judged)),
        }
        self.length.add(judged);
        if let (Some(of), Some(voted)) = (&mut self.network, Voted::of(judged)) {
            of.add(&voted);
        }
    }

    /// All figures of a run of so many pairs.
    pub(super) fn finish(mut self, total_pairs: usize) -> Metrics {
        let bootstrap = self.bootstrap;
        self.counts.pairs = total_pairs;
        let mut metrics = Metrics {
            run: RunFacts::of(self.config),
            counts: self.counts,
            overall: Summary::of_counts(self.overall, bootstrap),
            datasets: self.datasets.finish(bootstrap),
            task_types: self.task_types.finish(bootstrap),
            abilities: self.abilities.finish(bootstrap),
            grid: None,
            position: None,
            discussion: None,
            stopping: None,
            roles: None,
            stages: None,
            cost: None,
            length: self.length.finish(bootstrap.level),
            bootstrap,
        };
        if let Some(of) = self.network {
            metrics.grid = Some(of.grid.finish());
            metrics.position = Some(Position {
                reading: of.network.aggregate.cell.reading.name(),
                orders: of.network.calls.orders,
                bias: of.position.bias(bootstrap.level),
            });
            metrics.discussion = of.discussion.map(|sums| sums.finish(bootstrap));
            metrics.stopping = of.stopping.map(stopping::Sums::finish);
            metrics.roles = of.roles.finish();
            metrics.stages = Some(of.stages.finish());
        }
        metrics
    }
}

impl OfNetwork<'_> {
    fn add(&mut self, pair: &Voted<'_>) {
        self.grid.add(pair);
        self.position
            .add(&conflict(&pair.votes, self.network.aggregate.cell.reading));
        if let Some(discussion) = &mut self.discussion {
            discussion.add(pair);
        }
        if let Some(stopping) = &mut self.stopping {
            stopping.add(pair);
        }
        self.roles.add(pair.evaluation);
        self.stages.add(pair.evaluation);
    }
}

impl RunFacts {
    fn of(config: &RunConfig) -> Self {
        let mut facts = Self {
            judge: config.judge.name().to_owned(),
            layers: None,
            models: Vec::new(),
            data: config.data.clone(),
            seed: config.seed,
            widedeep: config.widedeep.clone(),
            aggregate: None,
            reaggregated_from: None,
        };
        if let Judge::Network { network, model, named } = &config.judge {
            facts.layers = Some(network.layers.len());
            for model in std::iter::once(model).chain(named) {
                if !facts.models.contains(&model.name) {
                    facts.models.push(model.name.clone());
                }
            }
            facts.aggregate = Some(network.aggregate);
        }
        facts
    }
}

/// A pair that a network evaluated, with the scores of its opinions.
struct Voted<'a> {
    judged: &'a Judged,
    evaluation: &'a Evaluation,
    votes: Vec<Vote>,
}

impl<'a> Voted<'a> {
    fn of(judged: &'a Judged) -> Option<Self> {
        let evaluation = judged.evaluation.as_ref()?;
        Some(Self {
            judged,
            evaluation,
            votes: evaluation.opinions.iter().map(Opinion::vote).collect(),
        })
    }
}

/// (human label, verdict) of a pair that has both.
fn compared(judged: &Judged) -> Option<(Label, Label)> {
    Some((judged.pair.label?, judged.verdict?))
}
