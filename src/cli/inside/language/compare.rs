//! `widedeep inside language compare`.

use std::path::{Path, PathBuf};

use widedeep::inside::language::{
    Class, Comparison, Identified, Transfer, compare, figures, files, identify, tables, transfer,
};

use super::flags::{MethodFlags, out};
use super::identify::counts;
use super::show;
use crate::cli::{Failure, failed, input, say};

/// Compare the units of two models, such as one before and after alignment
///
/// Both are identified from their counts with the same method: once each with its own lambda and bar, and once the second with the first one's, since the paper
/// (arXiv 2505.21505) does not say which it did. The results are in OUT/own and OUT/fixed: comparison.json, changes.csv (units that stayed, became or
/// ceased, by class and language), transitions.csv, layers.csv, numbers.csv, overlap.csv and overlap.svg; with --trained, transfer.csv and transfer.json.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  widedeep inside language compare base/counts.npy aligned/counts.npy --trained zh,de --pivot en --out comparison")]
pub(crate) struct Arguments {
    /// Counts of the first model
    before: PathBuf,

    /// Counts of the second model, over the same languages
    after: PathBuf,

    /// Languages, in this order [default: all that were counted]
    #[arg(long, value_name = "LANGUAGE,…", value_delimiter = ',')]
    languages: Vec<String>,

    /// Languages that the second model was trained on: what became of the others
    #[arg(long, value_name = "LANGUAGE,…", value_delimiter = ',')]
    trained: Vec<String>,

    /// The language that these were aligned to, which counts neither as trained nor as another
    #[arg(long, value_name = "LANGUAGE", requires = "trained")]
    pivot: Option<String>,

    #[command(flatten)]
    method: MethodFlags,

    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let before = counts(&arguments.before, None, &arguments.languages)?;
    let after = counts(&arguments.after, None, &arguments.languages)?;
    let method = arguments.method.method();
    let first = identify(&before, method).map_err(input)?;
    let own = identify(&after, method).map_err(input)?;
    let fixed = identify(&after, first.fixed()).map_err(input)?;
    let mut written = Vec::new();
    for (name, title, second) in [
        ("own", "each with its own lambda and bar", &own),
        ("fixed", "both with the first one's lambda and bar", &fixed),
    ] {
        let comparison = compare(&first, second).map_err(input)?;
        let transferred = arguments.transfer(&first, second)?;
        let lambda = |identified: &Identified| {
            identified
                .lambda()
                .map_or_else(|| "–".to_owned(), |lambda| lambda.to_string())
        };
        say(&format!(
            "{title}: lambda {} and {}, bar {:.6} and {:.6}\n\n{}{}\n",
            lambda(&first),
            lambda(second),
            first.threshold(),
            second.threshold(),
            summary(&comparison),
            transferred.as_ref().map_or_else(String::new, told)
        ))?;
        let folder = arguments.out.join(name);
        out(&folder)?;
        write(&comparison, transferred.as_ref(), &folder, &mut written)?;
    }
    show::wrote(&written);
    Ok(())
}

impl Arguments {
    fn transfer(&self, first: &Identified, second: &Identified) -> Result<Option<Transfer>, Failure> {
        if self.trained.is_empty() {
            return Ok(None);
        }
        transfer(first, second, &self.trained, self.pivot.as_deref())
            .map(Some)
            .map_err(input)
    }
}

fn summary(comparison: &Comparison) -> String {
    let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let row = |name: &str, flow: &widedeep::inside::language::Flow| {
        vec![
            name.to_owned(),
            flow.before().to_string(),
            flow.after().to_string(),
            flow.stayed.len().to_string(),
            flow.became.len().to_string(),
            flow.ceased.len().to_string(),
            percent(flow.kept()),
        ]
    };
    let classes = comparison
        .classes
        .iter()
        .map(|change| row(change.class.name(), &change.flow));
    let languages = comparison
        .languages
        .iter()
        .map(|change| row(&change.language, &change.set));
    let head = ["units", "before", "after", "stayed", "became", "ceased", "kept"];
    let places = || Class::ALL.map(Some).into_iter().chain([None]);
    let name = |class: Option<Class>| class.map_or("none", Class::name);
    let transitions = places().map(|before| {
        let counts = places().map(|after| comparison.transitions.count(before, after).to_string());
        std::iter::once(name(before).to_owned()).chain(counts).collect()
    });
    format!(
        "{}\n\n{}",
        show::table(&head, 1, classes.chain(languages)),
        show::table(
            &["from / to", "specific", "related", "agnostic", "none"],
            1,
            transitions
        )
    )
}

fn told(transfer: &Transfer) -> String {
    let group = |name: &str, means: &widedeep::inside::language::transfer::Means| {
        format!(
            "\n{name} languages ({}): {:+.1} specific and {:+.1} related units on average, {:.1} newly shared with a trained language",
            means.languages, means.specific, means.related, means.newly_shared
        )
    };
    let others = transfer
        .untrained
        .as_ref()
        .map_or_else(String::new, |means| group("other", means));
    format!("\n{}{others}", group("trained", &transfer.trained))
}

fn write(
    comparison: &Comparison,
    transfer: Option<&Transfer>,
    folder: &Path,
    written: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let mut file = |name: &str| {
        let path = folder.join(name);
        written.push(path.clone());
        path
    };
    files::json(&file("comparison.json"), comparison).map_err(failed)?;
    tables::changes(&file("changes.csv"), comparison).map_err(failed)?;
    tables::transitions(&file("transitions.csv"), comparison).map_err(failed)?;
    tables::layer_changes(&file("layers.csv"), comparison).map_err(failed)?;
    tables::number_changes(&file("numbers.csv"), comparison).map_err(failed)?;
    tables::overlap(&file("overlap.csv"), &comparison.overlap).map_err(failed)?;
    if let Some(transfer) = transfer {
        tables::transfer(&file("transfer.csv"), transfer).map_err(failed)?;
        files::json(&file("transfer.json"), transfer).map_err(failed)?;
    }
    show::figure(folder, "overlap.svg", figures::overlap(&comparison.overlap), written)
}
