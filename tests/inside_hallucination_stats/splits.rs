//! Dividing questions.

use std::collections::BTreeMap;

use proptest::prelude::*;
use widedeep::inside::hallucination::{
    Example, Part, Truth,
    split::{Assigned, Balance, Role, Split, SplitError, SplitPlan, questions},
};

use super::synthetic::example;

fn truth(hallucinated: bool) -> Truth {
    if hallucinated {
        Truth::Hallucinated
    } else {
        Truth::Faithful
    }
}

fn examples(truths: &[bool]) -> Vec<Example> {
    truths
        .iter()
        .enumerate()
        .flat_map(|(id, &hallucinated)| [Part::Answer, Part::Other].map(|part| example(id, truth(hallucinated), part)))
        .collect()
}

#[test]
fn one_question_under_two_ids_or_about_one_entity_stays_on_one_side() {
    let mut all = examples(&(0..120).map(|id| id % 2 == 0).collect::<Vec<_>>());
    for row in &mut all {
        let id: usize = row.id[1..].parse().unwrap();
        // Pairs with one text, differently written; and pairs about one entity, chained to them.
        row.question = if id % 4 < 2 {
            format!("Who  made thing {}?", id / 4)
        } else {
            format!("WHO made THING {}", id / 4)
        };
        row.entity = (id % 4 >= 2).then(|| format!("Thing {}", id / 8));
    }
    let (found, without) = questions(&all).unwrap();
    assert_eq!((found.len(), without), (120, 0));
    let split = Split::draw(&found, without, &SplitPlan::default()).unwrap();
    split.check(&found).unwrap();
    let of: BTreeMap<&str, Role> = split
        .roles
        .iter()
        .map(|assigned| (assigned.id.as_str(), assigned.role))
        .collect();
    for block in 0..15 {
        let roles: Vec<Role> = (0..8)
            .filter_map(|nth| of.get(format!("q{}", 8 * block + nth).as_str()).copied())
            .collect();
        assert!(roles.windows(2).all(|pair| pair[0] == pair[1]), "{roles:?}");
    }

    // A split that was changed by hand leaks, and is refused.
    let mut leaking = split.clone();
    let nth = leaking
        .roles
        .iter()
        .position(|assigned| assigned.role == Role::Train)
        .unwrap();
    leaking.roles[nth].role = Role::Test;
    assert!(matches!(leaking.check(&found), Err(SplitError::Leak { .. })));
}

#[test]
fn classes_are_balanced_within_strata_and_in_every_part() {
    // Hard questions (every third) are mostly hallucinated, easy ones mostly not.
    let truths: Vec<bool> = (0..900)
        .map(|id| if id % 3 == 0 { id % 7 != 0 } else { id % 5 == 0 })
        .collect();
    let (found, without) = questions(&examples(&truths)).unwrap();
    let count = |split: &Split, role: Option<Role>, stratum: Option<usize>, wanted: Truth| {
        let own = found.iter().filter(|question| {
            let assigned = split.roles.iter().find(|assigned| assigned.id == question.id);
            question.truth == wanted
                && stratum.is_none_or(|stratum| question.stratum == stratum)
                && assigned.is_some_and(|assigned| role.is_none_or(|role| role == assigned.role))
        });
        own.count()
    };
    let within = Split::draw(&found, without, &SplitPlan::default()).unwrap();
    for stratum in 0..2 {
        let of = |truth| count(&within, None, Some(stratum), truth);
        assert_eq!(of(Truth::Faithful), of(Truth::Hallucinated));
    }
    let overall = SplitPlan {
        balance: Balance::Overall,
        per_class: 100,
        ..SplitPlan::default()
    };
    let split = Split::draw(&found, without, &overall).unwrap();
    assert_eq!(split.left_out, 700);
    for (role, share) in [(Role::Train, 60), (Role::Validation, 20), (Role::Test, 20)] {
        for truth in [Truth::Faithful, Truth::Hallucinated] {
            assert_eq!(count(&split, Some(role), None, truth), share);
        }
    }
    let natural = SplitPlan {
        balance: Balance::Natural,
        ..SplitPlan::default()
    };
    assert_eq!(Split::draw(&found, without, &natural).unwrap().left_out, 0);
    assert_eq!(split, Split::draw(&found, without, &overall).unwrap());
    let other = SplitPlan { seed: 43, ..overall };
    assert_ne!(split.roles, Split::draw(&found, without, &other).unwrap().roles);
}

#[test]
fn rows_that_contradict_each_other_are_refused() {
    let mut twice = examples(&[true, false]);
    twice.push(twice[0].clone());
    assert_eq!(
        questions(&twice),
        Err(SplitError::Twice {
            dataset: "made".to_owned(),
            id: "q0".to_owned()
        })
    );
    let mut contradiction = examples(&[true, false]);
    contradiction[1].truth = Truth::Faithful;
    assert!(matches!(
        questions(&contradiction),
        Err(SplitError::Contradiction { .. })
    ));
    // A response whose span was not found has no answer row: dropped in all parts, and counted.
    let mut without = examples(&[true, false]);
    without.remove(0);
    let (found, dropped) = questions(&without).unwrap();
    assert_eq!((found.len(), dropped, found[0].id.as_str()), (1, 1, "q1"));
}

#[test]
fn too_few_questions_are_told() {
    let (found, without) = questions(&examples(&[true, false, true, false])).unwrap();
    let refused = Split::draw(&found, without, &SplitPlan::default()).unwrap_err();
    assert!(matches!(refused, SplitError::TooFew { .. }));
    let shares = SplitPlan {
        train: 0.9,
        validation: 0.2,
        ..SplitPlan::default()
    };
    assert!(matches!(
        Split::draw(&found, without, &shares),
        Err(SplitError::Shares { .. })
    ));
    let unknown = Split {
        roles: vec![Assigned {
            dataset: "x".to_owned(),
            id: "y".to_owned(),
            role: Role::Train,
        }],
        ..Split::default()
    };
    assert!(unknown.of(&found, Role::Train).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_chosen_question_has_one_role_and_no_cluster_two(
        truths in prop::collection::vec(any::<bool>(), 60..160),
        entities in prop::collection::vec(0_u8..40, 160),
        seed in any::<u64>(),
    ) {
        let mut all = examples(&truths);
        for (nth, row) in all.iter_mut().enumerate() {
            row.entity = Some(entities[nth / 2].to_string());
        }
        let (found, without) = questions(&all).unwrap();
        match Split::draw(&found, without, &SplitPlan { seed, ..SplitPlan::default() }) {
            Ok(split) => {
                prop_assert!(split.check(&found).is_ok());
                prop_assert_eq!(split.roles.len() + split.left_out, found.len());
                let mut ids: Vec<&str> = split.roles.iter().map(|assigned| assigned.id.as_str()).collect();
                ids.sort_unstable();
                ids.dedup();
                prop_assert_eq!(ids.len(), split.roles.len());
            }
            Err(refused) => prop_assert!(matches!(refused, SplitError::TooFew { .. }), "{refused}"),
        }
    }
}
