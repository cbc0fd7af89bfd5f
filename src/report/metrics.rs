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
    agreement::{Bootstrap, PositionBias, Summary},
    cost::Bill,
    network::{
        Evaluation, Opinion,
        aggregate::{Reading, Vote, conflict},
        spec::{Aggregate, Orders},
    },
    pair::{Label, Taxonomy},
    run::{DataSource, Judge, Judged, RunConfig},
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
        let rows = judged.iter().filter_map(compared);
        let mut metrics = Self {
            run: RunFacts::of(config),
            counts: Counts::of(config, judged, total_pairs, taxonomy),
            overall: Summary::of(rows, bootstrap),
            datasets: groups::by(judged, bootstrap, |dataset| vec![Some(dataset)]),
            task_types: groups::by(judged, bootstrap, |dataset| vec![taxonomy.task_type(dataset)]),
            abilities: groups::by(judged, bootstrap, |dataset| match taxonomy.abilities(dataset) {
                [] => vec![None],
                abilities => abilities.iter().map(|ability| Some(ability.as_str())).collect(),
            }),
            grid: None,
            position: None,
            discussion: None,
            stopping: None,
            roles: None,
            stages: None,
            cost: None,
            length: LengthPreference::of(judged, bootstrap.level),
            bootstrap,
        };
        if let Judge::Network { network, .. } = &config.judge {
            let voted: Vec<Voted<'_>> = judged.iter().filter_map(Voted::of).collect();
            let evaluations = || voted.iter().map(|voted| voted.evaluation);
            metrics.grid = Some(Grid::of(&voted, network.aggregate));
            metrics.position = Some(Position::of(
                &voted,
                network.aggregate.cell.reading,
                network.calls.orders,
                bootstrap,
            ));
            metrics.discussion = Discussion::of(&voted, network, bootstrap);
            metrics.stopping = Stopping::of(&voted, network);
            metrics.roles = Roles::of(evaluations());
            metrics.stages = Some(Stages::of(evaluations()));
        }
        metrics
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

impl Position {
    fn of(voted: &[Voted<'_>], reading: Reading, orders: Orders, bootstrap: Bootstrap) -> Self {
        let conflicts: Vec<_> = voted.iter().map(|voted| conflict(&voted.votes, reading)).collect();
        Self {
            reading: reading.name(),
            orders,
            bias: PositionBias::of(&conflicts, bootstrap.level),
        }
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
