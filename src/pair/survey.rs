//! What is in a source, without its texts: enough to select pairs, which are then read a second time.

use super::read::{Origin, Reader};
use super::{BadLine, BadLines, Format, Label, Pair, ReadError, SelectError, Selection, Source, demo};

/// A source that was read once. It keeps place, dataset and label of every pair and none of the texts, so memory grows by a few bytes per pair.
///
/// ```no_run
/// use widedeep::pair::{BadLines, Selection, Source, Survey};
///
/// let source = Source { path: "pairs.jsonl".into(), format: None };
/// let mut survey = Survey::of(&source, BadLines::Stop)?;
/// survey.select(&Selection { limit: Some(10), ..Selection::default() })?;
/// for pair in survey.pairs()? {
///     println!("{}", pair?.query);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Survey {
    origin: Origin,
    bad: BadLines,
    blake3: String,
    skipped: Vec<BadLine>,
    marks: Vec<Mark>,
    datasets: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    index: usize,
    dataset: u32,
    label: Option<Label>,
}

impl Survey {
    /// Reads a source. Every line is checked here.
    ///
    /// # Errors
    /// As [`read`](fn@super::read).
    pub fn of(source: &Source, bad: BadLines) -> Result<Self, ReadError> {
        Self::of_origin(Origin::of(source)?, bad)
    }

    /// The pairs that come with the program.
    ///
    /// # Panics
    /// Never: the pairs are part of the program, and a test reads them.
    pub fn demo() -> Self {
        Self::of_origin(demo::origin(), BadLines::Stop).expect("the built-in pairs can be read")
    }

    fn of_origin(origin: Origin, bad: BadLines) -> Result<Self, ReadError> {
        let mut reader = origin.read(bad)?;
        let mut datasets: Vec<String> = Vec::new();
        let mut marks = Vec::new();
        for pair in reader.by_ref() {
            let pair = pair?;
            // Neighbours are often of the same dataset, and there are few.
            let known = datasets.iter().rposition(|name| *name == pair.dataset);
            let number = known.unwrap_or_else(|| {
                datasets.push(pair.dataset);
                datasets.len() - 1
            });
            marks.push(Mark {
                index: pair.index,
                dataset: u32::try_from(number).unwrap_or(u32::MAX),
                label: pair.label,
            });
        }
        let end = reader.end()?;
        Ok(Self {
            origin,
            bad,
            blake3: end.blake3,
            skipped: end.skipped,
            marks,
            datasets,
        })
    }

    /// Leaves out what is not selected.
    ///
    /// # Errors
    /// [`SelectError`], and nothing is left out.
    pub fn select(&mut self, selection: &Selection) -> Result<(), SelectError> {
        let rows = self.marks.iter().map(|mark| (self.dataset(*mark), mark.label));
        let keep = selection.keep(&rows.collect::<Vec<_>>())?;
        let mut keep = keep.into_iter();
        self.marks.retain(|_| keep.next() == Some(true));
        Ok(())
    }

    fn dataset(&self, mark: Mark) -> &str {
        &self.datasets[mark.dataset as usize]
    }

    /// How many pairs are selected.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether no pair is selected.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The datasets of the selected pairs, in the order in which they occur.
    pub fn datasets(&self) -> Vec<&str> {
        let mut seen = vec![false; self.datasets.len()];
        let mut names = Vec::new();
        for mark in &self.marks {
            if !std::mem::replace(&mut seen[mark.dataset as usize], true) {
                names.push(self.dataset(*mark));
            }
        }
        names
    }

    /// Malformed lines that were left out.
    pub fn skipped(&self) -> &[BadLine] {
        &self.skipped
    }

    /// What the source was read as.
    pub fn format(&self) -> Format {
        self.origin.format
    }

    /// The file's name without extension, or the directory's name.
    pub fn name(&self) -> String {
        self.origin.name()
    }

    /// BLAKE3 of the bytes read, in hexadecimal; see [`Dataset::blake3`](super::Dataset::blake3).
    pub fn blake3(&self) -> &str {
        &self.blake3
    }

    /// BLAKE3 of a source's bytes, without a look at what they say.
    pub fn hash_of(source: &Source) -> Result<String, ReadError> {
        Origin::of(source)?.hash()
    }

    /// Reads the selected pairs, one by one and in source order. The last item is an error if the source is no longer what it was.
    pub fn pairs(&self) -> Result<impl Iterator<Item = Result<Pair, ReadError>> + '_, ReadError> {
        Ok(Selected {
            survey: self,
            reader: Some(self.origin.read(self.bad)?),
            at: 0,
        })
    }
}

struct Selected<'a> {
    survey: &'a Survey,
    /// `None` at the end.
    reader: Option<Reader>,
    /// How many marks have been passed.
    at: usize,
}

impl Iterator for Selected<'_> {
    type Item = Result<Pair, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        for pair in self.reader.as_mut()? {
            let wanted = self.survey.marks.get(self.at).map(|mark| mark.index);
            match pair {
                Ok(pair) if Some(pair.index) == wanted => {
                    self.at += 1;
                    return Some(Ok(pair));
                }
                Ok(_) => {}
                Err(error) => {
                    self.reader = None;
                    return Some(Err(error));
                }
            }
        }
        match self.reader.take()?.end() {
            Ok(end) if end.blake3 == self.survey.blake3 => None,
            Ok(_) => Some(Err(ReadError::Changed {
                path: self.survey.origin.path.clone(),
            })),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::pair::{Sample, read};

    fn line(i: usize) -> String {
        format!(
            "{{\"query\":\"{i}\",\"response1\":\"a\",\"response2\":\"b\",\"label\":\"1\",\"dataset\":\"d{}\"}}\n",
            i % 3
        )
    }

    fn source(text: &str) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.jsonl");
        std::fs::write(&path, text).unwrap();
        (folder, Source { path, format: None })
    }

    #[test]
    fn a_survey_gives_the_pairs_that_reading_all_and_selecting_gives() {
        let text: String = (0..50).map(line).collect();
        let (_folder, source) = source(&format!("{text}broken\n{}", line(51)));
        let selection = Selection {
            datasets: vec!["d0".to_owned(), "d2".to_owned()],
            sample: Some(Sample { n: 20, seed: 3 }),
            limit: Some(17),
        };
        let mut all = read(&source, BadLines::Skip).unwrap();
        selection.apply(&mut all.pairs).unwrap();

        let mut survey = Survey::of(&source, BadLines::Skip).unwrap();
        survey.select(&selection).unwrap();
        let pairs: Vec<Pair> = survey.pairs().unwrap().map(Result::unwrap).collect();
        assert_eq!(pairs, all.pairs);
        assert_eq!((survey.len(), survey.skipped()), (17, all.skipped.as_slice()));
        assert_eq!((survey.blake3(), survey.name()), (all.blake3.as_str(), all.name));
        assert_eq!(Survey::hash_of(&source).unwrap(), survey.blake3());
        assert!(survey.datasets().iter().all(|name| ["d0", "d2"].contains(name)));
    }

    #[test]
    fn a_source_that_changes_between_the_readings_is_an_error_and_not_another_set_of_pairs() {
        let (_folder, source) = source(&(0..3).map(line).collect::<String>());
        let survey = Survey::of(&source, BadLines::Stop).unwrap();
        std::fs::write(&source.path, (1..4).map(line).collect::<String>()).unwrap();
        let last = survey.pairs().unwrap().last().unwrap();
        assert!(matches!(last, Err(ReadError::Changed { .. })), "{last:?}");
    }

    #[test]
    fn the_demo_is_surveyed_like_any_other_source() {
        let survey = Survey::demo();
        let pairs: Vec<Pair> = survey.pairs().unwrap().map(Result::unwrap).collect();
        assert_eq!(pairs, demo().pairs);
    }
}
