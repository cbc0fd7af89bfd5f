//! Rows of features with their classes.

use super::super::{
    example::{Example, Truth},
    logistic::Class,
    split::Question,
    training::Mode,
};

/// Answers of some questions, in the order of the questions.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    /// Places in the features.
    pub(super) rows: Vec<usize>,
    /// Whether each is hallucinated.
    pub(super) classes: Vec<Class>,
}

pub(super) fn answers(questions: &[Question], places: &[usize]) -> Answers {
    Answers {
        rows: places.iter().map(|&nth| questions[nth].answer).collect(),
        classes: places.iter().map(|&nth| questions[nth].truth.into()).collect(),
    }
}

/// What a classifier is fitted to.
#[derive(Debug, Clone, Default)]
pub(super) struct TrainingRows {
    /// Places in the features: wrong and right answers, then, in 3-vs-1, the other tokens of both.
    pub(super) rows: Vec<usize>,
    /// What each counts as.
    pub(super) classes: Vec<Class>,
    /// What must stay together in folds, numbered from 0.
    pub(super) groups: Vec<usize>,
    /// The question of each row, as a place among the training questions.
    pub(super) questions: Vec<usize>,
    /// Which of the rows are answers, ascending.
    pub(super) answers: Vec<usize>,
}

/// The rows of the training questions. Those without features of other tokens still give their answer.
pub(super) fn training_rows(examples: &[Example], questions: &[Question], train: &[usize], mode: Mode) -> TrainingRows {
    let mut clusters: Vec<usize> = train.iter().map(|&nth| questions[nth].cluster).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let mut found = TrainingRows::default();
    let mut add = |place: usize, row: usize| {
        if let Some(class) = mode.class(&examples[row]) {
            found.rows.push(row);
            found.classes.push(class);
            found
                .groups
                .push(clusters.partition_point(|&cluster| cluster < questions[train[place]].cluster));
            found.questions.push(place);
        }
    };
    for (place, &nth) in train.iter().enumerate() {
        add(place, questions[nth].answer);
    }
    for (place, &nth) in train.iter().enumerate() {
        if let Some(row) = questions[nth].other {
            add(place, row);
        }
    }
    found.answers = (0..train.len()).collect();
    found
}

impl TrainingRows {
    /// The classes where the training questions had other truths.
    pub(super) fn classes_with(&self, truths: &[Truth]) -> Vec<Class> {
        let answers = self.answers.len();
        (0..self.rows.len())
            .map(|row| {
                if row < answers {
                    truths[self.questions[row]].into()
                } else {
                    Class::Negative
                }
            })
            .collect()
    }
}
