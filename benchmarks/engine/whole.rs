//! A whole evaluation three times: by this engine, over llama-server, and one call at a time.
//!
//! It takes hours, so what is measured is written down pair by pair, and `--go-on` does what is missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use widedeep::chat::{ChatModel, LocalModel};
use widedeep::pair::Pair;

use super::alternate::order;
use super::ask::{Judge, Judged, agreeing, forget};
use super::machine::today;
use super::page::{Page, note};
use super::server::Server;
use super::setting::{Setting, WIDTH, characters};
use super::spread::Spread;

const NAMES: [&str; 3] = [
    "(a) this engine",
    "(b) llama-server",
    "(c) one call at a time, unshared",
];

enum Contestant {
    Engine(LocalModel),
    Server(Arc<Server>),
}

impl Contestant {
    fn model(&self) -> Arc<dyn ChatModel> {
        match self {
            Contestant::Engine(model) => Arc::new(model.clone()),
            Contestant::Server(server) => Arc::clone(server) as Arc<dyn ChatModel>,
        }
    }

    /// Prompt tokens evaluated so far.
    fn evaluated(&self) -> u64 {
        match self {
            Contestant::Engine(model) => model.stats().prompt_evaluated,
            Contestant::Server(server) => server.evaluated(),
        }
    }
}

/// A contestant on a pair, once: a line of `whole.csv`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    date: String,
    threads: usize,
    /// Tokens of evidence in a reply.
    evidence: usize,
    repeat: usize,
    /// When it had its turn on the pair.
    place: usize,
    pair: usize,
    contestant: String,
    seconds: f64,
    calls: usize,
    /// Prompt tokens asked for.
    prompt: u64,
    evaluated: u64,
    reply: u64,
    /// Opinions whose two scores are those of (a).
    same: usize,
    opinions: usize,
}

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let path = setting.out.as_ref().map(|folder| folder.join("whole.csv"));
    let mut rows = match &path {
        Some(path) if setting.go_on && path.exists() => read(path, setting)?,
        _ => Vec::new(),
    };
    let judge = Judge::new(setting.network(WIDTH)?)?;
    let mut engines: Option<[Contestant; 2]> = None;
    for repeat in 0..setting.repeats {
        let missing = |(_, pair): &(usize, &Pair)| {
            let done = |row: &Row| row.repeat == repeat && row.pair == pair.index;
            !rows.iter().any(done)
        };
        let missing: Vec<(usize, &Pair)> = setting.pairs.iter().enumerate().filter(missing).collect();
        if missing.is_empty() {
            continue;
        }
        let engines = match &engines {
            Some(ready) => ready,
            None => engines.insert(self::engines(setting, &judge)?),
        };
        // Started anew: it keeps prompts, and would know a pair from the repeat before.
        let server = Contestant::Server(Arc::new(Server::start(setting)?));
        warm(setting, &judge, &server)?;
        let contestants = [&engines[0], &server, &engines[1]];
        for (at, pair) in missing {
            rows.extend(measure(setting, &judge, contestants, repeat, at, pair)?);
            if let Some(path) = &path {
                write(path, &rows)?;
            }
        }
    }
    let mut page = Page::new("whole", setting, &[]);
    say(&mut page, setting, &rows);
    Ok(page)
}

/// Our own two, loaded. The second is not warmed: it is the first's twin, whose threads and kernels are the same, and keeps nothing.
fn engines(setting: &Setting, judge: &Judge) -> anyhow::Result<[Contestant; 2]> {
    let ours = Contestant::Engine(setting.load(&setting.config())?);
    warm(setting, judge, &ours)?;
    Ok([ours, Contestant::Engine(setting.load(&setting.plain_config())?)])
}

/// Uses a contestant once, so that pages of the model are read and threads are started: with a pair that is not measured, since its cache would know it.
fn warm(setting: &Setting, judge: &Judge, contestant: &Contestant) -> anyhow::Result<()> {
    let other = |pair: &&Pair| setting.pairs.iter().all(|listed| listed.index != pair.index);
    let pairs = setting.benchmark.iter().filter(other);
    if let Some(pair) = pairs.min_by_key(|pair| characters(pair)) {
        judge.judge(contestant.model(), pair)?;
    }
    Ok(())
}

/// All contestants on a pair, in turns.
fn measure(
    setting: &Setting,
    judge: &Judge,
    contestants: [&Contestant; 3],
    repeat: usize,
    at: usize,
    pair: &Pair,
) -> anyhow::Result<Vec<Row>> {
    let mut judged: Vec<(usize, Judged, Row)> = Vec::new();
    for (place, i) in order(contestants.len(), repeat + at).into_iter().enumerate() {
        if let Contestant::Engine(model) = contestants[i] {
            forget(model)?;
        }
        let before = contestants[i].evaluated();
        let one = judge.judge(contestants[i].model(), pair)?;
        let row = Row {
            date: today(),
            threads: setting.threads.get(),
            evidence: setting.evidence,
            repeat,
            place,
            pair: pair.index,
            contestant: NAMES[i].to_owned(),
            seconds: (one.took.as_secs_f64() * 1e4).round() / 1e4,
            calls: one.calls,
            prompt: one.usage.prompt,
            evaluated: contestants[i].evaluated() - before,
            reply: one.usage.completion,
            same: 0,
            opinions: one.scores.len(),
        };
        note(&format!(
            "repeat {repeat}, pair {}, {}: {:.1} s",
            pair.index, row.contestant, row.seconds
        ));
        judged.push((i, one, row));
    }
    judged.sort_by_key(|(i, ..)| *i);
    let ours = judged[0].1.scores.clone();
    Ok(judged
        .into_iter()
        .map(|(_, one, row)| Row {
            same: agreeing(&ours, &one.scores),
            ..row
        })
        .collect())
}

fn read(path: &Path, setting: &Setting) -> anyhow::Result<Vec<Row>> {
    let rows: Result<Vec<Row>, csv::Error> = csv::Reader::from_path(path)?.deserialize().collect();
    let rows = rows.with_context(|| format!("`{}` is of another kind: move it away", path.display()))?;
    let other = |row: &&Row| (row.threads, row.evidence) != (setting.threads.get(), setting.evidence);
    if let Some(row) = rows.iter().find(other) {
        anyhow::bail!(
            "`{}` was measured with --threads {} --evidence {}: give the same, or move it away",
            path.display(),
            row.threads,
            row.evidence
        );
    }
    Ok(rows)
}

fn write(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut table = csv::Writer::from_path(path)?;
    for row in rows {
        table.serialize(row)?;
    }
    Ok(table.flush()?)
}

fn say(page: &mut Page, setting: &Setting, rows: &[Row]) {
    let (pairs, repeats) = (setting.pairs.len(), setting.repeats);
    let dates: BTreeSet<&str> = rows.iter().map(|row| row.date.as_str()).collect();
    page.say(&format!(
        "{pairs} pairs, `widedeep` with {WIDTH} fixed roles, 2 orders, 2 layers, {} evidence tokens; {repeats} repeats, each with a new llama-server, all contestants on a pair before the next \
         pair, in turns; measured on {}. Medians with least and most; *per pair* is over every pair of every repeat. Tokens and calls are those of one repeat. *same scores*: \
         opinions whose two scores are those of (a).\n",
        setting.evidence,
        dates.into_iter().collect::<Vec<_>>().join(", ")
    ));
    let of = |name: &str| -> Vec<&Row> {
        let wanted = rows.iter().filter(|row| row.contestant == name && row.repeat < repeats);
        wanted
            .filter(|row| setting.pairs.iter().any(|pair| pair.index == row.pair))
            .collect()
    };
    let total = |rows: &[&Row], repeat: usize| -> f64 {
        let mine = rows.iter().filter(|row| row.repeat == repeat);
        mine.map(|row| row.seconds).sum()
    };
    let ours = of(NAMES[0]);
    let n = repeats as u64;
    let table: Vec<Vec<String>> = NAMES
        .iter()
        .map(|name| {
            let rows = of(name);
            let seconds = (0..repeats).map(|repeat| total(&rows, repeat));
            let ratios = (0..repeats).map(|repeat| total(&rows, repeat) / total(&ours, repeat));
            let each = rows.iter().filter_map(|row| {
                let own = ours
                    .iter()
                    .find(|own| own.repeat == row.repeat && own.pair == row.pair)?;
                Some(row.seconds / own.seconds)
            });
            let sum = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row)).sum::<u64>() / n;
            vec![
                (*name).to_owned(),
                format!("{:.1}", Spread::of(seconds)),
                format!("{:.2}", Spread::of(ratios)),
                format!("{:.2}", Spread::of(each)),
                sum(|row| row.calls as u64).to_string(),
                sum(|row| row.prompt).to_string(),
                sum(|row| row.evaluated).to_string(),
                sum(|row| row.reply).to_string(),
                format!("{} of {}", sum(|row| row.same as u64), sum(|row| row.opinions as u64)),
            ]
        })
        .collect();
    let head = [
        "",
        "seconds",
        "ratio to (a)",
        "per pair",
        "calls",
        "prompt tokens asked for",
        "evaluated",
        "reply tokens",
        "same scores",
    ];
    page.table(&head, &table);
}
