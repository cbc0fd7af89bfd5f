//! What removing a function's units costs on every function (spec §4.5).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::functions::Functions;
use super::profiles::Presentation;
use super::{MasonryError, Progress};
use crate::inside::bricks::UnitSet;
use crate::inside::bricks::export::write_json;
use crate::inside::bricks::prune::{PruningTable, Removal, perplexity};
use crate::inside::edit::live;
use crate::llama::Tap;

const VERSION: u32 = 1;

/// What was measured: sums of negative log-probabilities and tokens, by removal and function.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Journal {
    version: u32,
    /// The model, the texts and how they are put.
    key: String,
    /// By the hash of the removed units: `(nats, tokens)` for every function.
    cells: BTreeMap<String, Vec<(f64, usize)>>,
}

/// Measures the perplexity of `texts` (numbers of instances) by function, whole and without the units of each removal, which are silenced while the model runs. What is measured is kept in
/// `folder` as `pruning-cells.json` after each removal, and taken from there the next time.
pub fn prune(
    tap: &mut Tap<'_>,
    functions: &Functions,
    texts: &[usize],
    presentation: Presentation,
    removals: Vec<Removal>,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<PruningTable, MasonryError> {
    let path = folder.join("pruning-cells.json");
    let chosen: Vec<String> = texts.iter().map(ToString::to_string).collect();
    let hashed = blake3::hash(chosen.join(",").as_bytes()).to_hex();
    let key = format!(
        "{}/{}/{hashed}/{presentation:?}",
        tap.model().digest(),
        functions.hash()
    );
    let mut journal = read(&path, &key);
    let total = removals.len() + 1;
    let mut measured = Vec::new();
    let mut original = Vec::new();
    let all = std::iter::once(None).chain(removals.into_iter().map(Some));
    for (nth, removal) in all.enumerate() {
        progress(nth, total);
        let units = removal
            .as_ref()
            .map(|removal| removal.units.clone())
            .unwrap_or_default();
        let name = name(&units);
        if !journal.cells.contains_key(&name) {
            tap.set_edits(&[live(&units, 0.0)])?;
            let sums = sums(tap, functions, texts, presentation)?;
            journal.cells.insert(name.clone(), sums);
            write_json(&path, &journal)?;
        }
        let cells = journal.cells.get(&name).map(Vec::as_slice).unwrap_or_default();
        let row = cells
            .iter()
            .map(|&(nats, tokens)| perplexity(nats, tokens).unwrap_or(f64::NAN));
        match removal {
            Some(removal) => measured.push((removal, row.collect())),
            None => original = row.collect(),
        }
    }
    tap.set_edits(&[])?;
    progress(total, total);
    Ok(PruningTable::new(functions.names().to_vec(), original, measured)?)
}

/// `(nats, tokens)` by function, with the tap as it is.
pub fn sums(
    tap: &mut Tap<'_>,
    functions: &Functions,
    texts: &[usize],
    presentation: Presentation,
) -> Result<Vec<(f64, usize)>, MasonryError> {
    let mut sums = vec![(0.0, 0); functions.names().len()];
    let most = tap.context();
    for &nth in texts {
        let instance = &functions.instances()[nth];
        let tokens = presentation.tokens(tap.model(), &instance.text, most)?;
        let found = tap.perplexity(&tokens)?;
        let (nats, count) = &mut sums[instance.function];
        *nats += found.nats * found.tokens as f64;
        *count += found.tokens;
    }
    Ok(sums)
}

fn read(path: &Path, key: &str) -> Journal {
    let known = fs::read_to_string(path).ok();
    let journal: Option<Journal> = known.and_then(|text| serde_json::from_str(&text).ok());
    journal
        .filter(|journal| journal.version == VERSION && journal.key == key)
        .unwrap_or_else(|| Journal {
            version: VERSION,
            key: key.to_owned(),
            cells: BTreeMap::new(),
        })
}

fn name(units: &UnitSet) -> String {
    let mut hasher = blake3::Hasher::new();
    for unit in units.iter() {
        hasher.update(&(unit.layer as u64).to_le_bytes());
        hasher.update(&(unit.index as u64).to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
