//! Where H-units come from: a pair of models whose difference is known.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use widedeep::{
    agreement::Bootstrap,
    inside::{
        hallucination::{
            origin::{Layer, Modules, Movement, OriginError, Scaling, backward, movements, stability},
            split::Role,
            study::{Before, Plan, StudyError, fit},
        },
        language::{Shape, Unit},
    },
};

use super::synthetic::{Signal, features};

const UNITS: usize = 50;
const MODEL: usize = 16;

struct Weights {
    gate: Vec<f32>,
    up: Vec<f32>,
    down: Vec<f32>,
}

impl Weights {
    fn random(rng: &mut ChaCha8Rng) -> Self {
        let mut values = || (0..UNITS * MODEL).map(|_| rng.random_range(-1.0..1.0)).collect();
        Self {
            gate: values(),
            up: values(),
            down: values(),
        }
    }

    fn layer(&self) -> Layer<'_> {
        Layer {
            gate: Some(&self.gate),
            up: &self.up,
            down: &self.down,
        }
    }
}

#[test]
fn distances_are_those_of_the_definition() {
    // Two units, two dimensions. Down is stored by dimension: unit 0 is (1, 0), then (0, 1); unit 1 is (0, 2) and stays.
    let base = Layer {
        gate: None,
        up: &[1.0, 0.0, 3.0, 4.0],
        down: &[1.0, 0.0, 0.0, 2.0],
    };
    let tuned = Layer {
        gate: None,
        up: &[2.0, 0.0, -3.0, -4.0],
        down: &[0.0, 0.0, 1.0, 2.0],
    };
    let found = movements(&base, &tuned, 2).unwrap();
    assert_eq!(
        found[0],
        Movement {
            gate: None,
            up: 0.0,
            down: 1.0
        }
    );
    assert_eq!(
        found[1],
        Movement {
            gate: None,
            up: 2.0,
            down: 0.0
        }
    );
    assert_eq!(
        movements(&base, &base, 2).unwrap(),
        [Movement {
            gate: None,
            up: 0.0,
            down: 0.0
        }; 2]
    );

    let gated = Layer {
        gate: Some(&[1.0, 0.0, 3.0, 4.0]),
        ..base
    };
    assert_eq!(movements(&base, &gated, 2), Err(OriginError::Gate));
    let short = Layer {
        up: &[1.0, 0.0],
        ..base
    };
    assert!(matches!(
        movements(&base, &short, 2),
        Err(OriginError::Sizes { tensor: "ffn_up", .. })
    ));
    assert!(matches!(movements(&base, &base, 3), Err(OriginError::Units { .. })));
}

#[test]
fn rescaled_vectors_have_not_moved() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let base = Weights::random(&mut rng);
    // Rounding to f32 turns a rescaled vector by 10⁻¹⁵, which must not decide ranks; a step of 10⁻⁵ does.
    let mut up: Vec<f32> = base.up.iter().map(|value| value * 0.3).collect();
    up[MODEL] += 1e-5;
    let down: Vec<f32> = base.down.iter().map(|value| value * 1.7).collect();
    let tuned = Layer {
        gate: Some(&base.gate),
        up: &up,
        down: &down,
    };
    let found = movements(&base.layer(), &tuned, UNITS).unwrap();
    let moved: Vec<usize> = (0..UNITS).filter(|&unit| found[unit].turned()).collect();
    assert_eq!(moved, [1]);
    assert!(found[1].up > 0.0 && found[1].down == 0.0);
}

#[test]
fn layers_that_move_as_a_whole_do_not_make_units_stable() {
    // Layer 0 moved a hundredth as far as layer 1, and all chosen units but one are in it: beside all units they look stable, beside their own layer they do not.
    let shape = Shape {
        layers: 2,
        width: UNITS,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let all: Vec<Movement> = (0..2 * UNITS)
        .map(|position| {
            let distance = if position < UNITS { 0.001 } else { 0.1 } * rng.random_range(0.5..1.5);
            Movement {
                gate: None,
                up: distance,
                down: distance,
            }
        })
        .collect();
    // Three quarters of the layer: more than there are others in it.
    let chosen: BTreeSet<Unit> = (0..38)
        .map(|index| Unit { layer: 0, index })
        .chain([Unit { layer: 1, index: 7 }])
        .collect();
    let found = stability(&all, shape, &chosen, (Modules::UpDown, Scaling::Model), 499, 3).unwrap();
    assert!(found.rank_test.larger < 1e-6, "{found:?}");
    let matched = found.layer_matched.unwrap();
    assert!((0.05..=0.95).contains(&matched), "{matched}");
    let again = stability(&all, shape, &chosen, (Modules::GateUpDown, Scaling::Model), 499, 3).unwrap();
    assert_eq!(again.layer_matched, Some(matched), "without gates, the same");
}

#[test]
fn where_all_units_moved_alike_nothing_is_ranked() {
    let shape = Shape { layers: 1, width: 4 };
    let chosen = BTreeSet::from([Unit { layer: 0, index: 2 }]);
    for distance in [0.0, 0.1] {
        let all = [Movement {
            gate: None,
            up: distance,
            down: distance,
        }; 4];
        let found = stability(&all, shape, &chosen, (Modules::UpDown, Scaling::Model), 9, 1);
        assert_eq!(found, Err(OriginError::Still));
    }
}

#[test]
fn units_that_were_left_alone_are_found_to_be_stable() {
    let shape = Shape {
        layers: 3,
        width: UNITS,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    // Every unit is disturbed, the later layers more; the kept ones a hundred times less.
    let kept: BTreeSet<Unit> = (0..3)
        .flat_map(|layer| [4, 17, 33].map(|index| Unit { layer, index }))
        .collect();
    let mut all = Vec::new();
    for layer in 0..3 {
        let base = Weights::random(&mut rng);
        let mut tuned = Weights {
            gate: base.gate.clone(),
            up: base.up.clone(),
            down: base.down.clone(),
        };
        for index in 0..UNITS {
            let factor = if kept.contains(&Unit { layer, index }) {
                0.001
            } else {
                0.1
            } * (1 + layer) as f32;
            for dimension in 0..MODEL {
                tuned.up[index * MODEL + dimension] += factor * rng.random_range(-1.0_f32..1.0);
                tuned.down[dimension * UNITS + index] += factor * rng.random_range(-1.0_f32..1.0);
            }
        }
        all.extend(movements(&base.layer(), &tuned.layer(), UNITS).unwrap());
    }
    for scaling in [Scaling::Model, Scaling::Layer] {
        let found = stability(&all, shape, &kept, (Modules::UpDown, scaling), 199, 1).unwrap();
        assert_eq!(found.units.len(), 9);
        assert!(
            found.mean_rank > 0.9 && found.others_mean_rank < 0.5,
            "{} {}",
            found.mean_rank,
            found.others_mean_rank
        );
        assert!(found.rank_test.larger < 1e-5 && found.t_test.unwrap() < 1e-5);
        assert_eq!(found.layer_matched, Some(1.0 / 200.0));
        assert!(found.units.iter().all(|unit| unit.movement.gate == Some(0.0)));
    }
    // Ranks of units chosen at random say nothing.
    let others: BTreeSet<Unit> = (0..3)
        .flat_map(|layer| [1, 18, 40].map(|index| Unit { layer, index }))
        .collect();
    let found = stability(&all, shape, &others, (Modules::GateUpDown, Scaling::Layer), 199, 1).unwrap();
    assert!(
        (0.3..0.7).contains(&found.mean_rank) && found.rank_test.two_sided > 0.05,
        "{found:?}"
    );

    let none = stability(&all, shape, &BTreeSet::new(), (Modules::UpDown, Scaling::Model), 0, 1);
    assert_eq!(none, Err(OriginError::Set { chosen: 0, all: 150 }));
    let short = stability(&all[1..], shape, &kept, (Modules::UpDown, Scaling::Model), 0, 1);
    assert_eq!(
        short,
        Err(OriginError::Count {
            found: 149,
            expected: 150
        })
    );
}

#[test]
fn ranks_run_from_the_most_to_the_least_changed() {
    let shape = Shape { layers: 1, width: 5 };
    let moved = |up: f64| Movement {
        gate: None,
        up,
        down: up,
    };
    let all = [0.5, 0.1, 0.9, 0.1, 0.0].map(moved);
    let chosen = BTreeSet::from([
        Unit { layer: 0, index: 2 },
        Unit { layer: 0, index: 1 },
        Unit { layer: 0, index: 4 },
    ]);
    let found = stability(&all, shape, &chosen, (Modules::UpDown, Scaling::Model), 0, 0).unwrap();
    // 0.9 changed most: 0. 0.5: 1/4. The two of 0.1 share (2 + 3)/2 of 4. 0: 1.
    let ranks: Vec<f64> = found.units.iter().map(|unit| unit.rank).collect();
    assert_eq!(ranks, [0.625, 0.0, 1.0]);
    assert_eq!(found.layer_matched, None);
}

#[test]
fn a_detector_is_carried_to_another_model() {
    let folder = tempfile::tempdir().unwrap();
    let own = features(&folder.path().join("tuned"), 300, Signal::Clear, 1);
    let plan = Plan {
        permutations: 0,
        random_draws: 0,
        ..Plan::default()
    };
    let (detector, record) = fit(&own, &plan, &mut |_| ()).unwrap();

    let base = features(&folder.path().join("base"), 200, Signal::Clear, 2);
    let found = backward(&detector, &base, None, Bootstrap::default()).unwrap();
    assert_eq!(found.faithful + found.hallucinated, 200);
    assert!(
        found.auroc.value > 0.85 && found.auroc.interval.unwrap().low > 0.75,
        "{found:?}"
    );

    // Its questions have the ids and texts of the detector's: what that was fitted on is left out where the split says so.
    let before = Before::of(&record.split, [&own]);
    let roles = &record.split.roles;
    let fitted: Vec<&str> = roles
        .iter()
        .filter(|assigned| assigned.role != Role::Test)
        .map(|assigned| assigned.id.as_str())
        .collect();
    let seen = (0..200)
        .filter(|id| fitted.contains(&format!("q{id}").as_str()))
        .count();
    assert!(seen > 50 && seen < 180 && before.count() == fitted.len() && before.unknown() == 0);
    let unseen = backward(&detector, &base, Some(&before), Bootstrap::default()).unwrap();
    assert_eq!(unseen.left_out, Some(seen));
    assert_eq!(unseen.faithful + unseen.hallucinated, 200 - seen);
    assert_eq!((unseen.datasets, found.left_out), (vec!["made".to_owned()], None));
    // By names alone it is the same here.
    let names = Before::of(&record.split, []);
    assert_eq!(names.unknown(), fitted.len());
    let by_name = backward(&detector, &base, Some(&names), Bootstrap::default()).unwrap();
    assert_eq!(by_name.left_out, Some(seen));

    let without = features(&folder.path().join("without"), 200, Signal::None, 3);
    let found = backward(&detector, &without, None, Bootstrap::default()).unwrap();
    assert!(found.auroc.interval.unwrap().contains(0.5), "{found:?}");

    let mut other = detector.clone();
    other.shape = Shape { layers: 8, width: 60 };
    assert!(matches!(
        backward(&other, &base, None, Bootstrap::default()),
        Err(StudyError::OtherShape { .. })
    ));
}
