//! Results as CSV files.

use std::{collections::BTreeMap, path::Path};

use super::{
    classes::{Class, Classes},
    compare::Comparison,
    files::{WriteError, whole},
    identified::Identified,
    matrix::Matrix,
    overlap::Overlap,
    parts::Parts,
    steering::Share,
    transfer::{Role, Transfer},
    unit::Unit,
};

/// Writes rows of cells.
fn table(path: &Path, rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), WriteError> {
    whole(path, |file| -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(file);
        for row in rows {
            writer.write_record(row)?;
        }
        Ok(writer.flush()?)
    })
}

/// A row out of cells that can be shown.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($cell.to_string()),*] };
}

/// A number that may be missing: an empty cell.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Every selected unit with its class and languages, and every agnostic unit of the model: `layer,index,class,number,languages`. Languages are
/// separated by spaces; the class of a selected unit that belongs to none is empty.
pub fn units(path: &Path, identified: &Identified) -> Result<(), WriteError> {
    let classes = identified.classes();
    let all: Vec<usize> = (0..identified.languages().len()).collect();
    let agnostic = identified.agnostic().iter().map(|&unit| (unit, &all));
    let selected = identified
        .selected()
        .iter()
        .map(|assigned| (assigned.unit, &assigned.languages));
    let units: BTreeMap<Unit, &Vec<usize>> = agnostic.chain(selected).collect();
    let rows = units.into_iter().map(|(unit, languages)| {
        let names: Vec<&str> = languages
            .iter()
            .map(|&k| identified.languages()[k].name.as_str())
            .collect();
        let class = classes.get(&unit).map_or("", |class| class.name());
        row![unit.layer, unit.index, class, names.len(), names.join(" ")]
    });
    table(
        path,
        [row!["layer", "index", "class", "number", "languages"]]
            .into_iter()
            .chain(rows),
    )
}

/// Units per layer: `layer,part,specific,related,agnostic` and a column per language with the units of its set.
pub fn layers(path: &Path, classes: &Classes, parts: Option<&Parts>) -> Result<(), WriteError> {
    let mut head = row!["layer", "part", "specific", "related", "agnostic"];
    head.extend(classes.languages.iter().map(|language| language.language.clone()));
    let rows = classes.layers.iter().enumerate().map(|(nth, layer)| {
        let part = parts.map_or("", |parts| parts.name(nth));
        let mut row = row![nth, part, layer.specific, layer.related, layer.agnostic];
        row.extend(
            classes
                .languages
                .iter()
                .map(|language| language.layers[nth].to_string()),
        );
        row
    });
    table(path, [head].into_iter().chain(rows))
}

/// Units per language: `language,tokens,specific,related`.
pub fn languages(path: &Path, classes: &Classes) -> Result<(), WriteError> {
    let rows = classes.languages.iter();
    let rows = rows.map(|language| row![language.language, language.tokens, language.specific, language.related]);
    table(
        path,
        [row!["language", "tokens", "specific", "related"]]
            .into_iter()
            .chain(rows),
    )
}

/// Shared units: `language,size` and a column per language.
pub fn overlap(path: &Path, overlap: &Overlap) -> Result<(), WriteError> {
    let mut head = row!["language", "size"];
    head.extend(overlap.columns.iter().cloned());
    let rows = overlap.rows.iter().enumerate().map(|(nth, language)| {
        let mut row = row![language, overlap.sizes[nth]];
        row.extend(overlap.shared[nth].iter().map(ToString::to_string));
        row
    });
    table(path, [head].into_iter().chain(rows))
}

/// The matrix in long form: `silenced,evaluated,units,nll_change,perplexity_change,random_nll_change,random_draws`.
pub fn matrix(path: &Path, matrix: &Matrix) -> Result<(), WriteError> {
    let head = row![
        "silenced",
        "evaluated",
        "units",
        "nll_change",
        "perplexity_change",
        "random_nll_change",
        "random_draws"
    ];
    let rows = matrix.languages.iter().enumerate().flat_map(|(i, silenced)| {
        matrix.languages.iter().enumerate().map(move |(j, evaluated)| {
            let draws = matrix.controls[i].len();
            let sum: f64 = matrix.controls[i].iter().map(|draw| draw[j]).sum();
            let random = shown((draws > 0).then(|| sum / draws as f64));
            row![
                silenced,
                evaluated,
                matrix.units[i],
                matrix.nll[i][j],
                matrix.perplexity[i][j],
                random,
                draws
            ]
        })
    });
    table(path, [head].into_iter().chain(rows))
}

/// Languages before and after: a row per language and kind of set, with the class `set` for all of its units.
pub fn changes(path: &Path, comparison: &Comparison) -> Result<(), WriteError> {
    let head = row![
        "language", "class", "before", "after", "stayed", "became", "ceased", "kept"
    ];
    let flow = |language: &str, class: &str, flow: &super::compare::Flow| {
        let (stayed, became, ceased) = (flow.stayed.len(), flow.became.len(), flow.ceased.len());
        row![
            language,
            class,
            flow.before(),
            flow.after(),
            stayed,
            became,
            ceased,
            shown(flow.kept())
        ]
    };
    let classes = comparison
        .classes
        .iter()
        .map(|change| flow("all", change.class.name(), &change.flow));
    let languages = comparison.languages.iter().flat_map(|change| {
        let language = &change.language;
        let classes = [
            ("specific", &change.specific),
            ("related", &change.related),
            ("set", &change.set),
        ];
        classes.map(|(class, units)| flow(language, class, units))
    });
    table(path, [head].into_iter().chain(classes).chain(languages))
}

/// From class to class: `before` and a column per class after.
pub fn transitions(path: &Path, comparison: &Comparison) -> Result<(), WriteError> {
    let places = Class::ALL.map(Some).into_iter().chain([None]);
    let name = |class: Option<Class>| class.map_or("none", Class::name);
    let mut head = row!["before"];
    head.extend(places.clone().map(|class| name(class).to_owned()));
    let rows = places.clone().map(|before| {
        let mut row = row![name(before)];
        row.extend(
            places
                .clone()
                .map(|after| comparison.transitions.count(before, after).to_string()),
        );
        row
    });
    table(path, [head].into_iter().chain(rows))
}

/// Layers before and after.
pub fn layer_changes(path: &Path, comparison: &Comparison) -> Result<(), WriteError> {
    let mut head = row!["layer"];
    head.extend(
        Class::ALL
            .iter()
            .flat_map(|class| ["before", "after"].map(|when| format!("{}_{when}", class.name()))),
    );
    let rows = comparison.layers.iter().enumerate().map(|(nth, layer)| {
        let mut row = row![nth];
        row.extend(
            Class::ALL
                .iter()
                .flat_map(|&class| [layer.before, layer.after].map(|tally| tally.of(class).to_string())),
        );
        row
    });
    table(path, [head].into_iter().chain(rows))
}

/// Numbers of languages before and after: `languages,before,after`.
pub fn number_changes(path: &Path, comparison: &Comparison) -> Result<(), WriteError> {
    let rows = comparison
        .numbers
        .iter()
        .map(|change| row![change.languages, change.before, change.after]);
    table(path, [row!["languages", "before", "after"]].into_iter().chain(rows))
}

/// Trained and other languages: `language,role,specific,related,newly_shared`, changes in numbers of units.
pub fn transfer(path: &Path, transfer: &Transfer) -> Result<(), WriteError> {
    let role = |role| match role {
        Role::Trained => "trained",
        Role::Untrained => "untrained",
        Role::Pivot => "pivot",
    };
    let rows = transfer.languages.iter();
    let rows = rows.map(|one| {
        row![
            one.language,
            role(one.role),
            one.specific,
            one.related,
            one.newly_shared
        ]
    });
    table(
        path,
        [row!["language", "role", "specific", "related", "newly_shared"]]
            .into_iter()
            .chain(rows),
    )
}

/// What language came out: `units,language,outputs`, the language empty where none was sure.
pub fn shares(path: &Path, shares: &[Share]) -> Result<(), WriteError> {
    let rows = shares.iter().flat_map(|share| {
        let languages = share.languages.iter();
        let clear = languages.map(|(language, outputs)| row![share.condition, language, outputs]);
        clear.chain((share.unclear > 0).then(|| row![share.condition, "", share.unclear]))
    });
    table(path, [row!["units", "language", "outputs"]].into_iter().chain(rows))
}
