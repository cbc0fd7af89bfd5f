//! Fitting a detector.

use super::{
    super::{
        columns::Columns,
        detector::{Detector, Training, Weighted},
        evaluate::{Platt, youden},
        features::Features,
        logistic::{
            AtC, Class, CrossValidation, Fit, FitError, Folds, Gram, Labels, Penalty, Rows, Settings, cross_validate,
            fit as fit_once,
        },
        split::{Question, Role, Split, questions},
    },
    Choice, Event, Listener, Loose, Plan, Record, Solver, Stage, StudyError,
    scored::{answers, training_rows},
};

/// How much looser the second solution is, which shows what the tolerance does to the set.
const LOOSER: f64 = 100.0;

/// Divides the questions, chooses C, fits, and fixes threshold and calibration.
pub fn fit(features: &Features, plan: &Plan, listen: Listener<'_>) -> Result<(Detector, Record), StudyError> {
    let (questions, without_answer) = questions(features.examples())?;
    let split = Split::draw(&questions, without_answer, &plan.split)?;
    let train = split.of(&questions, Role::Train)?;
    let validation = split.of(&questions, Role::Validation)?;
    let test = split.of(&questions, Role::Test)?;

    listen(Event {
        stage: Stage::Reading,
        done: 0,
        of: 1,
    });
    let rows = training_rows(features.examples(), &questions, &train, plan.mode);
    let x = features.columns(&rows.rows)?;
    let gram = (plan.penalty == Penalty::L2).then(|| Gram::of(&x));
    let labels = Labels::equal(&rows.classes);

    listen(Event {
        stage: Stage::Choosing,
        done: 0,
        of: 1,
    });
    let (cross_validation, chosen) = choose(&x, gram.as_ref(), &rows.classes, &labels, &rows, plan)?;
    listen(Event {
        stage: Stage::Fitting,
        done: 0,
        of: 1,
    });
    let found = final_fit(&x, gram.as_ref(), &labels, chosen.c, plan.penalty, &plan.settings)?;
    if found.nonzero().next().is_none() {
        return Err(StudyError::NoUnits);
    }
    let loose_settings = Settings {
        tolerance: LOOSER * plan.settings.tolerance,
        ..plan.settings
    };
    let loose = final_fit(&x, gram.as_ref(), &labels, chosen.c, plan.penalty, &loose_settings)?;

    // Threshold and calibration, on questions that the weights have not seen.
    let held_out = answers(&questions, &validation);
    let scores = features.times(&held_out.rows, &found.weights, found.bias)?;
    let (threshold, calibration) = youden(&scores, &held_out.classes)
        .zip(Platt::fit(&scores, &held_out.classes))
        .ok_or(StudyError::NoUnits)?;
    let positives = held_out
        .classes
        .iter()
        .filter(|&&class| class == Class::Positive)
        .count();

    let detector = Detector {
        model: features.provenance().model.clone(),
        shape: features.shape(),
        rule: features.provenance().rule.clone(),
        prompt: features.provenance().prompt.clone(),
        units: weighted(&found, features),
        bias: found.bias,
        threshold,
        calibration,
        training: Training {
            mode: plan.mode,
            penalty: plan.penalty,
            c: chosen.c,
            tolerance: plan.settings.tolerance,
            rows: x.rows(),
            faithful: count(&questions, &train, Class::Negative),
            hallucinated: count(&questions, &train, Class::Positive),
            validation: validation.len(),
            test: test.len(),
            prevalence: positives as f64 / held_out.classes.len() as f64,
            longest: train
                .iter()
                .map(|&nth| features.examples()[questions[nth].answer].tokens)
                .max()
                .unwrap_or(0),
            cross_validated_auroc: chosen.auroc,
            seed: plan.split.seed,
            datasets: datasets(&questions),
            notes: features.provenance().notes.clone(),
        },
    };
    let positive = found.positive();
    let loose = loose.positive();
    let record = Record {
        plan: *plan,
        cross_validation,
        chosen,
        solver: Solver {
            objective: found.objective,
            violation: found.violation,
            rounds: found.rounds,
            stopped: found.stopped,
            positive: positive.len(),
            loose: Loose {
                positive: loose.len(),
                shared: loose.iter().filter(|unit| positive.binary_search(unit).is_ok()).count(),
            },
        },
        split,
    };
    Ok((detector, record))
}

/// Cross-validates the path and takes one C.
pub(super) fn choose(
    x: &Columns<f32>,
    gram: Option<&Gram>,
    classes: &[Class],
    labels: &Labels,
    rows: &super::scored::TrainingRows,
    plan: &Plan,
) -> Result<(CrossValidation, AtC), StudyError> {
    let cs = match plan.choice {
        Choice::Fixed(c) => vec![c],
        Choice::BestAuroc | Choice::Sparse { .. } => plan.grid.values(x, labels)?,
    };
    let folds = Folds::by_group(&rows.groups, classes, plan.folds, plan.split.seed)?;
    let own = Rows {
        classes,
        labels,
        scored: &rows.answers,
        folds: &folds,
    };
    let found = cross_validate(x, gram, own, &cs, plan.penalty, &plan.settings)?;
    let chosen = match plan.choice {
        Choice::BestAuroc | Choice::Fixed(_) => found.best(),
        Choice::Sparse { per_mille } => found.largest_within(per_mille / 1000.0 * x.columns() as f64),
    };
    let chosen = *chosen.ok_or(StudyError::NoUnits)?;
    Ok((found, chosen))
}

pub(super) fn final_fit(
    x: &Columns<f32>,
    gram: Option<&Gram>,
    labels: &Labels,
    c: f64,
    penalty: Penalty,
    settings: &Settings,
) -> Result<Fit, FitError> {
    match gram {
        Some(gram) if penalty == Penalty::L2 => gram.fit(x, labels, c, settings),
        _ => fit_once(x, labels, c, penalty, settings),
    }
}

fn weighted(fit: &Fit, features: &Features) -> Vec<Weighted> {
    fit.nonzero()
        .map(|(position, weight)| {
            let unit = features.shape().unit(position);
            Weighted {
                layer: unit.layer,
                index: unit.index,
                weight,
            }
        })
        .collect()
}

fn count(questions: &[Question], places: &[usize], class: Class) -> usize {
    places
        .iter()
        .filter(|&&nth| Class::from(questions[nth].truth) == class)
        .count()
}

fn datasets(questions: &[Question]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for question in questions {
        if !names.contains(&question.dataset) {
            names.push(question.dataset.clone());
        }
    }
    names
}
