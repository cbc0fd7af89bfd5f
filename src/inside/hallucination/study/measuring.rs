//! Measuring a detector beside its baselines.

use super::{
    super::{
        columns::Columns,
        detector::Detector,
        evaluate::{
            Effect, Gap, Measures, Reliability, Sample, Scores, benjamini_hochberg, length_matched, roc,
            within_length_auroc, youden,
        },
        evaluation::{Draws, Evaluation, FORMAT, Row, Scorer, Set, Share, UnitEffect},
        example::Example,
        features::Features,
        logistic::Class,
        split::{Question, Role, questions},
    },
    Event, Listener, Plan, Record, Stage, StudyError,
    baselines::Material,
    before::Before,
    candidate::{Candidate, Joint, Known, Linear, Model, Seen},
    permuting::Shuffling,
    scored::{answers, training_rows},
};
use crate::agreement::Bootstrap;

/// Answers of each class that a length-matched part needs to be shown.
const MATCHED: usize = 10;

/// Something that can be measured: a candidate with the threshold that validation fixed.
struct Ready {
    candidate: Candidate,
    threshold: f64,
    draws: Option<Draws>,
}

/// Answers to be measured on.
struct Ground<'a> {
    name: String,
    x: Columns<f32>,
    examples: Vec<&'a Example>,
    classes: Vec<Class>,
    /// Questions left out.
    seen: usize,
}

impl<'a> Ground<'a> {
    fn of(
        name: String,
        features: &'a Features,
        questions: &[Question],
        places: &[usize],
        seen: usize,
    ) -> Result<Self, StudyError> {
        let own = answers(questions, places);
        let hallucinated = own.classes.iter().filter(|&&class| class == Class::Positive).count();
        let faithful = own.classes.len() - hallucinated;
        if faithful == 0 || hallucinated == 0 {
            return Err(StudyError::EmptySet {
                set: name,
                faithful,
                hallucinated,
            });
        }
        Ok(Self {
            name,
            x: features.columns(&own.rows)?,
            examples: own.rows.iter().map(|&row| &features.examples()[row]).collect(),
            classes: own.classes,
            seen,
        })
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            x: &self.x,
            examples: &self.examples,
        }
    }
}

/// Measures on the test questions, and on other data sets, of which questions are left out that share their text or entity with training or validation ones.
/// Each of the others comes with a name.
#[expect(clippy::too_many_lines, reason = "one measurement after the other, each a few lines")]
pub fn evaluate(
    features: &Features,
    detector: &Detector,
    record: &Record,
    others: &[(&str, &Features)],
    listen: Listener<'_>,
) -> Result<Evaluation, StudyError> {
    detector.admit_features(features.provenance())?;
    let plan = &record.plan;
    let (all, _) = questions(features.examples())?;
    record.split.check(&all)?;
    let train = record.split.of(&all, Role::Train)?;
    let validation = record.split.of(&all, Role::Validation)?;
    let test = record.split.of(&all, Role::Test)?;

    listen(Event {
        stage: Stage::Reading,
        done: 0,
        of: 1,
    });
    let rows = training_rows(features.examples(), &all, &train, plan.mode);
    let x = features.columns(&rows.rows)?;
    let validation = Ground::of("validation".to_owned(), features, &all, &validation, 0)?;
    let test_ground = Ground::of("test".to_owned(), features, &all, &test, 0)?;

    let material = Material {
        x: &x,
        rows: &rows,
        test: &test_ground.x,
        test_classes: &test_ground.classes,
        plan,
    };
    let own = Linear {
        weights: detector
            .units()
            .zip(&detector.units)
            .map(|(unit, weighted)| (detector.shape.position(unit), weighted.weight))
            .collect(),
        bias: detector.bias,
    };
    let candidates = candidates(detector, &own, &material, (&validation, features, &all, &train), listen)?;
    let ready: Vec<Ready> = candidates
        .into_iter()
        .filter_map(|(candidate, draws)| {
            let scores = candidate.model.scores(validation.seen())?;
            let threshold = match candidate.scorer {
                Scorer::Detector => detector.threshold,
                _ => youden(&scores, &validation.classes)?,
            };
            Some(Ready {
                candidate,
                threshold,
                draws,
            })
        })
        .collect();

    listen(Event {
        stage: Stage::Measuring,
        done: 0,
        of: 1 + others.len(),
    });
    let set = measure(&test_ground, &ready, plan)?;
    let known = Before::of(&record.split, [features]);
    let mut transfer = Vec::new();
    for (nth, (name, other)) in others.iter().enumerate() {
        listen(Event {
            stage: Stage::Measuring,
            done: 1 + nth,
            of: 1 + others.len(),
        });
        detector.admit_features(other.provenance())?;
        let (own, _) = questions(other.examples())?;
        let places: Vec<usize> = (0..own.len())
            .filter(|&nth| !known.has(&other.examples()[own[nth].answer]))
            .collect();
        let ground = Ground::of((*name).to_owned(), other, &own, &places, own.len() - places.len())?;
        transfer.push(measure(&ground, &ready, plan)?);
    }

    let observed = set.rows.first().map_or(0.5, |row| row.measures.auroc.value);
    let shuffling = Shuffling {
        questions: &all,
        train: &train,
        test: &test,
        x: &x,
        rows: &rows,
        test_x: &test_ground.x,
        plan,
    };
    let permutation = shuffling.run(observed, listen)?;
    let probabilities: Vec<f64> = own
        .scores(&test_ground.x)
        .iter()
        .map(|&score| detector.calibration.probability(score))
        .collect();
    let units = features.shape().units();
    Ok(Evaluation {
        format: FORMAT,
        model: detector.model.clone(),
        rule: detector.rule.clone(),
        mode: detector.training.mode,
        h_units: Share {
            count: detector.h_units().len(),
            of: units,
        },
        weighted_units: Share {
            count: detector.units.len(),
            of: units,
        },
        reliability: Reliability::of(&probabilities, &test_ground.classes).ok_or(StudyError::NoUnits)?,
        units: unit_effects(detector, &test_ground),
        test: set,
        transfer,
        permutation,
        seed: plan.split.seed,
    })
}

/// Everything that is measured beside each other: the detector, the baselines, and what they make together. Orders and weights that need data are found on
/// training and validation questions.
fn candidates(
    detector: &Detector,
    own: &Linear,
    material: &Material<'_>,
    (validation, features, all, train): (&Ground<'_>, &Features, &[Question], &[usize]),
    listen: Listener<'_>,
) -> Result<Vec<(Candidate, Option<Draws>)>, StudyError> {
    let mut candidates = vec![(
        Candidate {
            scorer: Scorer::Detector,
            model: Model::Units(own.clone()),
        },
        None,
    )];
    candidates.extend(material.random_units(detector, listen)?);
    listen(Event {
        stage: Stage::AllUnits,
        done: 0,
        of: 1,
    });
    candidates.push((material.all_units()?, None));
    let train_examples: Vec<&Example> = train.iter().map(|&nth| &features.examples()[all[nth].answer]).collect();
    let train_classes: Vec<Class> = train.iter().map(|&nth| all[nth].truth.into()).collect();
    for (known, scorer) in Known::ALL {
        let model = known.oriented(&train_examples, &train_classes);
        candidates.extend(model.map(|model| (Candidate { scorer, model }, None)));
    }
    for (scorer, detector) in [(Scorer::Confidence, None), (Scorer::ConfidenceAndDetector, Some(own))] {
        let joint = Joint::fit(validation.seen(), &validation.classes, detector)?;
        candidates.extend(joint.map(|joint| {
            (
                Candidate {
                    scorer,
                    model: Model::Joint(joint),
                },
                None,
            )
        }));
    }
    Ok(candidates)
}

fn measure(ground: &Ground<'_>, ready: &[Ready], plan: &Plan) -> Result<Set, StudyError> {
    let hallucinated = ground.classes.iter().filter(|&&class| class == Class::Positive).count();
    let faithful = ground.classes.len() - hallucinated;
    let lengths: Vec<u32> = ground.examples.iter().map(|example| example.tokens).collect();
    let matched = length_matched(&lengths, &ground.classes, plan.split.seed);
    let scored: Vec<(&Ready, Vec<f64>)> = ready
        .iter()
        .filter_map(|ready| Some((ready, ready.candidate.model.scores(ground.seen())?)))
        .collect();
    let every: Vec<usize> = (0..ground.classes.len()).collect();
    let over = |rows: &[usize]| measures_over(rows, &scored, &ground.classes, plan.bootstrap());
    let whole = over(&every).ok_or_else(|| StudyError::EmptySet {
        set: ground.name.clone(),
        faithful,
        hallucinated,
    })?;
    let part = if matched.len() >= 2 * MATCHED {
        over(&matched)
    } else {
        None
    };
    let rows = scored
        .iter()
        .zip(whole)
        .enumerate()
        .map(|(nth, ((ready, scores), (measures, gap)))| Row {
            scorer: ready.candidate.scorer,
            units: ready.candidate.model.units(),
            measures,
            official_accuracy: ready
                .candidate
                .model
                .is_logit()
                .then(|| official(scores, &ground.classes)),
            gap,
            matched: part.as_ref().map(|part| part[nth].0),
            within_length: within_length_auroc(scores, &lengths, &ground.classes),
            draws: ready.draws.clone(),
            roc: roc(scores, &ground.classes).unwrap_or_default(),
        })
        .collect();
    Ok(Set {
        name: ground.name.clone(),
        faithful,
        hallucinated,
        matched: matched.len() / 2,
        seen: ground.seen,
        rows,
    })
}

/// The measures over some of the rows; each answer is a question of its own.
fn measures_over(
    rows: &[usize],
    scored: &[(&Ready, Vec<f64>)],
    classes: &[Class],
    bootstrap: Bootstrap,
) -> Option<Vec<(Measures, Gap)>> {
    let classes: Vec<Class> = rows.iter().map(|&row| classes[row]).collect();
    let questions: Vec<usize> = (0..rows.len()).collect();
    let values: Vec<Vec<f64>> = scored
        .iter()
        .map(|(_, scores)| rows.iter().map(|&row| scores[row]).collect())
        .collect();
    let scorers: Vec<Scores<'_>> = scored
        .iter()
        .zip(&values)
        .map(|((ready, _), values)| Scores {
            values,
            threshold: ready.threshold,
        })
        .collect();
    Sample {
        classes: &classes,
        questions: &questions,
    }
    .measure(&scorers, bootstrap)
}

/// Accuracy where a logit above 0 counts as hallucinated.
fn official(scores: &[f64], classes: &[Class]) -> f64 {
    let right = scores
        .iter()
        .zip(classes)
        .filter(|&(&score, &class)| (score > 0.0) == (class == Class::Positive));
    right.count() as f64 / classes.len().max(1) as f64
}

fn unit_effects(detector: &Detector, test: &Ground<'_>) -> Vec<UnitEffect> {
    let found: Vec<(usize, Effect)> = detector
        .units()
        .enumerate()
        .filter(|&(nth, _)| detector.units[nth].weight > 0.0)
        .filter_map(|(nth, unit)| {
            let column = test.x.column(detector.shape.position(unit));
            let values: Vec<f64> = column.iter().map(|&value| value.into()).collect();
            Effect::of(&values, &test.classes).map(|effect| (nth, effect))
        })
        .collect();
    let adjusted = benjamini_hochberg(&found.iter().map(|(_, effect)| effect.p_value).collect::<Vec<_>>());
    found
        .into_iter()
        .zip(adjusted)
        .map(|((nth, effect), adjusted)| {
            let weighted = detector.units[nth];
            UnitEffect {
                layer: weighted.layer,
                index: weighted.index,
                weight: weighted.weight,
                effect,
                adjusted,
            }
        })
        .collect()
}
