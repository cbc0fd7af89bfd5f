//! `widedeep inside language identify`.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use widedeep::inside::language::published::Header;
use widedeep::inside::language::{Classes, Counts, Identified, Overlap, figures, files, identify, jaccard, tables};

use super::flags::{MethodFlags, out};
use super::{parts, show};
use crate::cli::{Failure, failed, input, note, say};

/// Identify the units of each language from counts
///
/// A unit that belongs to one language is specific to it, one of several languages is related to them, one that is active in all of them is agnostic. Writes
/// units.json, which the other commands read; units.csv, layers.csv, languages.csv and overlap.csv; classes.json; and figures of units per layer, units per
/// layer and language, and the overlap of languages.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep inside language identify counts/counts.npy --halves counts/even.npy counts/odd.npy --out units
  widedeep inside language identify counts/counts.npy --method lape --out lape
  widedeep inside language identify counts.u32le.bin --header header.json --lambda 0.109375 --out published")]
pub(crate) struct Arguments {
    /// Counts, as `count` writes them; with --header, integers of 32 bits with nothing else
    counts: PathBuf,

    /// JSON header of published counts: `languages`, `num_layers`, `neurons_per_layer`, `response_tokens`
    #[arg(long, value_name = "FILE")]
    header: Option<PathBuf>,

    /// Languages, in this order [default: all that were counted]; which units a language has depends on the ones beside it
    #[arg(long, value_name = "LANGUAGE,…", value_delimiter = ',')]
    languages: Vec<String>,

    /// Counts of two halves of the text, each identified too: how much of the result both agree on
    #[arg(long, num_args = 2, value_names = ["EVEN", "ODD"])]
    halves: Option<Vec<PathBuf>>,

    #[command(flatten)]
    method: MethodFlags,

    /// Folder for the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let counts = counts(&arguments.counts, arguments.header.as_deref(), &arguments.languages)?;
    let identified = identify(&counts, arguments.method.method()).map_err(input)?;
    out(&arguments.out)?;
    let classes = identified.tally();
    say(&summary(&identified, &classes))?;
    if let Some(halves) = &arguments.halves {
        say(&arguments.agreement(halves)?)?;
    }
    remarks(&identified);
    write(&identified, &classes, &arguments.out)
}

/// Counts of a file, of the languages named.
pub(super) fn counts(path: &Path, header: Option<&Path>, languages: &[String]) -> Result<Counts, Failure> {
    let counts = match header {
        None => Counts::read(path).map_err(input)?,
        Some(header) => {
            let header = Header::read(header).map_err(input)?;
            let context = || format!("failed to read `{}`", path.display());
            let file = File::open(path).map_err(|error| input(anyhow::Error::from(error).context(context())))?;
            header
                .counts(std::io::BufReader::new(file))
                .map_err(|error| input(anyhow::Error::from(error).context(context())))?
        }
    };
    if languages.is_empty() {
        return Ok(counts);
    }
    counts.only(languages).ok_or_else(|| {
        let known: Vec<&str> = counts
            .languages()
            .iter()
            .map(widedeep::inside::language::LanguageCounts::name)
            .collect();
        input(anyhow::anyhow!(
            "`{}` holds counts of {}, not of all of {}: name languages that were counted",
            path.display(),
            known.join(", "),
            languages.join(", ")
        ))
    })
}

impl Arguments {
    fn agreement(&self, halves: &[PathBuf]) -> Result<String, Failure> {
        let mut results = Vec::new();
        for half in halves {
            let counts = counts(half, None, &self.languages)?;
            results.push(identify(&counts, self.method.method()).map_err(input)?);
        }
        let [even, odd] = &results[..] else {
            return Err(input(anyhow::anyhow!("`--halves` takes two files of counts")));
        };
        Ok(jaccard(even, odd).map_or_else(
            || "\nneither half of the text yields any unit".to_owned(),
            |share| {
                format!(
                    "\nhalves of the text agree on {:.1} % of the pairs that either yields",
                    100.0 * share
                )
            },
        ))
    }
}

/// What was found, in numbers.
pub(super) fn summary(identified: &Identified, classes: &Classes) -> String {
    let rows = classes.languages.iter().map(|language| {
        vec![
            language.language.clone(),
            language.tokens.to_string(),
            language.specific.to_string(),
            language.related.to_string(),
            (language.specific + language.related).to_string(),
        ]
    });
    let table = show::table(&["language", "tokens", "specific", "related", "set"], 1, rows);
    let lambda = identified
        .lambda()
        .map_or_else(String::new, |lambda| format!(", lambda {lambda}"));
    let mut text = format!(
        "{table}\n\n{}{lambda}, bar {:.8}: {} of {} units selected, {} pairs of a unit and a language, {} agnostic units",
        identified.method().name(),
        identified.threshold(),
        identified.selected().len(),
        identified.shape().units(),
        identified.pairs(),
        classes.agnostic
    );
    let by_number: Vec<String> = classes
        .by_number
        .iter()
        .enumerate()
        .map(|(n, count)| format!("{n}: {count}"))
        .collect();
    let _ = write!(
        text,
        "\nselected units by number of languages  {}",
        by_number.join("  ")
    );
    if let Some(parts) = classes.parts() {
        let _ = write!(text, "\n{parts}");
    }
    text
}

fn remarks(identified: &Identified) {
    let thin: Vec<String> = identified
        .thin()
        .map(|language| format!("{} ({})", language.name, language.tokens))
        .collect();
    if !thin.is_empty() {
        note(&format!(
            "few tokens were counted of {}: these sets depend on chance; count more text, and see what `--halves` says",
            thin.join(", ")
        ));
    }
}

fn write(identified: &Identified, classes: &Classes, folder: &Path) -> Result<(), Failure> {
    let file = |name: &str| folder.join(name);
    let overlap = Overlap::within(identified);
    let divided = classes.parts();
    identified.write(&file("units.json")).map_err(failed)?;
    files::json(&file("classes.json"), classes).map_err(failed)?;
    tables::units(&file("units.csv"), identified).map_err(failed)?;
    tables::languages(&file("languages.csv"), classes).map_err(failed)?;
    tables::overlap(&file("overlap.csv"), &overlap).map_err(failed)?;
    let mut written = [
        "units.json",
        "classes.json",
        "units.csv",
        "languages.csv",
        "overlap.csv",
    ]
    .map(file)
    .to_vec();
    parts::write(classes, divided.as_ref(), folder, &mut written)?;
    show::figure(
        folder,
        "layers-by-language.svg",
        figures::layers_by_language(classes),
        &mut written,
    )?;
    show::figure(folder, "overlap.svg", figures::overlap(&overlap), &mut written)?;
    show::wrote(&written);
    Ok(())
}
