//! Questions, and which of them are for training, for choosing and for testing.
//!
//! The unit is the question: all its rows stay on one side. So do questions with the same text under other ids, and questions about one entity (the capital
//! of X and the continent of X), since a unit that knows X answers both.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::example::{Example, Part, Truth};

/// How to divide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitPlan {
    /// The share of questions for training.
    pub train: f64,
    /// The share for choosing threshold and calibration. What is left is for testing.
    pub validation: f64,
    /// How classes are made equally frequent.
    pub balance: Balance,
    /// Questions per class at most; 1,000 in the paper.
    pub per_class: usize,
    /// The seed of all draws.
    pub seed: u64,
}

impl Default for SplitPlan {
    fn default() -> Self {
        Self {
            train: 0.6,
            validation: 0.2,
            balance: Balance::WithinStrata,
            per_class: 1000,
            seed: 42,
        }
    }
}

/// How classes are made equally frequent, by drawing from the larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Equally many of each class over all: the paper.
    Overall,
    /// Equally many of each class in every stratum, so that the class cannot be told from the kind of question.
    #[default]
    WithinStrata,
    /// As they are.
    Natural,
}

/// What a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Fitting weights and choosing C.
    Train,
    /// Threshold and calibration.
    Validation,
    /// Nothing but the final measures.
    Test,
}

/// A question with the rows of its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The data set's name.
    pub dataset: String,
    /// Its id there.
    pub id: String,
    /// Whether the response is right.
    pub truth: Truth,
    /// A number per data set and stratum.
    pub stratum: usize,
    /// A number per set of questions that must stay together.
    pub cluster: usize,
    /// The row with the answer's features.
    pub answer: usize,
    /// The row with the other tokens' features.
    pub other: Option<usize>,
}

/// Which question is for what, by data set and id; written beside a detector.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Data set, id and role, in the features' order.
    pub roles: Vec<Assigned>,
    /// Questions that were left out to balance the classes.
    pub left_out: usize,
    /// Responses without features of an answer: their span was not found.
    pub without_answer: usize,
}

/// A question's role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assigned {
    /// The data set's name.
    pub dataset: String,
    /// The question's id there.
    pub id: String,
    /// What it is for.
    pub role: Role,
}

/// Why questions cannot be divided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// One response twice.
    #[error(
        "question `{id}` of `{dataset}` has two rows for the same tokens: collect again under another name, or remove one of the two lines and rows"
    )]
    Twice {
        /// The data set.
        dataset: String,
        /// The question.
        id: String,
    },
    /// One response, right and wrong.
    #[error("question `{id}` of `{dataset}` is called faithful in one row and hallucinated in another")]
    Contradiction {
        /// The data set.
        dataset: String,
        /// The question.
        id: String,
    },
    /// Questions that belong together and are divided.
    #[error(
        "`{one}` and `{other}` ask the same or are about the same entity, but are on different sides of the split: make the split anew"
    )]
    Leak {
        /// A question.
        one: String,
        /// The other.
        other: String,
    },
    /// Nothing to fit or to measure.
    #[error(
        "{faithful} faithful and {hallucinated} hallucinated questions are left for {role:?}, and both are needed: collect more questions, or balance overall"
    )]
    TooFew {
        /// For what.
        role: Role,
        /// Right ones.
        faithful: usize,
        /// Wrong ones.
        hallucinated: usize,
    },
    /// Shares that are none.
    #[error("shares of {train} for training and {validation} for validation leave nothing for one of the three parts")]
    Shares {
        /// For training.
        train: String,
        /// For validation.
        validation: String,
    },
}

/// The questions behind rows of features, in the order of their first rows, and how many responses have no answer's features.
pub fn questions(examples: &[Example]) -> Result<(Vec<Question>, usize), SplitError> {
    let mut place: HashMap<(&str, &str), usize> = HashMap::new();
    let mut found: Vec<(&Example, Option<usize>, Option<usize>)> = Vec::new();
    for (row, example) in examples.iter().enumerate() {
        let key = (example.dataset.as_str(), example.id.as_str());
        let nth = *place.entry(key).or_insert_with(|| {
            found.push((example, None, None));
            found.len() - 1
        });
        let (first, answer, other) = &mut found[nth];
        let name = || (example.dataset.clone(), example.id.clone());
        if first.truth != example.truth {
            let (dataset, id) = name();
            return Err(SplitError::Contradiction { dataset, id });
        }
        let slot = match example.part {
            Part::Answer => answer,
            Part::Other => other,
        };
        if slot.replace(row).is_some() {
            let (dataset, id) = name();
            return Err(SplitError::Twice { dataset, id });
        }
    }
    let all = found.len();
    found.retain(|(_, answer, _)| answer.is_some());
    let clusters = clusters(&found.iter().map(|(example, ..)| *example).collect::<Vec<_>>());
    let mut strata: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (example, ..) in &found {
        let next = strata.len();
        strata.entry((&example.dataset, &example.stratum)).or_insert(next);
    }
    let without = all - found.len();
    let questions = found
        .iter()
        .zip(clusters)
        .filter_map(|(&(example, answer, other), cluster)| {
            Some(Question {
                dataset: example.dataset.clone(),
                id: example.id.clone(),
                truth: example.truth,
                stratum: strata[&(example.dataset.as_str(), example.stratum.as_str())],
                cluster,
                answer: answer?,
                other,
            })
        });
    Ok((questions.collect(), without))
}

/// The text by which a question is recognised: lower case, letters and digits only, single spaces.
pub(super) fn normalised(question: &str) -> String {
    let lower = question.to_lowercase();
    let words = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A number for every example; equal for those that share a question's text or an entity, directly or through others.
fn clusters(examples: &[&Example]) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..examples.len()).collect();
    let mut first: HashMap<(u8, String), usize> = HashMap::new();
    for (nth, example) in examples.iter().enumerate() {
        let text = Some((0, normalised(&example.question))).filter(|(_, text)| !text.is_empty());
        let entity = example.entity.as_deref().map(|entity| (1, normalised(entity)));
        for key in [text, entity].into_iter().flatten() {
            let other = *first.entry(key).or_insert(nth);
            let (one, other) = (root(&mut parent, nth), root(&mut parent, other));
            // The earlier one leads, so that numbers do not depend on the order of unions.
            parent[one.max(other)] = one.min(other);
        }
    }
    (0..examples.len()).map(|nth| root(&mut parent, nth)).collect()
}

/// The one that leads `at`'s cluster; the way to it is shortened.
fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

impl Split {
    /// Balances the classes and divides the questions.
    pub fn draw(questions: &[Question], without_answer: usize, plan: &SplitPlan) -> Result<Self, SplitError> {
        let SplitPlan { train, validation, .. } = *plan;
        if !(train > 0.0 && validation > 0.0 && train + validation < 1.0) {
            return Err(SplitError::Shares {
                train: train.to_string(),
                validation: validation.to_string(),
            });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let chosen = balanced(questions, plan, &mut rng);
        let shares = [train, validation, 1.0 - train - validation];
        let roles = assign(questions, &chosen, shares, &mut rng);
        let split = Self {
            roles: chosen
                .iter()
                .zip(roles)
                .map(|(&nth, role)| Assigned {
                    dataset: questions[nth].dataset.clone(),
                    id: questions[nth].id.clone(),
                    role,
                })
                .collect(),
            left_out: questions.len() - chosen.len(),
            without_answer,
        };
        for role in [Role::Train, Role::Validation, Role::Test] {
            split.of(questions, role)?;
        }
        Ok(split)
    }

    /// The questions of a role, as places in `questions`; refused where a class is missing.
    pub fn of(&self, questions: &[Question], role: Role) -> Result<Vec<usize>, SplitError> {
        let wanted: BTreeSet<(&str, &str)> = self
            .roles
            .iter()
            .filter(|assigned| assigned.role == role)
            .map(|assigned| (assigned.dataset.as_str(), assigned.id.as_str()))
            .collect();
        let places: Vec<usize> = (0..questions.len())
            .filter(|&nth| wanted.contains(&(questions[nth].dataset.as_str(), questions[nth].id.as_str())))
            .collect();
        let hallucinated = places
            .iter()
            .filter(|&&nth| questions[nth].truth == Truth::Hallucinated)
            .count();
        let faithful = places.len() - hallucinated;
        if faithful == 0 || hallucinated == 0 {
            return Err(SplitError::TooFew {
                role,
                faithful,
                hallucinated,
            });
        }
        Ok(places)
    }

    /// Whether questions that belong together are on one side: for a split that was read from a file.
    pub fn check(&self, questions: &[Question]) -> Result<(), SplitError> {
        let roles: HashMap<(&str, &str), Role> = self
            .roles
            .iter()
            .map(|assigned| ((assigned.dataset.as_str(), assigned.id.as_str()), assigned.role))
            .collect();
        let mut of_cluster: HashMap<usize, (&Question, Role)> = HashMap::new();
        for question in questions {
            let Some(&role) = roles.get(&(question.dataset.as_str(), question.id.as_str())) else {
                continue;
            };
            let (one, before) = *of_cluster.entry(question.cluster).or_insert((question, role));
            if before != role {
                let name = |question: &Question| format!("{}/{}", question.dataset, question.id);
                return Err(SplitError::Leak {
                    one: name(one),
                    other: name(question),
                });
            }
        }
        Ok(())
    }
}

/// The questions that take part, ascending.
fn balanced(questions: &[Question], plan: &SplitPlan, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut pools: BTreeMap<(usize, Truth), Vec<usize>> = BTreeMap::new();
    for (nth, question) in questions.iter().enumerate() {
        let stratum = if plan.balance == Balance::WithinStrata {
            question.stratum
        } else {
            0
        };
        pools.entry((stratum, question.truth)).or_default().push(nth);
    }
    let strata: BTreeSet<usize> = pools.keys().map(|&(stratum, _)| stratum).collect();
    let mut drawn: BTreeMap<Truth, Vec<usize>> = BTreeMap::new();
    for stratum in strata {
        let mut pool = |truth| {
            let mut own = pools.remove(&(stratum, truth)).unwrap_or_default();
            own.shuffle(rng);
            own
        };
        let (mut faithful, mut hallucinated) = (pool(Truth::Faithful), pool(Truth::Hallucinated));
        if plan.balance != Balance::Natural {
            let n = faithful.len().min(hallucinated.len());
            faithful.truncate(n);
            hallucinated.truncate(n);
        }
        drawn.entry(Truth::Faithful).or_default().extend(faithful);
        drawn.entry(Truth::Hallucinated).or_default().extend(hallucinated);
    }
    let mut chosen: Vec<usize> = drawn
        .into_values()
        .flat_map(|mut own| {
            if own.len() > plan.per_class {
                own.shuffle(rng);
                own.truncate(plan.per_class);
            }
            own
        })
        .collect();
    chosen.sort_unstable();
    chosen
}

/// A role for every chosen question. Clusters go, the largest first and otherwise in random order, where both classes lack most.
fn assign(questions: &[Question], chosen: &[usize], shares: [f64; 3], rng: &mut ChaCha8Rng) -> Vec<Role> {
    const ROLES: [Role; 3] = [Role::Train, Role::Validation, Role::Test];
    let class = |nth: usize| usize::from(questions[nth].truth == Truth::Hallucinated);
    let mut clusters: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    let mut totals = [0_usize; 2];
    for &nth in chosen {
        clusters.entry(questions[nth].cluster).or_default()[class(nth)] += 1;
        totals[class(nth)] += 1;
    }
    let mut order: Vec<(usize, [usize; 2])> = clusters.into_iter().collect();
    order.shuffle(rng);
    order.sort_by_key(|(_, counts)| std::cmp::Reverse(counts[0] + counts[1]));
    let mut lacking = shares.map(|share| totals.map(|total| share * total as f64));
    let mut role_of: HashMap<usize, Role> = HashMap::new();
    for (cluster, counts) in order {
        // How much of what a role should have is still to come, weighted by what the cluster brings.
        let need = |role: usize| -> f64 {
            (0..2)
                .filter(|&class| counts[class] > 0)
                .map(|class| counts[class] as f64 * lacking[role][class] / (shares[role] * totals[class] as f64))
                .sum()
        };
        let role = (0..3).rev().max_by(|&a, &b| need(a).total_cmp(&need(b))).unwrap_or(0);
        for class in 0..2 {
            lacking[role][class] -= counts[class] as f64;
        }
        role_of.insert(cluster, ROLES[role]);
    }
    chosen.iter().map(|&nth| role_of[&questions[nth].cluster]).collect()
}
