//! What runs cost: budgets that are never passed, estimates that hold, prices that change nothing but sums.

use std::time::Duration;

use rusqlite::Connection;
use snapbox::str;

use crate::folder::{Folder, SHORT_NETWORK, SHORT_PAIRS, text};
use crate::loopback::{Answer, Billed, Loopback, judge, pairs};

/// US dollars per million tokens.
const PROMPT: f64 = 400.0;
const COMPLETION: f64 = 1000.0;

fn usd(billed: Billed) -> f64 {
    (billed.prompt as f64 * PROMPT + billed.completion as f64 * COMPLETION) / 1e6
}

/// A price list for this server.
fn priced(folder: &Folder, server: &Loopback) {
    folder.write(
        "prices.toml",
        format!(
            "[[model]]\nname = \"{}\"\nprompt = {PROMPT}\ncompletion = {COMPLETION}\ndate = \"2026-11-24\"\nsource = \"test\"\n",
            server.name()
        ),
    );
}

/// One in five requests meets a server error, and is answered when it is sent again.
fn faulty() -> Loopback {
    Loopback::start(Duration::from_millis(1), |text, before| {
        let hash = text
            .bytes()
            .fold(3_u64, |hash, byte| hash.wrapping_mul(31) ^ u64::from(byte));
        if before == 0 && hash.is_multiple_of(5) {
            Answer::Error(503, "busy")
        } else {
            judge(text)
        }
    })
}

#[test]
fn a_budget_is_never_passed_whatever_fails_and_a_larger_one_goes_on_to_the_same_end() {
    let (folder, server) = (Folder::new(), faulty());
    folder.write("pairs.jsonl", pairs(12));
    priced(&folder, &server);
    let eval = |run: &str, more: &str| {
        folder.output(&format!(
            "eval pairs.jsonl --network single --set reply.max_tokens=200 --prices prices.toml --out {run} {} {more}",
            server.flags()
        ))
    };
    let free = eval("free", "");
    assert_eq!(free.status.code(), Some(0), "{}", text(&free.stderr));
    let whole = usd(server.billed());
    let metrics = folder.metrics("free");
    let reckoned = metrics["cost"]["usd"].as_f64().unwrap();
    assert!(
        (reckoned - whole).abs() < 1e-9,
        "the ledger says {reckoned}, the server {whole}"
    );
    assert!(metrics["cost"]["total"]["retries"].as_u64().unwrap() > 0);

    let mut stopped = 0;
    for (share, concurrency) in [(0.0, 1), (0.7, 1), (0.9, 3), (1.2, 4)] {
        let before = usd(server.billed());
        let (budget, run) = (whole * share, format!("run{share}"));
        let limits = format!("--budget-usd {budget} --concurrency {concurrency}");
        let output = eval(&run, &limits);
        let spent = usd(server.billed()) - before;
        assert!(spent <= budget, "{spent} of {budget} at {concurrency}");
        if output.status.code() == Some(0) {
            continue;
        }
        stopped += 1;
        let said = text(&output.stderr);
        assert!(
            said.contains("the budget of $") && said.contains("`--budget-usd` goes on"),
            "{said}"
        );
        // The budget is for all sessions together.
        let again = eval(&run, &limits);
        assert_eq!(again.status.code(), Some(1));
        assert!(usd(server.billed()) - before <= budget);
        let on = eval(&run, "--budget-usd 1000");
        assert_eq!(on.status.code(), Some(0), "{}", text(&on.stderr));
        assert_eq!(
            folder.read(&format!("{run}/verdicts.csv")),
            folder.read("free/verdicts.csv")
        );
    }
    assert!(stopped >= 2, "{stopped} budgets were too small");
}

/// Where every request costs nearly as much as it can, only the holds of those under way keep many at a time within the budget.
#[test]
fn a_budget_is_not_passed_by_requests_that_are_under_way_together() {
    let folder = Folder::new();
    let server = Loopback::start(Duration::from_millis(20), |text, _| match judge(text) {
        Answer::Reply(reply) => Answer::Dear(reply),
        other => other,
    });
    folder.write("pairs.jsonl", pairs(16));
    priced(&folder, &server);
    let eval = |run: &str, budget: f64| {
        let before = usd(server.billed());
        let output = folder.output(&format!(
            "eval pairs.jsonl --network single --set reply.max_tokens=500 --prices prices.toml --concurrency 8 --out {run} {} --budget-usd {budget}",
            server.flags()
        ));
        (output, usd(server.billed()) - before)
    };
    let (output, whole) = eval("whole", 1000.0);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for share in [0.2, 0.4, 0.6, 0.8] {
        let budget = whole * share;
        let (output, spent) = eval(&format!("run{share}"), budget);
        assert_eq!(output.status.code(), Some(1));
        assert!(spent <= budget, "{spent} of {budget}");
        assert!(
            spent > budget - whole / 8.0,
            "{spent} of {budget}: most of it can be used"
        );
    }
}

#[test]
fn no_more_calls_are_made_than_allowed() {
    let (folder, server) = (Folder::new(), faulty());
    folder.write("pairs.jsonl", pairs(8));
    let eval = |more: &str| {
        folder.output(&format!(
            "eval pairs.jsonl --network single --out run {} {more}",
            server.flags()
        ))
    };
    for limit in [1, 7, 12] {
        let output = eval(&format!("--max-calls {limit} --concurrency 3"));
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains("`--max-calls`"), "{said}");
        assert!(
            server.billed().requests <= limit,
            "{} of {limit}",
            server.billed().requests
        );
    }
    assert!(server.billed().requests >= 10, "calls that are allowed are made");
    assert_eq!(eval("--max-calls 100").status.code(), Some(0));
}

#[test]
fn a_request_whose_end_nobody_saw_counts_as_the_most_it_can_have_cost() {
    let (folder, server) = (Folder::new(), faulty());
    folder.write("pairs.jsonl", pairs(3));
    priced(&folder, &server);
    let eval = |more: &str| {
        folder.output(&format!(
            "eval pairs.jsonl --network single --prices prices.toml --out run {} {more}",
            server.flags()
        ))
    };
    assert_eq!(eval("--budget-usd 0").status.code(), Some(1));
    assert_eq!(server.billed().requests, 0);
    // As a kill leaves it: sent, and never settled.
    let store = Connection::open(folder.path("run/run.sqlite")).unwrap();
    let model = format!("openai:{}", server.name());
    store
        .execute(
            "INSERT INTO requests (number, model, served, most_prompt, most_completion, seconds) VALUES (1, ?1, 'model', 1000000, 0, 0)",
            [model],
        )
        .unwrap();
    drop(store);
    let output = eval("--budget-usd 399");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("$400.000000 are spent"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(server.billed().requests, 0);
    let output = eval("--budget-usd 500");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("at most $400.00, not included"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn a_budget_needs_prices_and_says_where_to_get_them() {
    let (folder, server) = (Folder::new(), faulty());
    let api = server.flags();
    folder
        .widedeep(&format!("eval demo --network single --budget-usd 1 --out run {api}"))
        .code(2)
        .stderr_eq(str![[r#"
error: `--budget-usd` needs the price of `openai:judge@127.0.0.1:[..]/v1`, which is not known: give it with `--prices FILE` (see `widedeep prices`), or use `--max-calls`

"#]]);
    let local = folder
        .judge("eval demo --network single --budget-usd 1 --out run")
        .output()
        .unwrap();
    assert_eq!(local.status.code(), Some(2));
    assert!(
        text(&local.stderr).contains("--machine-usd-per-hour"),
        "{}",
        text(&local.stderr)
    );
    folder
        .widedeep(&format!("eval demo --budget-usd lots --out run {api}"))
        .code(2)
        .stderr_eq(str![[r#"
error: invalid value 'lots' for '--budget-usd <USD>': an amount in US dollars, such as `2.50`

For more information, try '--help'.

"#]]);
    assert_eq!(server.billed().requests, 0);
    assert!(!folder.path("run").exists());
}

#[test]
fn a_finished_run_is_reckoned_again_at_other_prices_without_a_call() {
    let (folder, server) = (Folder::new(), faulty());
    folder.write("pairs.jsonl", pairs(3));
    folder
        .widedeep(&format!(
            "eval pairs.jsonl --network single --out run {}",
            server.flags()
        ))
        .success();
    assert_eq!(
        folder.metrics("run")["cost"]["usd"],
        serde_json::Value::Null,
        "an unknown price is not 0"
    );
    let billed = server.billed();
    priced(&folder, &server);
    folder.widedeep("score run --prices prices.toml").success();
    let reckoned = folder.metrics("run")["cost"]["usd"].as_f64().unwrap();
    assert!((reckoned - usd(billed)).abs() < 1e-9);
    assert_eq!(server.billed().requests, billed.requests);
}

#[test]
fn a_local_model_is_paid_by_the_hour_and_stopped_in_time() {
    let folder = Folder::new();
    folder
        .write("pairs.jsonl", SHORT_PAIRS)
        .write("short.toml", SHORT_NETWORK);
    let eval = |more: &str| {
        let command = format!("eval pairs.jsonl --network short.toml --out run {more}");
        folder.judge(&command).output().unwrap()
    };
    // A machine so dear that the first tenth of a second is too much.
    let output = eval("--machine-usd-per-hour 3600000 --budget-usd 100");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("used up `--budget-usd`"),
        "{}",
        text(&output.stderr)
    );
    let output = eval("--max-calls 5");
    assert_eq!(output.status.code(), Some(1));
    let calls = |run: &str| -> i64 {
        let store = Connection::open(folder.path(run).join("run.sqlite")).unwrap();
        store
            .query_row("SELECT count(*) FROM requests", [], |row| row.get(0))
            .unwrap()
    };
    assert!(calls("run") <= 5);
    let output = eval("--machine-usd-per-hour 3.60 --budget-usd 100");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let machine = &folder.metrics("run")["cost"]["machine"];
    let (seconds, cost) = (machine["seconds"].as_f64().unwrap(), machine["usd"].as_f64().unwrap());
    assert!(seconds > 0.0 && (cost - seconds / 1000.0).abs() < 1e-9, "{machine}");
}

/// `12 [3, 45]` in a row that begins with a word.
fn bounds(table: &str, row: &str, column: usize) -> (f64, f64) {
    let line = table.lines().find(|line| line.trim_start().starts_with(row)).unwrap();
    let bracket = line.split('[').nth(column + 1).unwrap().split(']').next().unwrap();
    let (low, high) = bracket.split_once(", ").unwrap();
    (low.parse().unwrap(), high.parse().unwrap())
}

#[test]
fn an_estimate_asks_nothing_and_its_bounds_hold() {
    let (folder, server) = (Folder::new(), Loopback::start(Duration::ZERO, |text, _| judge(text)));
    folder.write("pairs.jsonl", pairs(5));
    priced(&folder, &server);
    for network in ["single", "widedeep", "widedeep-sequential", "faireval"] {
        let command = format!(
            "eval pairs.jsonl --network {network} --prices prices.toml --out {network} {}",
            server.flags()
        );
        let before = server.billed();
        let output = folder.output(&format!("{command} --dry-run --budget-usd 0.5"));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(server.billed().requests, before.requests, "nothing is asked");
        assert!(!folder.path(network).exists(), "and nothing is left behind");
        let estimate = text(&output.stdout);
        folder.widedeep(&command).success();
        let after = server.billed();
        let cost = &folder.metrics(network)["cost"];
        let probe = cost["stages"]
            .as_array()
            .unwrap()
            .iter()
            .find(|stage| stage["stage"] == "probe")
            .unwrap();
        let of = |figure: &serde_json::Value| figure.as_f64().unwrap();
        let truths = [
            of(&cost["total"]["requests"]) - of(&probe["requests"]),
            (after.prompt - before.prompt) as f64 - of(&probe["billed"]["prompt"]),
            (after.completion - before.completion) as f64 - of(&probe["billed"]["completion"]),
            of(&cost["usd"]) - of(&probe["usd"]),
        ];
        for (column, truth) in truths.into_iter().enumerate() {
            let (low, high) = bounds(&estimate, "total", column);
            // The amounts are rounded.
            let slack = if column == 3 { 0.000_1 } else { 0.0 };
            assert!(
                low - slack <= truth && truth <= high + slack,
                "{network}: {truth} lies outside [{low}, {high}]\n{estimate}"
            );
        }
    }
}

#[test]
fn an_estimate_for_a_local_model_counts_its_own_tokens() {
    let folder = Folder::new();
    folder
        .write("pairs.jsonl", SHORT_PAIRS)
        .write("short.toml", SHORT_NETWORK);
    let command = "eval pairs.jsonl --network short.toml --out run";
    let estimate = text(&folder.judged(&format!("{command} --dry-run")).stdout);
    folder.judged(command);
    let total = &folder.metrics("run")["cost"]["total"];
    let (low, high) = bounds(&estimate, "layer1", 1);
    assert!((low - high).abs() < 0.5, "the prompts of layer 1 are known\n{estimate}");
    for (column, figure) in [
        (0, &total["requests"]),
        (1, &total["billed"]["prompt"]),
        (2, &total["billed"]["completion"]),
    ] {
        let ((low, high), truth) = (bounds(&estimate, "total", column), figure.as_f64().unwrap());
        assert!(
            low <= truth && truth <= high,
            "{truth} lies outside [{low}, {high}]\n{estimate}"
        );
    }
}

#[test]
fn the_price_list_can_be_printed_and_read_again() {
    let folder = Folder::new();
    folder.widedeep("prices").success().stdout_eq(str![[r#"
 model [..]
...
 gpt-4o-mini [..] 0.15 [..] 0.6 [..]
...
US dollars per million tokens

"#]]);
    let list = text(&folder.output("prices --toml").stdout);
    folder.write("all.toml", &list);
    assert_eq!(text(&folder.output("prices --toml --prices all.toml").stdout), list);
    folder.write("bad.toml", "[[model]]\nname = \"m\"\n");
    folder.widedeep("prices --prices bad.toml").code(2).stderr_eq(str![[r#"
error: `bad.toml`:1: missing field `prompt`; an entry is `[[model]]` with `name`, `prompt`, `completion` (US dollars per million tokens), `date` and `source`

"#]]);
}
