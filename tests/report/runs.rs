//! Runs with known scores, stored through the same door as real ones.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use widedeep::chat::{CallKey, ChatError, Identity, Origin, Reply, ReplyPlan, Request, Sampling, Speaker, Turn, Usage};
use widedeep::cost::Stage;
use widedeep::network::aggregate::aggregate;
use widedeep::network::score::{Score, ScorePair};
use widedeep::network::{Evaluation, Missing, Network, Opinion, RoleOutcome, StageRecord, shipped};
use widedeep::pair::{Label, Order, Pair, Selection, Taxonomy};
use widedeep::prompt::parse::{Assistant, ParseFailure};
use widedeep::report::{self, Metrics};
use widedeep::run::{Baseline, DataSource, Judge, Judged, RunConfig, Store};

/// What became of one call.
#[derive(Clone, Copy)]
pub enum Said {
    /// Canonical scores.
    Scores(f64, f64),
    /// Canonical scores, and the means of their distributions.
    Expected((f64, f64), (f64, f64)),
    /// The prompt did not fit.
    TooLong,
    /// There is a reply, but no scores in it.
    Unreadable,
}

/// Layers of neurons, each with its call in order 12 and in order 21.
pub type Layers = &'static [&'static [[Said; 2]]];

pub const fn neuron(forward: (f64, f64), swapped: (f64, f64)) -> [Said; 2] {
    [Said::Scores(forward.0, forward.1), Said::Scores(swapped.0, swapped.1)]
}

/// Spec 14.4.
pub const A: Layers = &[
    &[neuron((8., 7.), (7., 7.)), neuron((6., 8.), (7., 8.))],
    &[neuron((8., 7.), (8., 7.)), neuron((7., 8.), (8., 7.))],
];
/// Spec 14.4, the failed call missing.
pub const B: Layers = &[
    &[neuron((8., 6.), (5., 9.)), [Said::TooLong, Said::Scores(7., 6.)]],
    &[neuron((7., 8.), (8., 8.)), neuron((6., 8.), (8., 7.))],
];
/// Spec 14.4.
pub const C: Layers = &[
    &[
        neuron((9., 3.), (6., 7.)),
        neuron((6., 7.), (7., 7.5)),
        neuron((7., 8.), (8., 7.)),
    ],
    &[
        neuron((8., 7.), (7., 8.)),
        neuron((7., 8.), (7., 8.)),
        neuron((7., 7.), (6., 7.)),
    ],
];

pub fn pair(index: usize, dataset: &str, label: Option<Label>, lengths: [usize; 2]) -> Pair {
    Pair {
        index,
        id: Some(format!("q{index}")),
        query: "why?".into(),
        response1: "a".repeat(lengths[0]),
        response2: "b".repeat(lengths[1]),
        label,
        dataset: dataset.into(),
    }
}

fn identity() -> Identity {
    Identity {
        name: "tiny".into(),
        digest: "d1".into(),
    }
}

pub fn network(overrides: &[&str]) -> Network {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Network::parse(shipped("widedeep").unwrap(), "widedeep", &overrides).unwrap()
}

pub fn config(judge: Judge) -> RunConfig {
    RunConfig {
        widedeep: "0.1.0".into(),
        data: DataSource {
            path: PathBuf::from("pairs.jsonl"),
            format: "jsonl".into(),
            blake3: "b3".into(),
            selection: Selection::default(),
            skipped: 0,
        },
        judge,
        seed: 7,
        prompts: "p".into(),
        taxonomy: Taxonomy::embedded().digest(),
    }
}

pub fn by_network(network: Network) -> RunConfig {
    config(Judge::Network {
        network,
        model: identity(),
        named: vec![],
    })
}

/// A run in a folder that is gone when it is dropped.
pub struct Run {
    pub folder: TempDir,
    pub store: Store,
}

impl Run {
    pub fn start(config: &RunConfig, pairs: &[Pair]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::start(folder.path(), config, pairs).unwrap();
        Self { folder, store }
    }

    /// A run of a network in which every pair is finished.
    pub fn of(network: Network, pairs: &[(Pair, Layers)]) -> Self {
        let only: Vec<Pair> = pairs.iter().map(|(pair, _)| pair.clone()).collect();
        let run = Self::start(&by_network(network), &only);
        for (pair, layers) in pairs {
            run.judge(pair, layers);
        }
        run
    }

    pub fn baseline(baseline: Baseline, pairs: &[Pair]) -> Self {
        let run = Self::start(&config(Judge::Baseline(baseline)), pairs);
        for pair in pairs {
            let judged = Judged {
                pair: pair.clone(),
                verdict: Some(baseline.verdict(pair)),
                decision: None,
                evaluation: None,
            };
            run.store.finish(&judged).unwrap();
        }
        run
    }

    /// Stores the calls and the verdict of a pair.
    pub fn judge(&self, pair: &Pair, layers: Layers) {
        self.judge_as(pair, layers, |_| {});
    }

    /// The same, with a last touch to the evaluation.
    pub fn judge_as(&self, pair: &Pair, layers: Layers, touch: impl FnOnce(&mut Evaluation)) {
        let Judge::Network { network, .. } = &self.store.config().judge else {
            panic!("a baseline has no evaluations")
        };
        let mut evaluation = self.evaluation(pair, layers);
        touch(&mut evaluation);
        let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
        let decision = aggregate(&votes, network.aggregate.cell, network.aggregate.tie_margin);
        let judged = Judged {
            pair: pair.clone(),
            verdict: decision.map(|decision| decision.label),
            decision,
            evaluation: Some(evaluation),
        };
        self.store.finish(&judged).unwrap();
    }

    fn evaluation(&self, pair: &Pair, layers: Layers) -> Evaluation {
        let roles: Vec<Option<String>> = ["Accuracy", "Clarity", "Depth"][..layers[0].len()]
            .iter()
            .map(|&role| Some(role.to_owned()))
            .collect();
        let raw = "$Accuracy&\n$Clarity&";
        let usage = usage(100, 0, 20);
        let mut stages = vec![StageRecord {
            stage: Stage::Roles,
            calls: 1,
            usage,
            seconds: 0.5,
        }];
        let roles = RoleOutcome {
            roles,
            fallback: false,
            attempts: 1,
            call: Some(self.record(pair, "which angles matter?", raw)),
            raw: Some(raw.into()),
            usage,
        };
        let mut opinions = Vec::new();
        for (layer, neurons) in layers.iter().enumerate() {
            let before = opinions.len();
            for (neuron, calls) in neurons.iter().enumerate() {
                for (order, &said) in [Order::Forward, Order::Swapped].into_iter().zip(calls) {
                    opinions.push(self.opinion(pair, layer, (neuron, &roles), order, said));
                }
            }
            let mut stage = StageRecord {
                stage: Stage::Layer(layer),
                calls: 0,
                usage: Usage::default(),
                seconds: 1.25,
            };
            for opinion in &opinions[before..] {
                stage.calls += opinion.attempts;
                stage.usage += opinion.usage;
            }
            stages.push(stage);
        }
        Evaluation {
            roles,
            opinions,
            stages,
            stopped: None,
        }
    }

    fn opinion(
        &self,
        pair: &Pair,
        layer: usize,
        (neuron, roles): (usize, &RoleOutcome),
        order: Order,
        said: Said,
    ) -> Opinion {
        let prompt = format!(
            "judge pair {} in layer {layer}, neuron {neuron}, order {}",
            pair.index,
            order.name()
        );
        let (call, usage) = match said {
            Said::TooLong => (key(&prompt), Usage::default()),
            Said::Unreadable => (
                self.record(pair, &prompt, "I would rather not say."),
                usage(200, 150, 30),
            ),
            Said::Scores(..) | Said::Expected(..) => (
                self.record(pair, &prompt, &format!("well: {prompt}")),
                usage(200, 150, 30),
            ),
        };
        let (scores, expected) = match said {
            Said::Scores(one, two) => (Some(scores((one, two))), None),
            Said::Expected(written, expected) => (Some(scores(written)), Some(scores(expected))),
            Said::TooLong | Said::Unreadable => (None, None),
        };
        let missing = match said {
            Said::TooLong => Some(Missing::Call {
                error: ChatError::TooLong {
                    prompt: 3000,
                    reply: 128,
                    limit: 2048,
                },
            }),
            Said::Unreadable => Some(Missing::Reply {
                failure: ParseFailure::NoLabel {
                    assistant: Assistant::One,
                },
            }),
            Said::Scores(..) | Said::Expected(..) => None,
        };
        Opinion {
            layer,
            neuron,
            role: roles.roles[neuron].clone(),
            order,
            sample: 0,
            model: "tiny".into(),
            call,
            scores,
            expected,
            distribution: None,
            review: "a review".into(),
            missing,
            attempts: 1,
            reviews_shortened_to: None,
            usage,
        }
    }

    fn record(&self, pair: &Pair, prompt: &str, text: &str) -> CallKey {
        let request = request(&format!("{prompt} (pair {})", pair.index));
        let reply = Reply {
            text: text.into(),
            chosen: vec![],
            stopped: vec![],
            usage: Usage::default(),
        };
        let key = CallKey::of(&identity(), &request);
        self.store.record("tiny", &[(key.clone(), &request, &reply)]).unwrap();
        key
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn metrics(&self) -> Metrics {
        let judged = self.store.judged().unwrap();
        let pairs = self.store.pairs().unwrap().len();
        let config = self.store.config();
        Metrics::of(config, &judged, pairs, &Taxonomy::embedded(), report::bootstrap(config))
    }
}

fn request(prompt: &str) -> Request {
    let turn = |speaker, content: &str| Turn {
        speaker,
        content: content.into(),
    };
    Request {
        turns: vec![turn(Speaker::System, "You judge."), turn(Speaker::User, prompt)],
        plan: ReplyPlan::Free { max_tokens: 64 },
        sampling: Sampling::greedy(),
        origin: Origin::default(),
    }
}

/// The key of a call that never got a reply.
fn key(prompt: &str) -> CallKey {
    CallKey::of(&identity(), &request(prompt))
}

fn usage(prompt: u64, cached_prompt: u64, completion: u64) -> Usage {
    Usage {
        prompt,
        cached_prompt,
        completion,
    }
}

fn scores((one, two): (f64, f64)) -> ScorePair {
    ScorePair::new(Score::from_f64(one).unwrap(), Score::from_f64(two).unwrap())
}

/// The three examples of spec 14.4 as one run, with these labels.
pub fn examples(labels: [Label; 3]) -> Run {
    let [a, b, c] = labels.map(Some);
    Run::of(
        network(&[]),
        &[
            (pair(0, "shp", a, [9, 4]), A),
            (pair(1, "shp", b, [5, 5]), B),
            (pair(2, "mt-bench", c, [3, 8]), C),
        ],
    )
}
