//! Texts that are labelled with the function they serve.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::MasonryError;
use crate::inside::bricks::specialise::{LabelError, Labels};

/// Small sets that come with the program: enough to try things out. Write or collect larger ones (500 to 1,000 per function) for results that count.
const SHIPPED: [(&str, &str); 5] = [
    ("code", include_str!("../../../prompts/functions/code.jsonl")),
    (
        "mathematics",
        include_str!("../../../prompts/functions/mathematics.jsonl"),
    ),
    ("prose", include_str!("../../../prompts/functions/prose.jsonl")),
    ("german", include_str!("../../../prompts/functions/german.jsonl")),
    ("dialogue", include_str!("../../../prompts/functions/dialogue.jsonl")),
];

/// A text and its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Index of the function.
    pub function: usize,
    /// The text.
    pub text: String,
}

/// Functions and their texts. Every function has texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Functions {
    names: Vec<String>,
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(alias = "text")]
    prompt: String,
    #[serde(alias = "function")]
    functionality: Option<String>,
}

impl Functions {
    /// The sets that come with the program.
    pub fn shipped() -> Result<Self, MasonryError> {
        let mut functions = Self::none();
        for (name, text) in SHIPPED {
            functions.lines(Path::new(name), text, Some(name))?;
        }
        Ok(functions)
    }

    /// A JSONL file whose lines have `prompt` (or `text`) and `functionality` (or `function`); or a folder, in which `NAME.jsonl` has lines with `prompt` and `NAME.txt` paragraphs, of
    /// the function NAME.
    pub fn read(path: &Path) -> Result<Self, MasonryError> {
        let mut functions = Self::none();
        if path.is_dir() {
            let mut files: Vec<PathBuf> = fs::read_dir(path)
                .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
                .map_err(failed(path))?;
            files.sort();
            for file in files {
                let name = file
                    .file_stem()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default()
                    .to_owned();
                match file.extension().and_then(|extension| extension.to_str()) {
                    Some("jsonl") => functions.lines(&file, &text_of(&file)?, Some(&name))?,
                    Some("txt") => functions.paragraphs(&text_of(&file)?, &name),
                    _ => {}
                }
            }
        } else {
            functions.lines(path, &text_of(path)?, None)?;
        }
        if functions.instances.is_empty() {
            return Err(MasonryError::Texts(format!(
                "`{}` holds no texts; give a JSONL file with `prompt` and `functionality`, or a folder of NAME.jsonl and NAME.txt",
                path.display()
            )));
        }
        Ok(functions)
    }

    /// Only these functions, in this order.
    pub fn only(&self, names: &[String]) -> Result<Self, MasonryError> {
        let mut chosen = Self::none();
        for name in names {
            let Some(function) = self.names.iter().position(|other| other == name) else {
                return Err(MasonryError::Texts(format!(
                    "there is no function `{name}`; there are {}",
                    self.names.join(", ")
                )));
            };
            let texts = self.instances.iter().filter(|instance| instance.function == function);
            texts.for_each(|instance| chosen.push(name, instance.text.clone()));
        }
        Ok(chosen)
    }

    /// As many texts of each function, drawn at random: those of the smallest one, and `most` at the most. The order within a function stays.
    #[must_use]
    pub fn balanced(&self, most: usize, seed: u64) -> Self {
        let counts = (0..self.names.len()).map(|function| self.of(function).len());
        let count = counts.min().unwrap_or(0).min(most);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut balanced = Self {
            names: self.names.clone(),
            instances: Vec::new(),
        };
        for function in 0..self.names.len() {
            let mut chosen = self.of(function);
            chosen.shuffle(&mut rng);
            chosen.truncate(count);
            chosen.sort_unstable();
            let texts = chosen.into_iter().map(|nth| self.instances[nth].clone());
            balanced.instances.extend(texts);
        }
        balanced
    }

    /// The functions' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// All texts.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The numbers of a function's texts.
    pub fn of(&self, function: usize) -> Vec<usize> {
        let all = self.instances.iter().enumerate();
        all.filter(|(_, instance)| instance.function == function)
            .map(|(nth, _)| nth)
            .collect()
    }

    /// The function of every text.
    pub fn labels(&self) -> Result<Labels, LabelError> {
        let of_instance = self.instances.iter().map(|instance| instance.function).collect();
        Labels::new(self.names.clone(), of_instance)
    }

    /// BLAKE3 over functions and texts, in hex.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for instance in &self.instances {
            for part in [&self.names[instance.function], &instance.text] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    fn none() -> Self {
        Self {
            names: Vec::new(),
            instances: Vec::new(),
        }
    }

    fn push(&mut self, name: &str, text: String) {
        let function = self.names.iter().position(|other| other == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        self.instances.push(Instance { function, text });
    }

    fn lines(&mut self, path: &Path, text: &str, name: Option<&str>) -> Result<(), MasonryError> {
        for (line, content) in (1..).zip(text.lines()) {
            if content.trim().is_empty() {
                continue;
            }
            let wrong = |problem: String| MasonryError::Line {
                path: path.to_owned(),
                line,
                problem,
            };
            let read: Line = serde_json::from_str(content).map_err(|error| {
                wrong(format!(
                    "{error}; a line is a JSON object with `prompt` and `functionality`"
                ))
            })?;
            let named = name.or(read.functionality.as_deref());
            let name = named.ok_or_else(|| wrong("it has no `functionality`".to_owned()))?;
            if read.prompt.trim().is_empty() {
                return Err(wrong("its `prompt` is empty".to_owned()));
            }
            self.push(name, read.prompt);
        }
        Ok(())
    }

    fn paragraphs(&mut self, text: &str, name: &str) {
        let text = text.replace("\r\n", "\n");
        for paragraph in text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
            self.push(name, paragraph.to_owned());
        }
    }
}

/// English prose that comes with the program, some hundred tokens.
pub fn sample_text() -> String {
    let shipped = Functions::shipped().unwrap_or_else(|_| Functions::none());
    let prose = shipped.names.iter().position(|name| name == "prose");
    let texts = prose.map(|function| shipped.of(function)).unwrap_or_default();
    let texts: Vec<&str> = texts.iter().map(|&nth| shipped.instances[nth].text.as_str()).collect();
    texts.join("\n\n")
}

fn text_of(path: &Path) -> Result<String, MasonryError> {
    fs::read_to_string(path).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> MasonryError + use<> {
    let path = path.to_owned();
    move |source| MasonryError::Read {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_shipped_sets_have_texts_enough_to_split() {
        let shipped = Functions::shipped().unwrap();
        assert_eq!(shipped.names().len(), 5);
        for function in 0..5 {
            assert!(shipped.of(function).len() >= 24, "{}", shipped.names()[function]);
        }
        let mut texts: Vec<&str> = shipped
            .instances()
            .iter()
            .map(|instance| instance.text.as_str())
            .collect();
        texts.sort_unstable();
        assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "each text stands once");
        assert!(sample_text().len() > 1000);
    }

    #[test]
    fn balancing_takes_as_many_of_each_and_is_repeatable() {
        let mut functions = Functions::none();
        for nth in 0..9 {
            functions.push(if nth % 3 == 0 { "few" } else { "many" }, nth.to_string());
        }
        let balanced = functions.balanced(10, 1);
        assert_eq!((balanced.of(0).len(), balanced.of(1).len()), (3, 3));
        assert_eq!(balanced, functions.balanced(10, 1));
        assert_eq!(functions.balanced(2, 1).instances().len(), 4);
        assert_ne!(balanced.hash(), functions.hash());
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = Functions::none()
            .lines(
                Path::new("x.jsonl"),
                "{\"prompt\": \"a\", \"function\": \"f\"}\n{\"prompt\": \"a\"}",
                None,
            )
            .unwrap_err();
        assert_eq!(error.to_string(), "`x.jsonl:2`: it has no `functionality`");
    }
}
