//! `widedeep inside language count`.

use std::path::{Path, PathBuf};

use widedeep::inside::language::counting::{self, Before, Counted, CountingError, Event};
use widedeep::inside::language::identified::FEW_TOKENS;
use widedeep::inside::language::{Corpus, Counts, LanguageCounts, Material, Origin, Sequences, gather};
use widedeep::llama::{Model, Tap};

use super::flags::{ModelFlags, RuleFlags, TextFlags, out};
use super::progress::Progress;
use super::show;
use crate::cli::{Failure, failed, input, note, say};

/// Count on how many tokens of each language every unit is active
///
/// Writes counts.npy, an array [language, layer, unit] of unsigned 32-bit integers that NumPy opens, and counts.json, which names its languages and tells how it
/// was counted. A language that is done is kept in OUT/languages: the same command goes on with the next after an interruption.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  widedeep inside language count texts --model gemma3-270m --out counts
  widedeep inside language count mgsm.json --part prefix --languages en,sw,th --out counts
  widedeep inside language count answers.jsonl --prefix subtraction --count-first --out as-in-the-paper")]
pub(crate) struct Arguments {
    #[command(flatten)]
    texts: TextFlags,

    #[command(flatten)]
    model: ModelFlags,

    #[command(flatten)]
    rule: RuleFlags,

    /// Count every other text apart too (even.npy and odd.npy): what is found in both halves is what the language, not chance, says
    #[arg(long)]
    halves: bool,

    /// Count languages again that are in the folder already
    #[arg(long)]
    again: bool,

    /// Folder for the counts
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let corpora = arguments.texts.corpora()?;
    let model = arguments.model.load()?;
    let halves: Vec<(&str, Vec<Corpus>)> = if arguments.halves {
        let (even, odd): (Vec<_>, Vec<_>) = corpora.into_iter().map(|corpus| corpus.halves().into()).unzip();
        both(&even, &odd)?;
        vec![("even", even), ("odd", odd)]
    } else {
        vec![("languages", corpora)]
    };
    let mut lots = Vec::new();
    for (name, corpora) in halves {
        let material = gather(corpora, &arguments.texts.languages).map_err(input)?;
        lots.push((name, arguments.sequences(&model, material)?));
    }
    out(&arguments.out)?;
    let name = Path::new(&arguments.model.model).file_stem().map_or_else(
        || arguments.model.model.clone(),
        |stem| match Path::new(&arguments.model.model).extension() {
            // A catalogue name such as `qwen2.5-coder` is no file with an extension.
            Some(extension) if extension == "gguf" => stem.to_string_lossy().into_owned(),
            _ => arguments.model.model.clone(),
        },
    );
    let origin = counting::origin(&model, &name, arguments.rule.rule()).map_err(failed)?;
    let all = || {
        lots.iter()
            .flat_map(|(_, languages)| languages.iter().map(|(_, sequences)| sequences))
    };
    let longest = all().map(Sequences::longest).max().unwrap_or(1);
    let mut tap = arguments.model.tap(&model, longest)?;
    let mut progress = Progress::new(all().map(Sequences::read).sum());
    let mut sum: Option<Counts> = None;
    let mut clamped = 0;
    for (name, languages) in &lots {
        let counted = arguments.count(&mut tap, &origin, name, languages, &mut progress)?;
        clamped += counted.clamped;
        sum = Some(match sum {
            Some(sum) => sum.plus(&counted.counts).map_err(failed)?,
            None => counted.counts,
        });
    }
    let (tokens, seconds) = progress.finish();
    let Some(counts) = sum else { return Ok(()) };
    let path = arguments.out.join("counts.npy");
    counts.write(&path).map_err(failed)?;
    say(&summary(&counts))?;
    if tokens > 0 {
        note(&format!(
            "read {tokens} tokens in {seconds:.1} s, {:.0} per second",
            tokens as f64 / seconds
        ));
    }
    remarks(all(), clamped);
    show::wrote(&[path.clone(), path.with_extension("json")]);
    Ok(())
}

impl Arguments {
    fn sequences(&self, model: &Model, material: Vec<Material>) -> Result<Vec<(Material, Sequences)>, Failure> {
        let budget = self.texts.tokens.map(|tokens| {
            // Each half counts half.
            if self.halves {
                tokens.get().div_ceil(2)
            } else {
                tokens.get()
            }
        });
        let sequences = material.into_iter().map(|material| {
            let sequences = Sequences::new(model, &material, self.rule.rule(), budget);
            sequences.map(|sequences| (material, sequences)).map_err(input)
        });
        sequences.collect()
    }

    fn count(
        &self,
        tap: &mut Tap<'_>,
        origin: &Origin,
        name: &str,
        languages: &[(Material, Sequences)],
        progress: &mut Progress,
    ) -> Result<Counted, Failure> {
        let before = if self.again { Before::Again } else { Before::Keep };
        let mut heard = |event: Event<'_>| match event {
            Event::Started { language, .. } => progress.at(language),
            Event::Read(tokens) => progress.read(tokens),
            Event::Done { .. } => {}
            Event::Kept { language } => {
                note(&format!("`{language}` is counted already"));
                let own = languages.iter().find(|(material, _)| material.language == language);
                progress.skip(own.map_or(0, |(_, sequences)| sequences.read()));
            }
        };
        let folder = self.out.join(name);
        let counted = counting::into_folder(tap, &folder, origin, languages, before, &mut heard).map_err(sorted)?;
        if self.halves {
            counted.counts.write(&self.out.join(name)).map_err(failed)?;
        }
        Ok(counted)
    }
}

/// Fails where a language is in one half only.
fn both(even: &[Corpus], odd: &[Corpus]) -> Result<(), Failure> {
    let has = |half: &[Corpus], language: &str| {
        half.iter()
            .any(|corpus| corpus.language == language && !corpus.samples.is_empty())
    };
    match even
        .iter()
        .find(|corpus| has(even, &corpus.language) && !has(odd, &corpus.language))
    {
        None => Ok(()),
        Some(corpus) => Err(input(anyhow::anyhow!(
            "language `{}` has a single text, which has no halves: give it more texts, or leave out `--halves`",
            corpus.language
        ))),
    }
}

/// Files of another run are the user's to clear away.
fn sorted(error: CountingError) -> Failure {
    match error {
        CountingError::Other { .. } | CountingError::Read(_) | CountingError::Counts(_) => input(error),
        CountingError::Tap { .. } | CountingError::Write(_) => failed(error),
    }
}

fn summary(counts: &Counts) -> String {
    let shape = counts.shape();
    let rows = counts.languages().iter().map(|language: &LanguageCounts| {
        let active: f64 = language.active().iter().map(|&count| f64::from(count)).sum();
        let possible = language.tokens() as f64 * shape.units() as f64;
        let never = language.active().iter().filter(|&&count| count == 0).count();
        vec![
            language.name().to_owned(),
            language.tokens().to_string(),
            format!("{:.1} %", 100.0 * active / possible),
            never.to_string(),
        ]
    });
    format!(
        "{}\n\n{}, {} units in all",
        show::table(
            &["language", "tokens", "active on average", "units never active"],
            1,
            rows
        ),
        shape,
        shape.units()
    )
}

/// What makes counts less exact or reliable than they look.
fn remarks<'a>(sequences: impl Iterator<Item = &'a Sequences>, clamped: usize) {
    let (mut thin, mut straddled) = (std::collections::BTreeMap::<&str, usize>::new(), 0);
    for own in sequences {
        *thin.entry(own.language()).or_default() += own.tokens();
        straddled += own.straddled();
    }
    let thin: Vec<&str> = thin
        .into_iter()
        .filter(|(_, tokens)| (*tokens as u64) < FEW_TOKENS)
        .map(|(language, _)| language)
        .collect();
    if !thin.is_empty() {
        note(&format!(
            "fewer than {FEW_TOKENS} tokens of {}: units identified from so few depend on chance; give more text",
            thin.join(", ")
        ));
    }
    if straddled > 0 {
        note(&format!(
            "in {straddled} texts one token holds the end of the prefix and the beginning of the response; it is not counted"
        ));
    }
    if clamped > 0 {
        note(&format!(
            "{clamped} counts of prefixes exceeded those of prefix and response together, and were clamped to them"
        ));
    }
}
