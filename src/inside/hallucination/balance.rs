//! As many right answers as wrong ones, and no answer too often (spec h_neurons, sections 2.6 and 10.3).

use std::collections::{BTreeMap, HashMap};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::example::Truth;
use super::normalise::normalise;

/// How questions are chosen among those that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Balance {
    /// Within what the classes are of one size.
    pub within: Within,
    /// Questions of a class at most: 1,000 as published.
    pub per_class: usize,
    /// How often one answer may occur in a class, so that the classes do not differ in a few words; no limit if nothing is given.
    pub per_answer: Option<usize>,
    /// Seed of the draw.
    pub seed: u64,
}

/// Within what the classes are of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Within {
    /// Within each template or set.
    #[default]
    Strata,
    /// In all.
    All,
    /// Classes stay as large as they are.
    Nothing,
}

/// What a choice depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its class.
    pub class: Truth,
    /// Its template or set.
    pub stratum: String,
    /// The answer.
    pub answer: String,
}

/// The places of the chosen ones, in their order.
pub fn balance(candidates: &[Candidate], how: &Balance) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(how.seed));
    let mut times: HashMap<(Truth, String), usize> = HashMap::new();
    order.retain(|&place| {
        let candidate = &candidates[place];
        let times = times
            .entry((candidate.class, normalise(&candidate.answer)))
            .or_default();
        *times += 1;
        how.per_answer.is_none_or(|most| *times <= most)
    });
    // Per stratum, both classes in the order drawn.
    let mut strata: BTreeMap<&str, [Vec<usize>; 2]> = BTreeMap::new();
    for place in order {
        let candidate = &candidates[place];
        let stratum = match how.within {
            Within::Strata => candidate.stratum.as_str(),
            Within::All | Within::Nothing => "",
        };
        let class = usize::from(candidate.class == Truth::Hallucinated);
        strata.entry(stratum).or_default()[class].push(place);
    }
    let mut chosen = Vec::new();
    if how.within == Within::Nothing {
        for class in strata.into_values().flatten() {
            chosen.extend(class.into_iter().take(how.per_class));
        }
    } else {
        // Strata take turns, so that a small limit does not leave any of them out.
        let mut pairs: Vec<_> = strata
            .into_values()
            .map(|[faithful, hallucinated]| faithful.into_iter().zip(hallucinated))
            .collect();
        while chosen.len() < 2 * how.per_class {
            let before = chosen.len();
            for stratum in &mut pairs {
                if let (Some((faithful, hallucinated)), true) = (stratum.next(), chosen.len() < 2 * how.per_class) {
                    chosen.extend([faithful, hallucinated]);
                }
            }
            if chosen.len() == before {
                break;
            }
        }
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let candidate = |class, stratum: &str, answer: String| Candidate {
            class,
            stratum: stratum.to_owned(),
            answer,
        };
        let mut all = Vec::new();
        for i in 0..30 {
            all.push(candidate(Truth::Faithful, "a", format!("answer {}", i % 5)));
            all.push(candidate(
                Truth::Hallucinated,
                if i < 10 { "a" } else { "b" },
                format!("wrong {i}"),
            ));
        }
        all
    }

    fn how(within: Within) -> Balance {
        Balance {
            within,
            per_class: 100,
            per_answer: None,
            seed: 42,
        }
    }

    fn counts(chosen: &[usize]) -> (usize, usize) {
        let all = candidates();
        let of = |class| chosen.iter().filter(|&&place| all[place].class == class).count();
        (of(Truth::Faithful), of(Truth::Hallucinated))
    }

    #[test]
    fn classes_are_of_one_size_within_what_is_asked() {
        let all = candidates();
        assert_eq!(counts(&balance(&all, &how(Within::Strata))), (10, 10));
        assert_eq!(counts(&balance(&all, &how(Within::All))), (30, 30));
        assert_eq!(counts(&balance(&all, &how(Within::Nothing))), (30, 30));
        let few = Balance {
            per_answer: Some(2),
            ..how(Within::Nothing)
        };
        assert_eq!(counts(&balance(&all, &few)), (10, 30));
        let small = Balance {
            per_class: 7,
            ..how(Within::All)
        };
        assert_eq!(counts(&balance(&all, &small)), (7, 7));
    }

    #[test]
    fn the_seed_makes_the_choice() {
        let all = candidates();
        let with = |seed| {
            balance(
                &all,
                &Balance {
                    per_class: 7,
                    seed,
                    ..how(Within::All)
                },
            )
        };
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
    }
}
