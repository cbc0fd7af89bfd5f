//! FairEval as published: questions, two models' answers and majority labels in four files (spec section 11.3, arXiv 2305.17926).
//!
//! - `question.jsonl`: `question_id`, `text`, `category`
//! - `answer_<model>.jsonl`, one per model: `question_id`, `text`
//! - `review_<model 1>_<model 2>_human.txt`: line i labels question i with the winner's name or `TIE`
//!
//! Answers are joined to questions by `question_id`, whatever their order; labels have no id and go by position, so their number
//! must be that of the questions. Each file may lack its last line end, and does in the published data.
//!
//! A pair's `id` is the `question_id`, its `dataset` is always `faireval`, so that the whole set shares one prompt family and one
//! row in tables; the nine question categories are to be had from [`categories`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::fault::list;
use super::intake::{is_blank, lines, utf8};
use super::read::name_of;
use super::row::Row;
use super::{BadLine, BadLines, Dataset, Fault, Format, Label, Pair, ReadError};

/// The four files of one comparison.
///
/// [`Dataset::blake3`] is the hash of the four contents in the order of these fields, each preceded by its length as 8 bytes,
/// little-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// JSON Lines with `question_id` and `text`.
    pub questions: PathBuf,
    /// Answers of the model that becomes `response1`.
    pub answers1: PathBuf,
    /// Answers of the model that becomes `response2`.
    pub answers2: PathBuf,
    /// One label per line.
    pub labels: PathBuf,
    /// The label that means `model1`, for instance `CHATGPT`.
    pub label1: String,
    /// The label that means `model2`, for instance `VICUNA13B`.
    pub label2: String,
}

impl Files {
    /// Finds the files in a directory, or in its folders `question`, `answer` and `review`.
    ///
    /// The name of the one `review_*_human.txt` says which answers are compared, and which are `model1`: the first named.
    ///
    /// # Errors
    /// [`ReadError::Open`] if there is no such directory, [`ReadError::Layout`] if a file is missing or there are several reviews;
    /// name the files yourself then.
    pub fn in_dir(dir: &Path) -> Result<Self, ReadError> {
        let layout = |problem| ReadError::Layout {
            path: dir.to_owned(),
            problem,
        };
        std::fs::read_dir(dir).map_err(|source| ReadError::Open {
            path: dir.to_owned(),
            source,
        })?;
        let find = |folder: &str, prefix: &str, suffix: &str| -> Result<BTreeMap<String, PathBuf>, ReadError> {
            let mut found = BTreeMap::new();
            for place in [dir.join(folder), dir.to_owned()]
                .into_iter()
                .filter(|place| place.is_dir())
            {
                let open = |source| ReadError::Open {
                    path: place.clone(),
                    source,
                };
                for entry in std::fs::read_dir(&place).map_err(open)? {
                    let path = entry.map_err(open)?.path();
                    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    let middle = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
                    if let Some(middle) = middle.map(str::to_owned) {
                        found.insert(middle, path);
                    }
                }
            }
            Ok(found)
        };
        let questions = find("question", "question", ".jsonl")?.remove("");
        let answers = find("answer", "answer_", ".jsonl")?;
        let reviews = find("review", "review_", "_human.txt")?;
        let questions = questions.ok_or_else(|| layout("no `question.jsonl`".to_owned()))?;
        let mut reviews = reviews.into_iter();
        let (compared, labels) = match (reviews.next(), reviews.next()) {
            (Some(only), None) => only,
            (None, _) => {
                return Err(layout("no `review_<model 1>_<model 2>_human.txt`".to_owned()));
            }
            (Some((a, _)), Some((b, _))) => {
                return Err(layout(format!(
                    "several reviews (`{a}`, `{b}`); keep one of them in the directory"
                )));
            }
        };
        // Model names may contain underscores, so the split is found by the answers that exist.
        let models = answers.keys().find_map(|first| {
            let second = compared.strip_prefix(first.as_str())?.strip_prefix('_')?;
            answers.contains_key(second).then_some((first.as_str(), second))
        });
        let (first, second) = models.ok_or_else(|| {
            let there: Vec<_> = answers.keys().map(|model| format!("answer_{model}.jsonl")).collect();
            layout(format!(
                "no two answer files for the review of `{compared}`; present: {}",
                list(&there)
            ))
        })?;
        Ok(Files {
            questions,
            answers1: answers[first].clone(),
            answers2: answers[second].clone(),
            labels,
            label1: label_of(first),
            label2: label_of(second),
        })
    }
}

/// The name that the label file uses for a model: `vicuna-13b` is `VICUNA13B`; only `gpt35` has a name of its own.
fn label_of(model: &str) -> String {
    match model {
        "gpt35" => "CHATGPT".to_owned(),
        other => other
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_uppercase)
            .collect(),
    }
}

/// Reads the four files.
///
/// With [`BadLines::Skip`] a malformed answer is kept in [`Dataset::skipped`], and so is the question that then has no answer.
///
/// # Errors
/// As [`read`](fn@super::read), and [`ReadError::LabelCount`] whatever `bad` says: with a label too few or too many, no label is
/// known to belong to its question.
pub fn read(files: &Files, bad: BadLines) -> Result<Dataset, ReadError> {
    let mut hash = blake3::Hasher::new();
    let [questions, answers1, answers2, labels] = files.all().map(|path| hashed(path, &mut hash));
    let (questions, labels) = (questions?, labels?);
    let questions: Vec<_> = numbered(&questions).collect();
    let labels = label_lines(&labels);
    if labels.len() != questions.len() {
        return Err(ReadError::LabelCount {
            labels: files.labels.clone(),
            labels_found: labels.len(),
            questions: files.questions.clone(),
            questions_found: questions.len(),
        });
    }
    let mut intake = Intake::new(&files.questions, bad);
    let answers1 = Answers::read(&files.answers1, &answers1?, &mut intake)?;
    let answers2 = Answers::read(&files.answers2, &answers2?, &mut intake)?;
    let mut asked = HashMap::new();
    for (index, (&(line, text), label)) in questions.iter().zip(labels).enumerate() {
        let label = match files.label(label) {
            Ok(label) => label,
            Err(fault) => {
                intake.reject(BadLine {
                    path: files.labels.clone(),
                    line: index + 1,
                    fault,
                })?;
                // The question exists nevertheless: its answers must not be called answers to nothing.
                if let Ok(id) = utf8(text).and_then(Row::parse).and_then(|row| row.id(ID)) {
                    asked.insert(id, line);
                }
                continue;
            }
        };
        let outcome = utf8(text).and_then(Row::parse).and_then(|row| {
            let id = row.id(ID)?;
            if let Some(&first_line) = asked.get(&id) {
                return Err(Fault::RepeatedId {
                    field: ID,
                    id,
                    first_line,
                });
            }
            asked.insert(id.clone(), line);
            Ok(Pair {
                index,
                query: row.text("text")?,
                response1: answers1.to(&id)?,
                response2: answers2.to(&id)?,
                label: Some(label),
                dataset: "faireval".to_owned(),
                id: Some(id),
            })
        });
        intake.put(line, outcome)?;
    }
    for answers in [&answers1, &answers2] {
        answers.check_asked(&asked.keys().map(String::as_str).collect(), files, &mut intake)?;
    }
    if intake.pairs.is_empty() && intake.skipped.is_empty() {
        return Err(ReadError::Empty {
            path: files.questions.clone(),
        });
    }
    let Intake { pairs, skipped, .. } = intake;
    if let (true, Some(first)) = (pairs.is_empty(), skipped.first()) {
        return Err(ReadError::NothingReadable {
            path: files.questions.clone(),
            format: Format::FairEval,
            count: skipped.len(),
            first: Box::new(first.clone()),
        });
    }
    Ok(Dataset {
        pairs,
        skipped,
        format: Format::FairEval,
        name: name_of(&files.questions),
        blake3: hash.finalize().to_hex().to_string(),
    })
}

/// The hash that [`read`] gives.
pub(super) fn hash(files: &Files) -> Result<blake3::Hash, ReadError> {
    let mut hash = blake3::Hasher::new();
    for path in files.all() {
        hashed(path, &mut hash)?;
    }
    Ok(hash.finalize())
}

/// A file's content, which goes into the hash with its length before it.
fn hashed(path: &Path, hash: &mut blake3::Hasher) -> Result<Vec<u8>, ReadError> {
    let bytes = open(path)?;
    hash.update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
    Ok(bytes)
}

/// Collects pairs and malformed lines.
struct Intake {
    path: PathBuf,
    bad: BadLines,
    pairs: Vec<Pair>,
    skipped: Vec<BadLine>,
}

impl Intake {
    fn new(path: &Path, bad: BadLines) -> Self {
        Self {
            path: path.to_owned(),
            bad,
            pairs: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Takes in what became of the question at `line` (1-based).
    fn put(&mut self, line: usize, outcome: Result<Pair, Fault>) -> Result<(), ReadError> {
        match outcome {
            Ok(pair) => self.pairs.push(pair),
            Err(fault) => {
                let path = self.path.clone();
                self.reject(BadLine { path, line, fault })?;
            }
        }
        Ok(())
    }

    /// Takes in a malformed line of any of the files.
    fn reject(&mut self, line: BadLine) -> Result<(), ReadError> {
        match self.bad {
            BadLines::Stop => Err(ReadError::Malformed(Box::new(line))),
            BadLines::Skip => {
                self.skipped.push(line);
                Ok(())
            }
        }
    }
}

/// The category of each question, by `question_id`: generic, knowledge, roleplay, common-sense, fermi, counterfactual, coding, math
/// or writing in the published file.
///
/// # Errors
/// [`ReadError`] when the file cannot be read, or at the first malformed line.
pub fn categories(questions: &Path) -> Result<BTreeMap<String, String>, ReadError> {
    let bytes = open(questions)?;
    let entry = |text| {
        utf8(text)
            .and_then(Row::parse)
            .and_then(|row| Ok((row.id(ID)?, row.text("category")?)))
    };
    numbered(&bytes)
        .map(|(line, text)| entry(text).map_err(|fault| ReadError::at(questions, line, fault)))
        .collect()
}

const ID: &str = "question_id";

impl Files {
    fn all(&self) -> [&Path; 4] {
        [&self.questions, &self.answers1, &self.answers2, &self.labels].map(PathBuf::as_path)
    }

    fn label(&self, line: &[u8]) -> Result<Label, Fault> {
        match utf8(line)? {
            name if name == self.label1 => Ok(Label::Model1),
            name if name == self.label2 => Ok(Label::Model2),
            "TIE" => Ok(Label::Tie),
            other => Err(Fault::unknown_label(other, &[&self.label1, &self.label2, "TIE"])),
        }
    }
}

/// One model's answers: id → line and text.
struct Answers<'a> {
    path: &'a Path,
    by_id: BTreeMap<String, (usize, String)>,
}

impl<'a> Answers<'a> {
    fn read(path: &'a Path, bytes: &[u8], intake: &mut Intake) -> Result<Self, ReadError> {
        let mut by_id: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for (line, text) in numbered(bytes) {
            let answer = utf8(text).and_then(Row::parse).and_then(|row| {
                let id = row.id(ID)?;
                match by_id.get(&id) {
                    Some(&(first_line, _)) => Err(Fault::RepeatedId {
                        field: ID,
                        id,
                        first_line,
                    }),
                    None => Ok((id, row.text("text")?)),
                }
            });
            match answer {
                Ok((id, answer)) => {
                    by_id.insert(id, (line, answer));
                }
                Err(fault) => intake.reject(BadLine {
                    path: path.to_owned(),
                    line,
                    fault,
                })?,
            }
        }
        Ok(Self { path, by_id })
    }

    fn to(&self, id: &str) -> Result<String, Fault> {
        let answer = self.by_id.get(id).map(|(_, text)| text.clone());
        answer.ok_or_else(|| Fault::NoAnswer {
            id: id.to_owned(),
            answers: self.path.to_owned(),
        })
    }

    fn check_asked(&self, asked: &HashSet<&str>, files: &Files, intake: &mut Intake) -> Result<(), ReadError> {
        let mut unasked: Vec<_> = self
            .by_id
            .iter()
            .filter(|(id, _)| !asked.contains(id.as_str()))
            .collect();
        unasked.sort_by_key(|(_, (line, _))| *line);
        for (id, &(line, _)) in unasked {
            let fault = Fault::NoQuestion {
                id: id.clone(),
                questions: files.questions.clone(),
            };
            intake.reject(BadLine {
                path: self.path.to_owned(),
                line,
                fault,
            })?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<Vec<u8>, ReadError> {
    std::fs::read(path).map_err(|source| ReadError::open(path, source))
}

/// The lines that are not blank, with their 1-based numbers.
fn numbered(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    lines(bytes)
        .enumerate()
        .filter(|(_, line)| !is_blank(line))
        .map(|(index, line)| (index + 1, line))
}

/// The label lines without blank ones at the end. A blank line in the middle stays: it holds a question's place.
fn label_lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut labels: Vec<_> = lines(bytes).collect();
    while labels.last().is_some_and(|line| is_blank(line)) {
        labels.pop();
    }
    labels
}
