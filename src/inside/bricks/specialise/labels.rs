//! Which function each instance belongs to.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The function of every instance. Each function has at least one instance, and at least two functions exist, so that scores are defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    functions: Vec<String>,
    of_instance: Vec<usize>,
    counts: Vec<usize>,
}

/// Labels from which no score can be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// One function at most.
    #[error("{0} function(s) given; specialisation compares functions: give instances of two or more")]
    TooFew(usize),
    /// A label points nowhere.
    #[error("instance {instance} has function {function}, but there are {functions} (numbered from 0)")]
    Unknown {
        /// The instance, from 0.
        instance: usize,
        /// Its label.
        function: usize,
        /// How many functions there are.
        functions: usize,
    },
    /// A function without instances.
    #[error(
        "function `{0}` has no instance; give some (50 at the least, 500 to 1,000 are recommended), or leave it out"
    )]
    Empty(String),
    /// Scores of another number of instances.
    #[error("scores of {scores} instances with labels of {labels}; each instance needs both")]
    Count {
        /// Rows of scores.
        scores: usize,
        /// Labels.
        labels: usize,
    },
    /// A score is no number.
    #[error(
        "the score of instance {instance}, unit {unit} is not finite; leave the instance out, and check the model's file"
    )]
    NotFinite {
        /// The instance, from 0.
        instance: usize,
        /// The unit, from 0.
        unit: usize,
    },
}

impl Labels {
    /// `of_instance[n]` is an index into `functions`.
    pub fn new(functions: Vec<String>, of_instance: Vec<usize>) -> Result<Self, LabelError> {
        if functions.len() < 2 {
            return Err(LabelError::TooFew(functions.len()));
        }
        let mut counts = vec![0; functions.len()];
        for (instance, &function) in of_instance.iter().enumerate() {
            let Some(count) = counts.get_mut(function) else {
                let functions = functions.len();
                return Err(LabelError::Unknown {
                    instance,
                    function,
                    functions,
                });
            };
            *count += 1;
        }
        if let Some(empty) = counts.iter().position(|&count| count == 0) {
            return Err(LabelError::Empty(functions[empty].clone()));
        }
        Ok(Self {
            functions,
            of_instance,
            counts,
        })
    }

    /// The functions' names.
    pub fn functions(&self) -> &[String] {
        &self.functions
    }

    /// The function of every instance.
    pub fn of_instance(&self) -> &[usize] {
        &self.of_instance
    }

    /// How many instances each function has.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// The fraction of instances that belong to each function: what a score that knows nothing reaches.
    pub fn prevalences(&self) -> Vec<f64> {
        let all = self.of_instance.len() as f64;
        self.counts.iter().map(|&count| count as f64 / all).collect()
    }

    /// The labels in a random order.
    pub(super) fn shuffled(&self, rng: &mut ChaCha8Rng) -> Self {
        let mut shuffled = self.clone();
        shuffled.of_instance.shuffle(rng);
        shuffled
    }

    /// Only these instances, in the order given. Fails where a function loses its last one.
    pub fn only(&self, instances: &[usize]) -> Result<Self, LabelError> {
        let of_instance = instances.iter().map(|&instance| self.of_instance[instance]).collect();
        Self::new(self.functions.clone(), of_instance)
    }

    pub(super) fn check(&self, scores: usize) -> Result<(), LabelError> {
        let labels = self.of_instance.len();
        if scores == labels {
            return Ok(());
        }
        Err(LabelError::Count { scores, labels })
    }
}
