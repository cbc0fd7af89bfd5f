//! Every unit's activity on every text.
//!
//! A *profile* holds one number per unit of the model for one text (spec §4.2). Profiles are appended to a file as they are made, so that an interrupted run goes on where it stopped; NumPy opens the file when it is
//! complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::functions::Functions;
use super::{MasonryError, Progress};
use crate::inside::bricks::Matrix;
use crate::inside::bricks::export::write_json;
use crate::inside::bricks::specialise::{Aggregate, Aggregation};
use crate::llama::{Block, Ffn, Model, Reads, Reducer, Source, Speaker, Tap, Token, Turn};

/// The format of `profiles.json`; files of another version are made anew.
const VERSION: u32 = 1;

/// How a text is put to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presentation {
    /// As a user's turn, in the model's chat template: what the paper does.
    Chat,
    /// As it is.
    Plain,
}

impl Presentation {
    /// Tokens of a text, cut to `most`.
    pub fn tokens(self, model: &Model, text: &str, most: usize) -> Result<Vec<Token>, MasonryError> {
        let mut tokens = match self {
            Self::Chat => model.prompt(&[Turn {
                speaker: Speaker::User,
                content: text.to_owned(),
            }])?,
            Self::Plain => model.tokens(text),
        };
        tokens.truncate(most);
        Ok(tokens)
    }
}

/// What decides about profiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Key {
    version: u32,
    /// BLAKE3 of the model's file.
    model: String,
    /// BLAKE3 of the texts.
    texts: String,
    presentation: Presentation,
    aggregation: Aggregation,
    instances: usize,
    layers: usize,
    units: usize,
}

/// Profiles of all texts, `[instances][layers · units]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiles {
    units: usize,
    rows: Matrix<f32>,
}

impl Profiles {
    /// One layer's part, `[instances][units]`.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> Matrix<f32> {
        let first = layer * self.units;
        Matrix::from_fn(self.rows.rows(), self.units, |row, unit| {
            self.rows.at(row, first + unit)
        })
    }

    /// All units of all layers, `[instances][layers · units]`.
    pub fn all(&self) -> &Matrix<f32> {
        &self.rows
    }

    /// Units of a layer.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Layers.
    pub fn layers(&self) -> usize {
        self.rows.columns() / self.units.max(1)
    }
}

/// Aggregates each layer's tokens of one text.
struct Profiler {
    source: Source,
    layers: Vec<Aggregate>,
}

impl Profiler {
    fn new(ffn: &Ffn, aggregation: Aggregation) -> Self {
        let source = match aggregation {
            // ReLU of what goes into the activation function.
            Aggregation::MaximumPositive if ffn.gate == crate::llama::Gate::Absent => Source::Up,
            Aggregation::MaximumPositive => Source::Gate,
            Aggregation::MeanAbsolute | Aggregation::LastAbsolute => Source::Z,
        };
        Self {
            source,
            layers: vec![Aggregate::new(aggregation, ffn.units); ffn.layers],
        }
    }
}

impl Reducer for Profiler {
    fn reads(&self) -> Reads {
        self.source.reads()
    }

    fn block(&mut self, block: &Block<'_>) {
        let layer = &mut self.layers[block.layer];
        for row in block.values(self.source).chunks_exact(block.units) {
            // A block's rows have as many numbers as the layer has units.
            let _ = layer.push(row);
        }
    }
}

/// One text's profile. Position 0 is left out: it carries massive activations.
#[expect(clippy::cast_possible_truncation, reason = "means of 32-bit numbers, summed in f64")]
pub fn profile(tap: &mut Tap<'_>, tokens: &[Token], aggregation: Aggregation) -> Result<Vec<f32>, MasonryError> {
    let mut profiler = Profiler::new(tap.ffn(), aggregation);
    tap.read(tokens, 1, &mut profiler)?;
    let mut profile = Vec::with_capacity(tap.ffn().all_units());
    for layer in profiler.layers {
        let scores = layer.finish();
        let scores =
            scores.ok_or_else(|| MasonryError::Texts("a text of one token has no profile; leave it out".into()))?;
        profile.extend(scores.into_iter().map(|score| score as f32));
    }
    Ok(profile)
}

/// Profiles of all texts. They are kept in `folder` as `profiles.npy`, with `profiles.json` saying of what; those that are there already are taken from there.
pub fn profiles(
    tap: &mut Tap<'_>,
    functions: &Functions,
    presentation: Presentation,
    aggregation: Aggregation,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<Profiles, MasonryError> {
    let ffn = *tap.ffn();
    let key = Key {
        version: VERSION,
        model: tap.model().digest().to_owned(),
        texts: functions.hash(),
        presentation,
        aggregation,
        instances: functions.instances().len(),
        layers: ffn.layers,
        units: ffn.units,
    };
    let width = ffn.all_units();
    let mut store = Store::open(folder, &key, width)?;
    let total = functions.instances().len();
    let mut values = store.before()?;
    let done = values.len() / width;
    progress(done, total);
    let most = tap.context();
    for (nth, instance) in functions.instances().iter().enumerate().skip(done) {
        let tokens = presentation.tokens(tap.model(), &instance.text, most)?;
        let row = profile(tap, &tokens, aggregation)?;
        store.append(&row)?;
        values.extend(row);
        progress(nth + 1, total);
    }
    Ok(Profiles {
        units: ffn.units,
        rows: Matrix::new(total, width, values)?,
    })
}

/// The file of profiles, open at its end.
struct Store {
    path: std::path::PathBuf,
    file: File,
    header: u64,
    row: u64,
}

impl Store {
    fn open(folder: &Path, key: &Key, width: usize) -> Result<Self, MasonryError> {
        let (path, about) = (folder.join("profiles.npy"), folder.join("profiles.json"));
        let known = fs::read_to_string(&about).ok();
        let same = known.and_then(|text| serde_json::from_str::<Key>(&text).ok()).as_ref() == Some(key);
        let header = npy_header(key.instances, width);
        let failed = stored(&path);
        let open = || -> io::Result<File> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)?;
            let mut begins = vec![0; header.len()];
            let intact = same && file.read_exact(&mut begins).is_ok() && begins == header;
            if !intact {
                file.set_len(0)?;
                file.rewind()?;
                file.write_all(&header)?;
            }
            Ok(file)
        };
        let file = open().map_err(&failed)?;
        // After the numbers of another key are gone, before the first of this one.
        write_json(&about, key)?;
        Ok(Self {
            path,
            file,
            header: header.len() as u64,
            row: 4 * width as u64,
        })
    }

    /// The numbers that are there; a row that was cut off is dropped.
    fn before(&mut self) -> Result<Vec<f32>, MasonryError> {
        let failed = stored(&self.path);
        let mut read = || -> io::Result<Vec<u8>> {
            let length = self.file.metadata()?.len();
            let rows = (length - self.header) / self.row;
            self.file.set_len(self.header + rows * self.row)?;
            self.file.seek(SeekFrom::Start(self.header))?;
            let mut bytes = Vec::new();
            self.file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(failed)?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
    }

    fn append(&mut self, row: &[f32]) -> Result<(), MasonryError> {
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.file.write_all(&bytes).map_err(stored(&self.path))
    }
}

/// Version 1.0 of NumPy's format: a dictionary padded to a multiple of 64 bytes.
fn npy_header(rows: usize, columns: usize) -> Vec<u8> {
    let mut dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let before = 10;
    while (before + dictionary.len() + 1) % 64 != 0 {
        dictionary.push(' ');
    }
    dictionary.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(u16::try_from(dictionary.len()).unwrap_or(u16::MAX).to_le_bytes());
    header.extend(dictionary.into_bytes());
    header
}

fn stored(path: &Path) -> impl Fn(io::Error) -> MasonryError + use<> {
    let path = path.to_owned();
    move |source| MasonryError::Store {
        path: path.clone(),
        source,
    }
}
