//! Stored runs, reduced to what comparing needs: one small row per pair.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CompareError, Terms, is_run, spending::Spent};
use crate::{
    network::{
        Opinion,
        aggregate::{Cell, Layers, Vote, conflict},
        score::PairSum,
    },
    pair::{Label, baseline},
    run::{DataSource, Judge, Judged, RunConfig, Store},
};

/// What one run says of one pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) label: Option<Label>,
    pub(super) verdict: Option<Label>,
    /// Single-sample verdicts for model1, model2 and tie.
    pub(super) votes: [u16; 3],
}

/// One run.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) seed: u64,
    /// Pairs that the run is of.
    pub(super) pairs: usize,
    /// Its finished pairs by their place in the data.
    pub(super) rows: BTreeMap<usize, Row>,
    pub(super) seen: Seen,
    pub(super) spent: Spent,
}

/// Counts over a run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) opinions: u64,
    pub(super) missing: u64,
    /// Verdicts for one of two responses of different length, and those for the longer.
    pub(super) by_length: [u64; 2],
    /// Calls that prefer one response, and those that prefer the one shown first.
    pub(super) by_position: [u64; 2],
}

/// The runs of one configuration.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) config: RunConfig,
    pub(super) runs: Vec<Run>,
}

/// Who a pair is.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: Option<String>,
    pub(super) dataset: String,
}

/// Everything that was read.
pub(super) struct Read {
    pub(super) data: DataSource,
    pub(super) groups: Vec<Group>,
    /// Filled where pairs are handed over: nothing else names them.
    pub(super) pairs: BTreeMap<usize, Known>,
}

impl Group {
    pub(super) fn has_opinions(&self) -> bool {
        matches!(self.config.judge, Judge::Network { .. })
    }

    /// Label and verdict of every run, for the pairs that have both everywhere.
    pub(super) fn decided(&self) -> BTreeMap<usize, (Label, Vec<Label>)> {
        let Some((first, others)) = self.runs.split_first() else {
            return BTreeMap::new();
        };
        let decided = first.rows.iter().filter_map(|(&pair, row)| {
            let mut verdicts = vec![row.verdict?];
            for run in others {
                verdicts.push(run.rows.get(&pair)?.verdict?);
            }
            Some((pair, (row.label?, verdicts)))
        });
        decided.collect()
    }
}

/// The runs in a folder: itself if it is one, or those in the folders that it holds, by name.
pub fn runs_in(folder: &Path) -> Result<Vec<PathBuf>, CompareError> {
    if is_run(folder) || !folder.is_dir() {
        // What is not there is told by whoever opens it.
        return Ok(vec![folder.to_owned()]);
    }
    let fault = |source| CompareError::Folder {
        folder: folder.to_owned(),
        source,
    };
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if is_run(&path) {
            runs.push(path);
        }
    }
    if runs.is_empty() {
        return Err(CompareError::NoRuns {
            folder: folder.to_owned(),
        });
    }
    runs.sort();
    Ok(runs)
}

pub(super) fn read(folders: &[PathBuf], terms: &Terms) -> Result<Read, CompareError> {
    let mut groups: Vec<(String, Group)> = Vec::new();
    let mut pairs = BTreeMap::new();
    let mut first: Option<(PathBuf, DataSource)> = None;
    for folder in folders {
        let store = Store::open(folder)?;
        let config = store.config().clone();
        match &first {
            Some((other, data)) if data.blake3 != config.data.blake3 => {
                return Err(CompareError::OtherData {
                    first: other.clone(),
                    second: folder.clone(),
                    data: [data.path.clone(), config.data.path],
                });
            }
            Some(_) => {}
            None => first = Some((folder.clone(), config.data.clone())),
        }
        let known = terms.hand_over.is_some().then_some(&mut pairs);
        let run = Run::of(folder, &store, terms, known)?;
        let key = key(&config);
        if let Some((_, group)) = groups.iter_mut().find(|(other, _)| *other == key) {
            if let Some(twin) = group.runs.iter().find(|other| other.seed == run.seed) {
                return Err(CompareError::Twice {
                    first: twin.folder.clone(),
                    second: run.folder,
                });
            }
            group.runs.push(run);
        } else {
            let group = Group {
                name: name(&config.judge),
                config,
                runs: vec![run],
            };
            groups.push((key, group));
        }
    }
    let (_, data) = first.ok_or_else(|| CompareError::NoRuns { folder: PathBuf::new() })?;
    let mut groups: Vec<Group> = groups.into_iter().map(|(_, group)| group).collect();
    tell_apart(&mut groups);
    for group in &mut groups {
        group.runs.sort_by_key(|run| run.seed);
    }
    Ok(Read { data, groups, pairs })
}

/// What runs of one configuration have in common.
fn key(config: &RunConfig) -> String {
    let mut config = config.clone();
    config.seed = 0;
    config.widedeep.clear();
    config.data.path.clear();
    serde_json::to_string(&config).unwrap_or_default()
}

/// `single@smollm2-135m`, `longer`.
fn name(judge: &Judge) -> String {
    match judge {
        Judge::Baseline(baseline) => baseline.name().to_owned(),
        Judge::Network { network, model, .. } => format!("{}@{}", network.name, short(&model.name)),
    }
}

/// A model's name as tables show it: of a file, its name; of an API model, what comes before its server.
fn short(model: &str) -> &str {
    if let Some(api) = model.strip_prefix("openai:") {
        return api.rsplit_once('@').map_or(api, |(name, _)| name);
    }
    let path = Path::new(model);
    match (path.extension(), path.file_stem().and_then(|stem| stem.to_str())) {
        (Some(extension), Some(stem)) if extension.eq_ignore_ascii_case("gguf") => stem,
        _ => model,
    }
}

/// Different configurations of one name are told apart by the folder of their first run.
fn tell_apart(groups: &mut [Group]) {
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    for group in groups {
        if names.iter().filter(|name| **name == group.name).count() > 1 {
            let folder = &group.runs[0].folder;
            group.name = format!("{} ({})", group.name, folder.display());
        }
    }
}

impl Run {
    fn of(
        folder: &Path,
        store: &Store,
        terms: &Terms,
        mut known: Option<&mut BTreeMap<usize, Known>>,
    ) -> Result<Self, CompareError> {
        let config = store.config();
        let cell = match &config.judge {
            Judge::Network { network, .. } => Some(network.aggregate.cell),
            Judge::Baseline(_) => None,
        };
        let mut rows = BTreeMap::new();
        let mut seen = Seen::default();
        store.each_judged(|judged| {
            rows.insert(judged.pair.index, seen.row(&judged, cell));
            if let Some(known) = known.as_deref_mut() {
                known.entry(judged.pair.index).or_insert_with(|| Known {
                    id: judged.pair.id.clone(),
                    dataset: judged.pair.dataset.clone(),
                });
            }
            Ok::<(), CompareError>(())
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            seed: config.seed,
            pairs: store.size()?,
            rows,
            seen,
            spent: Spent::of(store, &terms.tariff)?,
        })
    }
}

impl Seen {
    fn row(&mut self, judged: &Judged, cell: Option<Cell>) -> Row {
        if let (Some(verdict @ (Label::Model1 | Label::Model2)), longer @ (Label::Model1 | Label::Model2)) =
            (judged.verdict, baseline::longer(&judged.pair))
        {
            self.by_length[0] += 1;
            self.by_length[1] += u64::from(verdict == longer);
        }
        let mut row = Row {
            label: judged.pair.label,
            verdict: judged.verdict,
            votes: [0; 3],
        };
        let (Some(evaluation), Some(cell)) = (&judged.evaluation, cell) else {
            return row;
        };
        self.opinions += evaluation.opinions.len() as u64;
        self.missing += evaluation
            .opinions
            .iter()
            .filter(|opinion| opinion.missing.is_some())
            .count() as u64;
        let votes: Vec<Vote> = evaluation.opinions.iter().map(Opinion::vote).collect();
        let conflict = conflict(&votes, cell.reading);
        self.by_position[0] += (conflict.first_preferred + conflict.second_preferred) as u64;
        self.by_position[1] += conflict.first_preferred as u64;
        for verdict in single_verdicts(&votes, cell) {
            row.votes[Label::ALL.iter().position(|&label| label == verdict).unwrap_or(2)] += 1;
        }
        row
    }
}

/// What each call that takes part in the decision says on its own (spec section 11.1): scores that differ by anything are a preference.
fn single_verdicts(votes: &[Vote], cell: Cell) -> impl Iterator<Item = Label> {
    let scored = votes.iter().filter(move |vote| vote.pair(cell.reading).is_some());
    let last = scored.clone().map(|vote| vote.layer).max();
    scored
        .filter(move |vote| cell.layers == Layers::All || Some(vote.layer) == last)
        .filter_map(move |vote| vote.pair(cell.reading))
        .map(|pair| std::iter::once(pair).collect::<PairSum>().verdict())
}
