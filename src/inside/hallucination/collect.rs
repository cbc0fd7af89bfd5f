//! From questions to features: answers are drawn, judged, kept where they are consistent, balanced, and read by the tap.
//!
//! A folder holds what every stage has finished: `collection.json` (the settings, frozen), `samples.jsonl` (answers), `judged.jsonl` (the same with verdicts, in
//! the format of the H-Neurons repository), `items.jsonl` (what became of every question), and the features. Whatever is finished is not done again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::answered::{self, Answered, Span};
use super::asking::{AskingError, ask};
use super::balance::{Candidate, balance};
use super::consistency::Dropped;
use super::example::{Example, Part, Truth};
use super::extracting::{Quoted, extract};
use super::features::{FeaturesError, Provenance, Writer};
use super::frozen::{FrozenError, freeze};
use super::item::{Item, Tally};
use super::journal::{Journal, JournalError};
use super::observe::{Observed, observe};
use super::questions::{Question, same_text};
use super::rule::OtherScope;
use super::sampling::{Samples, SamplingError, sample};
use super::settings::Settings;
use super::style::{Text, TextError};
use crate::chat::ChatModel;
use crate::inside::language::Shape;
use crate::llama::{DownNorms, Engine, Model, Tap, TapConfig, TapError, TemplateError, Threads, Weights, WeightsError};

/// The features of a collection: `features.npy`, `features.jsonl` and `features.json` in its folder.
pub const FEATURES: &str = "features";

/// The rule by which spans are found; the number counts up when it changes.
pub const SPAN_RULE: &str = "trim-1";

/// Where answers come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The engine draws them.
    Questions(Vec<Question>),
    /// A file holds them, with their verdicts.
    Answers(Vec<Answered>),
}

/// How far a collection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// So many questions of so many are answered.
    Answered(usize, usize),
    /// A model has judged so many answers of so many.
    Judged(usize, usize),
    /// A model has marked the answers of so many questions of so many.
    Extracted(usize, usize),
    /// Answers were judged and questions chosen.
    Chosen(Tally),
    /// So many texts of so many are read.
    Read(usize, usize),
}

/// Failures to collect.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The folder cannot be used.
    #[error("failed to use `{path}`: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder was begun otherwise.
    #[error(transparent)]
    Frozen(#[from] FrozenError),
    /// No question is left.
    #[error(
        "no question is left to learn from: of {questions}, {faithful} were answered right and {hallucinated} wrong consistently ({dropped}); \
         ask more questions, allow exceptions, or put the questions in another style"
    )]
    NothingLeft {
        /// All questions.
        questions: usize,
        /// Kept as right.
        faithful: usize,
        /// Kept as wrong.
        hallucinated: usize,
        /// Reasons with counts.
        dropped: String,
    },
    /// Answers cannot be drawn.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// Answers cannot be judged.
    #[error(transparent)]
    Asking(#[from] AskingError),
    /// Answers cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Prompts cannot be made.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Activations cannot be read.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// The model's file cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Features cannot be written.
    #[error(transparent)]
    Features(#[from] FeaturesError),
}

/// A folder with its settings.
#[derive(Debug)]
pub struct Collection {
    folder: PathBuf,
    settings: Settings,
}

impl Collection {
    /// Begins a collection, or goes on with one that has the same settings.
    pub fn open(folder: &Path, settings: Settings) -> Result<Self, CollectError> {
        std::fs::create_dir_all(folder).map_err(|source| CollectError::Io {
            path: folder.to_owned(),
            source,
        })?;
        freeze(&folder.join("collection.json"), &settings, Settings::comparable)?;
        Ok(Self {
            folder: folder.to_owned(),
            settings,
        })
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Draws the answers that are missing.
    pub async fn answer(
        &self,
        engine: &Engine,
        questions: &[Question],
        mut listen: impl FnMut(&Event),
    ) -> Result<(), CollectError> {
        let Some(draws) = &self.settings.draws else {
            return Ok(());
        };
        let mut journal = Journal::open(&self.samples())?;
        let total = questions.len();
        let done = |done| listen(&Event::Answered(done, total));
        Ok(sample(engine, self.settings.style, draws, questions, &mut journal, done).await?)
    }

    /// Whether every question has its answers, so that no engine is needed.
    pub fn is_answered(&self, questions: &[Question]) -> Result<bool, CollectError> {
        Ok(Journal::<Samples>::open(&self.samples())?.entries().len() >= questions.len())
    }

    /// The answers that there are, judged by the rules.
    pub fn answered(&self, source: &Source) -> Result<Vec<Answered>, CollectError> {
        Ok(match source {
            Source::Answers(answered) => answered.clone(),
            Source::Questions(questions) => {
                let journal = Journal::open(&self.samples())?;
                answered::of_samples(questions, journal.entries(), self.settings.matching)
            }
        })
    }

    /// Has a model judge them instead. Verdicts are kept in `verdicts.jsonl` and not asked for again.
    pub async fn judge(
        &self,
        judge: &dyn ChatModel,
        answered: &mut [Answered],
        mut listen: impl FnMut(&Event),
    ) -> Result<(), CollectError> {
        let mut journal = Journal::open(&self.folder.join("verdicts.jsonl"))?;
        let done = |done, total| listen(&Event::Judged(done, total));
        Ok(ask(judge, answered, &mut journal, done).await?)
    }

    /// Has a model mark the answers of the questions that are kept, in place of the rule for spans. What it marked is kept in `spans.jsonl` and not asked for again.
    pub async fn extract(
        &self,
        model: &dyn ChatModel,
        answered: &mut [Answered],
        mut listen: impl FnMut(&Event),
    ) -> Result<(), CollectError> {
        let mut journal = Journal::<Quoted>::open(&self.folder.join("spans.jsonl"))?;
        let done = |done, total| listen(&Event::Extracted(done, total));
        Ok(extract(model, answered, self.settings.consistency, &mut journal, done).await?)
    }

    /// Keeps and chooses answers, and reads those whose features are missing.
    pub fn read(
        &self,
        model: &Model,
        answered: &[Answered],
        threads: Threads,
        mut listen: impl FnMut(&Event),
    ) -> Result<Tally, CollectError> {
        let (mut items, texts) = self.keep(model, answered)?;
        self.choose(&mut items, &texts);
        let tally = Tally::of(&items);
        self.write(answered, &items)?;
        listen(&Event::Chosen(tally.clone()));
        if tally.chosen == [0, 0] {
            return Err(nothing_left(&tally));
        }
        let chosen: Vec<(&Answered, &Item, &Text)> = answered
            .iter()
            .zip(&items)
            .zip(&texts)
            .filter(|((_, item), _)| item.chosen)
            .filter_map(|((answered, item), text)| Some((answered, item, text.as_ref()?)))
            .collect();
        self.features(model, &chosen, threads, &mut listen)?;
        Ok(tally)
    }

    fn samples(&self) -> PathBuf {
        self.folder.join("samples.jsonl")
    }

    /// What becomes of every question before the choice, and its text where it is kept.
    fn keep(&self, model: &Model, answered: &[Answered]) -> Result<(Vec<Item>, Vec<Option<Text>>), CollectError> {
        let mut items = Vec::new();
        let mut texts = Vec::new();
        for Answered {
            question,
            responses,
            verdicts,
            span,
        } in answered
        {
            let wanted = self.settings.draws.map_or(1, |draws| draws.samples.get());
            let mut item = Item {
                id: question.key(),
                stratum: question.stratum.clone(),
                class: None,
                dropped: None,
                response: None,
                count: (0, responses.len()),
                chosen: false,
            };
            let kept = if responses.len() < wanted {
                Err(Dropped::TooFewSamples)
            } else {
                self.settings.consistency.keep(responses, verdicts)
            };
            let text = match kept {
                Ok(_) if *span == Span::Lost => {
                    item.dropped = Some(Dropped::SpanNotFound);
                    None
                }
                Ok(kept) => {
                    item.response = Some(kept.response.to_owned());
                    item.count.0 = kept.count;
                    let marked = match span {
                        Span::Marked(bytes) => Some(bytes.clone()),
                        Span::ByRule | Span::Lost => None,
                    };
                    let style = self.settings.style;
                    let text = style.text(model, &question.asked(), kept.response, marked);
                    match text {
                        Ok(text) if text.layout.length <= model.trained_context() => {
                            item.class = Some(kept.class);
                            Some(text)
                        }
                        Ok(_) => {
                            item.dropped = Some(Dropped::TooLong);
                            None
                        }
                        Err(TextError::NoAnswer) => {
                            item.dropped = Some(Dropped::EmptySpan);
                            None
                        }
                        Err(TextError::Template(error)) => return Err(error.into()),
                    }
                }
                Err(dropped) => {
                    item.dropped = Some(dropped);
                    None
                }
            };
            items.push(item);
            texts.push(text);
        }
        Ok((items, texts))
    }

    fn choose(&self, items: &mut [Item], texts: &[Option<Text>]) {
        let kept: Vec<usize> = (0..items.len()).filter(|&place| texts[place].is_some()).collect();
        let candidates: Vec<Candidate> = kept
            .iter()
            .filter_map(|&place| {
                let item = &items[place];
                Some(Candidate {
                    class: item.class?,
                    stratum: item.stratum.clone(),
                    answer: item.response.clone()?,
                })
            })
            .collect();
        for chosen in balance(&candidates, &self.settings.balance) {
            items[kept[chosen]].chosen = true;
        }
    }

    fn write(&self, answered: &[Answered], items: &[Item]) -> Result<(), CollectError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| CollectError::Io { path, source }
        };
        let path = self.folder.join("judged.jsonl");
        answered::write(&path, answered).map_err(io(&path))?;
        let path = self.folder.join("items.jsonl");
        let mut lines = Vec::new();
        for item in items {
            serde_json::to_writer(&mut lines, item).map_err(|error| io(&path)(error.into()))?;
            lines.push(b'\n');
        }
        std::fs::write(&path, lines).map_err(io(&path))
    }

    fn features(
        &self,
        model: &Model,
        chosen: &[(&Answered, &Item, &Text)],
        threads: Threads,
        listen: &mut dyn FnMut(&Event),
    ) -> Result<(), CollectError> {
        let weights = Weights::open(model.path())?;
        let ffn = weights.ffn()?;
        let shape = Shape {
            layers: ffn.layers,
            width: ffn.units,
        };
        let mut writer = Writer::open(&self.folder.join(FEATURES), &self.provenance(shape, chosen))?;
        let is_open = |writer: &Writer, answered: &Answered| {
            let (set, id) = (&answered.question.set, &answered.question.id);
            let has_others = self.settings.rule.other == OtherScope::Response || writer.has(set, id, Part::Other);
            !writer.has(set, id, Part::Answer) || !has_others
        };
        let open: Vec<_> = chosen
            .iter()
            .filter(|(answered, ..)| is_open(&writer, answered))
            .collect();
        let mut done = chosen.len() - open.len();
        listen(&Event::Read(done, chosen.len()));
        if open.is_empty() {
            return Ok(());
        }
        let context = open.iter().map(|(_, _, text)| text.layout.length).max().unwrap_or(1);
        let config = TapConfig {
            context,
            threads,
            ..TapConfig::default()
        };
        let (mut tap, norms): (Tap<'_>, DownNorms) = (Tap::new(model, &config)?, weights.down_norms()?);
        for (answered, item, text) in open {
            let observed = observe(&mut tap, &norms, text, &self.settings.rule)?;
            for part in [Part::Answer, Part::Other] {
                let values = match part {
                    Part::Answer => Some(&observed.scored),
                    Part::Other => observed.others.as_ref(),
                };
                let (set, id) = (&answered.question.set, &answered.question.id);
                if let (Some(values), Some(truth), false) = (values, item.class, writer.has(set, id, part)) {
                    writer.push(example(answered, item, truth, part, &observed), values)?;
                }
            }
            done += 1;
            listen(&Event::Read(done, chosen.len()));
        }
        Ok(())
    }

    fn provenance(&self, shape: Shape, chosen: &[(&Answered, &Item, &Text)]) -> Provenance {
        let mut selection = blake3::Hasher::new();
        for (_, item, _) in chosen {
            selection.update(item.id.as_bytes());
            selection.update(b"\n");
        }
        let mut notes = BTreeMap::from([
            ("questions".to_owned(), self.settings.questions.clone()),
            ("selection".to_owned(), selection.finalize().to_hex().to_string()),
        ]);
        let details = [
            ("sampling", serde_json::to_string(&self.settings.draws)),
            ("matching", serde_json::to_string(&self.settings.matching)),
            ("judge", serde_json::to_string(&self.settings.judge)),
            ("consistency", serde_json::to_string(&self.settings.consistency)),
            ("balance", serde_json::to_string(&self.settings.balance)),
        ];
        for (name, text) in details {
            notes.insert(name.to_owned(), text.unwrap_or_default());
        }
        Provenance {
            model: self.settings.model.clone(),
            shape,
            rule: self.settings.rule.clone(),
            prompt: self.settings.style.name().to_owned(),
            notes,
        }
    }
}

fn example(answered: &Answered, item: &Item, truth: Truth, part: Part, observed: &Observed) -> Example {
    let question = &answered.question;
    let response = item.response.clone().unwrap_or_default();
    let tokens = match part {
        Part::Answer => observed.tokens.0,
        Part::Other => observed.tokens.1,
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Example {
        id: question.id.clone(),
        dataset: question.set.clone(),
        question: question.text.clone(),
        truth,
        part,
        stratum: question.stratum.clone(),
        entity: (question.group != same_text(&question.text)).then(|| question.group.clone()),
        tokens: count(tokens),
        characters: count(response.chars().count()),
        response,
        log_probability: Some(observed.predicted.log_probability),
        lowest_log_probability: Some(observed.predicted.lowest),
        entropy: Some(observed.predicted.entropy),
        first_entropy: Some(observed.predicted.first_entropy),
        agreement: (item.count.1 > 0).then(|| item.count.0 as f64 / item.count.1 as f64),
    }
}

fn nothing_left(tally: &Tally) -> CollectError {
    CollectError::NothingLeft {
        questions: tally.questions,
        faithful: tally.faithful,
        hallucinated: tally.hallucinated,
        dropped: tally.reasons(),
    }
}
