//! The detector of a tuned model on the features of its base model.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::{
    detector::Detector,
    evaluate::{Estimate, Sample, Scores},
    features::Features,
    logistic::Class,
    split::{Question, questions},
    study::{Before, StudyError},
};
use crate::agreement::Bootstrap;

/// Backward transfer: AUROC alone, since magnitudes shift between models and a threshold would mean nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backward {
    /// The model that the features are of.
    pub model: String,
    /// The data sets of the questions that were measured on, in order.
    pub datasets: Vec<String>,
    /// The name and version of the prompt that they were asked with.
    pub prompt: String,
    /// Questions left out since the detector was fitted on them, or on others of the same text or entity; `None` where nobody knows.
    pub left_out: Option<usize>,
    /// Right answers.
    pub faithful: usize,
    /// Wrong answers.
    pub hallucinated: usize,
    /// The AUROC with its interval.
    pub auroc: Estimate,
}

/// Scores another model's answers with a detector's weights. The models must be of one shape and the features made by the detector's rule; that
/// the file is another one is the point here. Questions from `before`, on which the detector was fitted, are left out: a unit that knows an answer would
/// know it in both models.
pub fn backward(
    detector: &Detector,
    features: &Features,
    before: Option<&Before>,
    bootstrap: Bootstrap,
) -> Result<Backward, StudyError> {
    let made = features.provenance();
    detector.admit_rule(&made.rule)?;
    if made.shape != detector.shape {
        return Err(StudyError::OtherShape {
            detector: detector.shape,
            features: made.shape,
        });
    }
    let (all, _) = questions(features.examples())?;
    let examples = features.examples();
    let questions: Vec<&Question> = all
        .iter()
        .filter(|question| {
            let example = &examples[question.answer];
            !before.is_some_and(|before| before.has(example))
        })
        .collect();
    let datasets: BTreeSet<&str> = questions.iter().map(|question| question.dataset.as_str()).collect();
    let classes: Vec<Class> = questions.iter().map(|question| question.truth.into()).collect();
    let hallucinated = classes.iter().filter(|&&class| class == Class::Positive).count();
    let faithful = classes.len() - hallucinated;
    let empty = || StudyError::EmptySet {
        set: made.model.name.clone(),
        faithful,
        hallucinated,
    };
    let positions: Vec<usize> = detector.units().map(|unit| detector.shape.position(unit)).collect();
    let rows: Vec<usize> = questions.iter().map(|question| question.answer).collect();
    let x = features.columns_of(&rows, &positions)?;
    let weights = detector.units.iter().map(|unit| unit.weight).enumerate();
    let scores = x.times(weights, detector.bias);
    let every: Vec<usize> = (0..classes.len()).collect();
    let sample = Sample {
        classes: &classes,
        questions: &every,
    };
    let scorer = Scores {
        values: &scores,
        threshold: detector.threshold,
    };
    let measured = sample.measure(&[scorer], bootstrap).ok_or_else(empty)?;
    let (measures, _) = measured.first().ok_or_else(empty)?;
    Ok(Backward {
        model: made.model.name.clone(),
        datasets: datasets.into_iter().map(str::to_owned).collect(),
        prompt: made.prompt.clone(),
        left_out: before.map(|_| all.len() - questions.len()),
        faithful,
        hallucinated,
        auroc: measures.auroc,
    })
}
