//! Threads on a quiet machine, and on one where another process burns a core.

use std::process::{Child, Command};
use std::time::Instant;

use serde_json::Value;
use widedeep::chat::LocalModel;
use widedeep::llama::{EngineConfig, Job, Sampling, Speaker, Step, Threads, Turn};

use super::alternate::order;
use super::limit::tool;
use super::page::Page;
use super::setting::Setting;
use super::spread::Spread;

/// Sequences that write at the same time.
const TOGETHER: usize = 8;
/// Tokens that each of them writes.
const REPLY: usize = 32;

/// A process that keeps a core busy.
struct Burner(Child);

impl Burner {
    fn start() -> anyhow::Result<Self> {
        Ok(Self(Command::new("sh").args(["-c", "while :; do :; done"]).spawn()?))
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

enum Contestant {
    Engine(LocalModel),
    /// llama-bench with so many threads, which wait for each other by spinning.
    Stock(usize),
}

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let columns = ["repeat", "machine", "contestant", "prefill tokens/s", "decode tokens/s"];
    let mut page = Page::new("busy", setting, &columns);
    let cores = setting.threads.get();
    let engine = |threads| -> anyhow::Result<Contestant> {
        let config = EngineConfig {
            threads,
            ..setting.config()
        };
        Ok(Contestant::Engine(setting.load(&config)?))
    };
    let one = std::num::NonZeroUsize::MIN;
    let contestants = [
        ("`--threads auto` (default)".to_owned(), engine(Threads::Auto)?),
        (format!("`--threads {cores}`"), engine(Threads::Fixed(setting.threads))?),
        ("`--threads 1`".to_owned(), engine(Threads::Fixed(one))?),
        (format!("llama-bench -t {cores}"), Contestant::Stock(cores)),
        ("llama-bench -t 1".to_owned(), Contestant::Stock(1)),
    ];
    let mut rates = vec![[const { Vec::new() }; 2]; contestants.len()];
    for repeat in 0..setting.repeats {
        for (state, machine) in ["quiet", "busy"].into_iter().enumerate() {
            let burner = (state == 1).then(Burner::start).transpose()?;
            for i in order(contestants.len(), repeat) {
                let (name, contestant) = &contestants[i];
                let rate = match contestant {
                    Contestant::Engine(model) => measure(model, 2 * repeat + state)?,
                    Contestant::Stock(threads) => stock(setting, *threads)?,
                };
                page.row(vec![
                    repeat.to_string(),
                    machine.to_owned(),
                    name.clone(),
                    format!("{:.1}", rate.0),
                    format!("{:.1}", rate.1),
                ]);
                rates[i][state].push(rate);
            }
            drop(burner);
        }
    }
    page.say(&format!(
        "Tokens per second, medians with least and most of {} repeats, in turns. The engine: a prompt of about 512 tokens, then {TOGETHER} sequences that write {REPLY} tokens \
         together. llama-bench: `-p 512 -n {REPLY}`, one sequence. Busy: a shell loop burns a core beside it.\n",
        setting.repeats
    ));
    let rows: Vec<Vec<String>> = contestants
        .iter()
        .zip(&rates)
        .map(|((name, _), [quiet, busy])| {
            let spread = |rates: &[(f64, f64)], which: fn(&(f64, f64)) -> f64| Spread::of(rates.iter().map(which));
            let share = |which: fn(&(f64, f64)) -> f64| {
                Spread::of(busy.iter().zip(quiet).map(|(busy, quiet)| which(busy) / which(quiet)))
            };
            vec![
                name.clone(),
                format!("{:.0}", spread(quiet, |rate| rate.0)),
                format!("{:.0}", spread(busy, |rate| rate.0)),
                format!("{:.2}", share(|rate| rate.0)),
                format!("{:.0}", spread(quiet, |rate| rate.1)),
                format!("{:.0}", spread(busy, |rate| rate.1)),
                format!("{:.2}", share(|rate| rate.1)),
            ]
        })
        .collect();
    page.table(
        &[
            "",
            "prefill, quiet",
            "busy",
            "busy / quiet",
            "decode, quiet",
            "busy",
            "busy / quiet",
        ],
        &rows,
    );
    Ok(page)
}

/// Prefill and decode rates of the engine; `report` gives every measurement a prompt of its own, since the last one's is still in the cache.
fn measure(model: &LocalModel, report: usize) -> anyhow::Result<(f64, f64)> {
    let engine = model.engine();
    let text = (0..45).fold(format!("Report {report}."), |text, i| {
        format!("{text} On day {i} the fox went out to look for grapes.")
    });
    let job = |ending: &str, reply: usize| -> anyhow::Result<Job> {
        let turns = [Turn {
            speaker: Speaker::User,
            content: format!("{text}{ending}"),
        }];
        let steps = [Step::Generate {
            max_tokens: reply,
            stop: Vec::new(),
        }];
        Ok(engine.job(
            engine.model().prompt(&turns)?,
            engine.model().script(&steps),
            Sampling::greedy(),
            report as u64,
        ))
    };
    let run = |jobs: Vec<Job>| -> anyhow::Result<(f64, u64, u64)> {
        let before = engine.stats();
        let clock = Instant::now();
        for reply in pollster::block_on(engine.submit(jobs)) {
            reply?;
        }
        let after = engine.stats();
        let evaluated = after.prompt_evaluated - before.prompt_evaluated;
        Ok((
            clock.elapsed().as_secs_f64(),
            evaluated,
            after.completion - before.completion,
        ))
    };
    let (seconds, evaluated, _) = run(vec![job("", 1)?])?;
    let prefill = evaluated as f64 / seconds;
    let jobs = (0..TOGETHER).map(|i| job(&format!(" Judge {i}: tell it on."), REPLY));
    let (seconds, evaluated, written) = run(jobs.collect::<anyhow::Result<_>>()?)?;
    Ok((prefill, written as f64 / (seconds - evaluated as f64 / prefill)))
}

fn stock(setting: &Setting, threads: usize) -> anyhow::Result<(f64, f64)> {
    let (threads, reply) = (threads.to_string(), REPLY.to_string());
    let said = tool(
        setting,
        "llama-bench",
        &["-p", "512", "-n", &reply, "-r", "1", "-o", "json", "-t", &threads],
    )?;
    let tests: Vec<Value> = serde_json::from_str(said.trim())?;
    let rate = |i: usize| tests[i]["avg_ts"].as_f64().unwrap_or(f64::NAN);
    Ok((rate(0), rate(1)))
}
