//! From questions to features: answers are drawn, judged, kept where they are consistent, balanced, and read by the tap.
//!
//! A folder holds what every stage has finished: `collection.json` (the settings, frozen), `samples.jsonl` (answers), `judged.jsonl` (the same with verdicts, in
//! the format of the H-Neurons repository), `items.jsonl` (what became of every question), and the features. Whatever is finished is not done again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answered::{self, Answered, Span};
use super::asking::{AskingError, ask};
use super::balance::{Balance, Candidate, balance};
use super::consistency::{Consistency, Dropped};
use super::example::{Example, Part, Truth};
use super::features::{FeaturesError, Provenance, Writer};
use super::journal::{Journal, JournalError};
use super::judge::Matching;
use super::observe::{Observed, observe};
use super::questions::{Question, same_text};
use super::rule::{ModelId, OtherScope, RegionRule};
use super::sampling::{Draws, Samples, SamplingError, sample};
use super::style::{Style, Text, TextError};
use crate::chat::{ChatModel, Identity};
use crate::inside::language::Shape;
use crate::llama::{DownNorms, Engine, Model, Tap, TapConfig, TapError, TemplateError, Threads, Weights, WeightsError};

/// The features of a collection: `features.npy`, `features.jsonl` and `features.json` in its folder.
pub const FEATURES: &str = "features";

/// The rule by which spans are found; the number counts up when it changes.
pub const SPAN_RULE: &str = "trim-1";

/// What a collection is of. It is frozen when the folder is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model.
    pub model: ModelId,
    /// BLAKE3 of the questions, or of the file that the answers were read from.
    pub questions: String,
    /// Names of the sets.
    pub sets: Vec<String>,
    /// How questions are put.
    pub style: Style,
    /// How answers are drawn; nothing where they were read from a file.
    pub draws: Option<Draws>,
    /// How answers are judged where their set does not say.
    pub matching: Matching,
    /// The model that judges in place of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Identity>,
    /// Which questions are kept.
    pub consistency: Consistency,
    /// How many of them are read.
    pub balance: Balance,
    /// Which tokens are read, and how.
    pub rule: RegionRule,
}

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
    /// Answers were judged and questions chosen.
    Chosen(Tally),
    /// So many texts of so many are read.
    Read(usize, usize),
}

/// What became of the questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All of them.
    pub questions: usize,
    /// Kept as right.
    pub faithful: usize,
    /// Kept as wrong.
    pub hallucinated: usize,
    /// Left out, by reason.
    pub dropped: BTreeMap<Dropped, usize>,
    /// Chosen of each class.
    pub chosen: [usize; 2],
}

/// What became of one question: a line of `items.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The question's set and id.
    pub id: String,
    /// Its template or set.
    pub stratum: String,
    /// Its class, where it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Truth>,
    /// Why it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<Dropped>,
    /// The answer that stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// How often it was given, of how many.
    pub count: (usize, usize),
    /// Whether its features are taken.
    pub chosen: bool,
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
    /// The folder's settings cannot be read.
    #[error("{}:{line}: {source}; restore the file, or collect into another folder", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The folder is another collection.
    #[error(
        "`{folder}` holds a collection with other settings ({difference}); give another folder, or the settings that it was begun with"
    )]
    Other {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        difference: String,
    },
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
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| CollectError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(io(folder))?;
        let path = folder.join("collection.json");
        if path.exists() {
            let old = read_settings(&path)?;
            if let Some(difference) = difference(&old, &settings) {
                return Err(CollectError::Other {
                    folder: folder.to_owned(),
                    difference,
                });
            }
        } else {
            let text = serde_json::to_string_pretty(&settings).map_err(|error| io(&path)(error.into()))?;
            std::fs::write(&path, text + "\n").map_err(io(&path))?;
        }
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
        let tally = tally(&items);
        self.write(answered, &items)?;
        listen(&Event::Chosen(tally.clone()));
        if tally.chosen == [0, 0] {
            return Err(tally.nothing_left());
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

fn read_settings(path: &Path) -> Result<Settings, CollectError> {
    let text = std::fs::read_to_string(path).map_err(|source| CollectError::Io {
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|source| CollectError::Settings {
        path: path.to_owned(),
        line: source.line(),
        source,
    })
}

/// Which settings differ, in words.
fn difference(old: &Settings, new: &Settings) -> Option<String> {
    // By way of text, in which a temperature of 0.7 is 0.7 and not the double nearest to its single-precision number.
    let fields = |settings: &Settings| -> serde_json::Map<String, serde_json::Value> {
        let mut settings = settings.clone();
        // The same file under another name.
        settings.model.name.clear();
        let text = serde_json::to_string(&settings).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    };
    let (old, new) = (fields(old), fields(new));
    let differs: Vec<String> = old
        .iter()
        .filter(|(name, value)| new.get(*name) != Some(value))
        .map(|(name, value)| {
            let now = new.get(name).unwrap_or(&serde_json::Value::Null);
            format!("`{name}` was {value} and is {now}")
        })
        .collect();
    (!differs.is_empty()).then(|| differs.join(", "))
}

fn tally(items: &[Item]) -> Tally {
    let mut tally = Tally {
        questions: items.len(),
        ..Tally::default()
    };
    for item in items {
        match item.class {
            Some(Truth::Faithful) => tally.faithful += 1,
            Some(Truth::Hallucinated) => tally.hallucinated += 1,
            None => {}
        }
        if let Some(dropped) = item.dropped {
            *tally.dropped.entry(dropped).or_default() += 1;
        }
        if let (Some(class), true) = (item.class, item.chosen) {
            tally.chosen[usize::from(class == Truth::Hallucinated)] += 1;
        }
    }
    tally
}

impl Tally {
    /// Reasons for which questions were left out, with their counts.
    pub fn reasons(&self) -> String {
        let reasons: Vec<String> = self
            .dropped
            .iter()
            .map(|(reason, count)| format!("{count} {}", reason.words()))
            .collect();
        reasons.join(", ")
    }

    fn nothing_left(&self) -> CollectError {
        CollectError::NothingLeft {
            questions: self.questions,
            faithful: self.faithful,
            hallucinated: self.hallucinated,
            dropped: self.reasons(),
        }
    }
}

impl Dropped {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Uncertain => "uncertain",
            Self::Disagreeing => "with answers that differ too much",
            Self::EmptySpan => "without an answer to read",
            Self::SpanNotFound => "whose answer was not found",
            Self::TooFewSamples => "with too few answers",
            Self::TooLong => "too long",
        }
    }
}
