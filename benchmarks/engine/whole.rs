//! A whole evaluation three times: by this engine, over llama-server, and one call at a time.

use std::sync::Arc;

use widedeep::chat::{ChatModel, LocalModel};

use super::alternate::order;
use super::ask::{Judge, Judged, agreeing};
use super::page::Page;
use super::server::Server;
use super::setting::{Setting, WIDTH};
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

#[derive(Default, Clone)]
struct Sum {
    seconds: Vec<f64>,
    prompt: u64,
    evaluated: u64,
    completion: u64,
    calls: usize,
    same: usize,
    opinions: usize,
}

pub fn run(setting: &Setting) -> anyhow::Result<Page> {
    let columns = [
        "repeat",
        "place",
        "pair",
        "contestant",
        "seconds",
        "calls",
        "prompt",
        "evaluated",
        "reply",
    ];
    let mut page = Page::new("whole", setting, &columns);
    let judge = Judge::new(setting.network(WIDTH)?)?;
    let contestants = [
        Contestant::Engine(setting.load(&setting.config())?),
        Contestant::Server(Arc::new(Server::start(
            &setting.tools,
            &setting.model,
            &setting.model_name,
            setting.threads.get(),
        )?)),
        Contestant::Engine(setting.load(&setting.plain_config())?),
    ];
    // Pages of the model are read, threads are started.
    let shortest = setting.pairs.iter().min_by_key(|pair| super::setting::characters(pair));
    for contestant in contestants.iter().take(2) {
        if let Some(pair) = shortest {
            judge.judge(contestant.model(), pair)?;
        }
    }
    let mut sums = vec![Sum::default(); contestants.len()];
    for repeat in 0..setting.repeats {
        let mut totals = vec![0.0; contestants.len()];
        for (at, pair) in setting.pairs.iter().enumerate() {
            let mut judged: Vec<Option<Judged>> = contestants.iter().map(|_| None).collect();
            for (place, i) in order(contestants.len(), repeat + at).into_iter().enumerate() {
                let before = contestants[i].evaluated();
                let one = judge.judge(contestants[i].model(), pair)?;
                let (seconds, evaluated) = (one.took.as_secs_f64(), contestants[i].evaluated() - before);
                page.row(vec![
                    repeat.to_string(),
                    place.to_string(),
                    pair.index.to_string(),
                    NAMES[i].to_owned(),
                    format!("{seconds:.4}"),
                    one.calls.to_string(),
                    one.usage.prompt.to_string(),
                    evaluated.to_string(),
                    one.usage.completion.to_string(),
                ]);
                totals[i] += seconds;
                sums[i].calls += one.calls;
                sums[i].prompt += one.usage.prompt;
                sums[i].evaluated += evaluated;
                sums[i].completion += one.usage.completion;
                judged[i] = Some(one);
            }
            if let Some(ours) = &judged[0] {
                for (sum, one) in sums.iter_mut().zip(judged.iter().flatten()) {
                    sum.same += agreeing(&ours.scores, &one.scores);
                    sum.opinions += one.scores.len();
                }
            }
        }
        for (sum, total) in sums.iter_mut().zip(totals) {
            sum.seconds.push(total);
        }
    }
    say(&mut page, setting, &sums);
    Ok(page)
}

fn say(page: &mut Page, setting: &Setting, sums: &[Sum]) {
    let (pairs, repeats) = (setting.pairs.len(), setting.repeats);
    page.say(&format!(
        "{pairs} pairs, `widedeep` with {WIDTH} fixed roles, 2 orders, 2 layers, {} evidence tokens; {repeats} repeats, all contestants on a pair before the next \
         pair, in turns. Medians with least and most; tokens and calls are those of one repeat. *same scores*: opinions whose two scores are those of (a).\n",
        setting.evidence
    ));
    let n = repeats as u64;
    let rows: Vec<Vec<String>> = sums
        .iter()
        .zip(NAMES)
        .map(|(sum, name)| {
            let ratio = sum.seconds.iter().zip(&sums[0].seconds).map(|(one, ours)| one / ours);
            vec![
                name.to_owned(),
                format!("{:.1}", Spread::of(sum.seconds.iter().copied())),
                format!("{:.2}", Spread::of(ratio)),
                (sum.calls / repeats).to_string(),
                (sum.prompt / n).to_string(),
                (sum.evaluated / n).to_string(),
                (sum.completion / n).to_string(),
                format!("{} of {}", sum.same / repeats, sum.opinions / repeats),
            ]
        })
        .collect();
    let head = [
        "",
        "seconds",
        "ratio to (a)",
        "calls",
        "prompt tokens asked for",
        "evaluated",
        "reply tokens",
        "same scores",
    ];
    page.table(&head, &rows);
}
