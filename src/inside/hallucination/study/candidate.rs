//! What can score a response: units, what is known about the answer, or several of these together.

use super::super::{
    columns::Columns,
    evaluate::auroc,
    evaluation::Scorer,
    example::Example,
    logistic::{Class, Fit, FitError, Labels, Penalty, Settings, fit},
};

/// A way to score, fitted, before it is measured.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) scorer: Scorer,
    pub(super) model: Model,
}

/// How a response gets a score; higher means rather hallucinated.
#[derive(Debug, Clone)]
pub(super) enum Model {
    /// A weighted sum of units.
    Units(Linear),
    /// Something that is known about the answer, or its opposite.
    Known(Known, f64),
    /// A logistic regression over scores.
    Joint(Joint),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    /// Positions of units and their weights.
    pub(super) weights: Vec<(usize, f64)>,
    pub(super) bias: f64,
}

/// What is known about an answer without looking at units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Length,
    LogProbability,
    LowestLogProbability,
    Entropy,
    FirstEntropy,
    Agreement,
}

/// A logistic regression over standardised scores.
#[derive(Debug, Clone)]
pub(super) struct Joint {
    inputs: Vec<Known>,
    detector: Option<Linear>,
    /// Mean and standard deviation of every input, then of the detector's score.
    scales: Vec<(f64, f64)>,
    weights: Vec<f64>,
    bias: f64,
}

/// Answers with everything that a model may look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) x: &'a Columns<f32>,
    pub(super) examples: &'a [&'a Example],
}

impl Model {
    /// The scores of answers; `None` where something that it needs is not known about one of them.
    pub(super) fn scores(&self, seen: Seen<'_>) -> Option<Vec<f64>> {
        match self {
            Self::Units(linear) => Some(linear.scores(seen.x)),
            Self::Known(known, sign) => known
                .values(seen.examples)
                .map(|values| values.into_iter().map(|value| sign * value).collect()),
            Self::Joint(joint) => joint.scores(seen),
        }
    }

    /// Units that it reads.
    pub(super) fn units(&self) -> usize {
        match self {
            Self::Units(linear) => linear.weights.len(),
            Self::Known(..) => 0,
            Self::Joint(joint) => joint.detector.as_ref().map_or(0, |linear| linear.weights.len()),
        }
    }

    /// Whether a score of 0 stands for a probability of one half.
    pub(super) fn is_logit(&self) -> bool {
        !matches!(self, Self::Known(..))
    }
}

impl Linear {
    /// From a fit over some columns, which stand for these positions.
    pub(super) fn of(fit: &Fit, positions: &[usize]) -> Self {
        Self {
            weights: fit
                .nonzero()
                .map(|(column, weight)| (positions[column], weight))
                .collect(),
            bias: fit.bias,
        }
    }

    pub(super) fn scores(&self, x: &Columns<f32>) -> Vec<f64> {
        x.times(self.weights.iter().copied(), self.bias)
    }
}

impl Known {
    pub(super) const ALL: [(Self, Scorer); 6] = [
        (Self::Length, Scorer::Length),
        (Self::LogProbability, Scorer::LogProbability),
        (Self::LowestLogProbability, Scorer::LowestLogProbability),
        (Self::Entropy, Scorer::Entropy),
        (Self::FirstEntropy, Scorer::FirstEntropy),
        (Self::Agreement, Scorer::Agreement),
    ];

    fn value(self, example: &Example) -> Option<f64> {
        let value = match self {
            Self::Length => Some(f64::from(example.tokens)),
            Self::LogProbability => example.log_probability,
            Self::LowestLogProbability => example.lowest_log_probability,
            Self::Entropy => example.entropy,
            Self::FirstEntropy => example.first_entropy,
            Self::Agreement => example.agreement,
        };
        value.filter(|value| value.is_finite())
    }

    pub(super) fn values(self, examples: &[&Example]) -> Option<Vec<f64>> {
        examples.iter().map(|example| self.value(example)).collect()
    }

    /// With the sign that puts hallucinated answers above on these, the training answers.
    pub(super) fn oriented(self, examples: &[&Example], classes: &[Class]) -> Option<Model> {
        let values = self.values(examples)?;
        let sign = if auroc(&values, classes)? < 0.5 { -1.0 } else { 1.0 };
        Some(Model::Known(self, sign))
    }
}

impl Joint {
    /// Fits log-probability, entropy and length, and a detector's score where one is given, to answers that the detector was not fitted to. `None` where neither
    /// log-probability nor entropy is known.
    pub(super) fn fit(seen: Seen<'_>, classes: &[Class], detector: Option<&Linear>) -> Result<Option<Self>, FitError> {
        let inputs: Vec<Known> = [Known::LogProbability, Known::Entropy, Known::Length]
            .into_iter()
            .filter(|known| known.values(seen.examples).is_some())
            .collect();
        if inputs == [Known::Length] {
            return Ok(None);
        }
        let mut joint = Self {
            inputs,
            detector: detector.cloned(),
            scales: Vec::new(),
            weights: Vec::new(),
            bias: 0.0,
        };
        let Some(columns) = joint.columns(seen) else {
            return Ok(None);
        };
        joint.scales = columns.iter().map(|column| scale(column)).collect();
        let x = joint.standardised(&columns);
        let found = fit(&x, &Labels::equal(classes), 1.0, Penalty::L2, &Settings::default())?;
        (joint.weights, joint.bias) = (found.weights, found.bias);
        Ok(Some(joint))
    }

    fn columns(&self, seen: Seen<'_>) -> Option<Vec<Vec<f64>>> {
        let mut columns: Vec<Vec<f64>> = self
            .inputs
            .iter()
            .map(|known| known.values(seen.examples))
            .collect::<Option<_>>()?;
        columns.extend(self.detector.as_ref().map(|linear| linear.scores(seen.x)));
        Some(columns)
    }

    fn standardised(&self, columns: &[Vec<f64>]) -> Columns<f64> {
        let rows = columns.first().map_or(0, Vec::len);
        let mut x = Columns::zeros(rows, columns.len());
        for row in 0..rows {
            let values: Vec<f64> = columns
                .iter()
                .zip(&self.scales)
                .map(|(column, (mean, deviation))| (column[row] - mean) / deviation)
                .collect();
            x.set_rows(row, &values);
        }
        x
    }

    fn scores(&self, seen: Seen<'_>) -> Option<Vec<f64>> {
        let x = self.standardised(&self.columns(seen)?);
        Some(x.times(self.weights.iter().copied().enumerate(), self.bias))
    }
}

/// Mean and standard deviation; 1 for values that do not vary.
fn scale(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1.0 })
}
