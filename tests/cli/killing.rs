//! A run that is killed at any instant, again and again, ends like one that nobody touched.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::folder::{Folder, SHORT_NETWORK, SHORT_PAIRS, without_seconds};
use crate::loopback::{Loopback, judge, pairs};

/// Numbers that look random, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Texts of the last messages of all calls that are committed.
fn committed(folder: &Folder, run: &str) -> HashSet<String> {
    let path = folder.path(run).join("run.sqlite");
    let Ok(store) = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return HashSet::new();
    };
    // Killed before its tables were made.
    let Ok(mut statement) = store.prepare("SELECT request FROM calls") else {
        return HashSet::new();
    };
    let requests = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    requests
        .map(|request| {
            let request: serde_json::Value = serde_json::from_str(&request.unwrap()).unwrap();
            let turns = request["turns"].as_array().unwrap();
            turns.last().unwrap()["content"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// Both runs decided the same, byte for byte, and have the same figures but for the clock's.
fn assert_alike(folder: &Folder, one: &str, other: &str) {
    for file in ["verdicts.csv", "opinions.jsonl"] {
        let read = |run: &str| folder.read(&format!("{run}/{file}"));
        assert!(read(one) == read(other), "{file} differs");
    }
    assert_eq!(
        without_seconds(&folder.metrics(one)),
        without_seconds(&folder.metrics(other))
    );
}

const KILLS: usize = 20;

#[test]
fn twenty_kills_at_random_instants_cost_nothing_but_what_was_under_way() {
    let folder = Folder::new();
    folder.write("pairs.jsonl", pairs(150));
    let server = Loopback::start(Duration::from_millis(12), |text, _| judge(text));
    let command = |run: &str| {
        format!(
            "eval pairs.jsonl --network widedeep --set reply.form=free --concurrency 2 --out {run} {}",
            server.flags()
        )
    };
    let mut dice = Dice(20_261_124);
    let mut known: HashSet<String> = HashSet::new();
    let mut answered = 0;
    for kill in 0..KILLS {
        let mut child = folder
            .command(&command("killed"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Now and then while it is starting.
        std::thread::sleep(Duration::from_millis(10 + dice.below(190)));
        assert!(
            child.try_wait().unwrap().is_none(),
            "the run was over before kill {kill}"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        // What arrived since the kill before was not known then.
        let arrivals = server.arrivals();
        for arrival in &arrivals[answered..] {
            assert!(
                !known.contains(arrival),
                "asked again after it was committed: {arrival}"
            );
        }
        answered = arrivals.len();
        known = committed(&folder, "killed");
    }
    assert!(!known.is_empty(), "no kill came after a call");
    folder.widedeep(&command("killed")).success();
    let arrivals = server.arrivals();
    assert!(arrivals[answered..].iter().all(|arrival| !known.contains(arrival)));
    // At most what two pairs have under way at once is lost with a kill.
    let different: HashSet<&String> = arrivals.iter().collect();
    let lost = arrivals.len() - different.len();
    assert!(lost <= KILLS * 8, "{lost} requests were repeated");

    folder.widedeep(&command("quiet")).success();
    assert_alike(&folder, "killed", "quiet");
}

#[test]
fn kills_between_and_within_pairs_leave_a_local_model_its_verdicts() {
    let folder = Folder::new();
    folder
        .write("pairs.jsonl", SHORT_PAIRS)
        .write("short.toml", SHORT_NETWORK);
    let command = |run: &str| format!("eval pairs.jsonl --network short.toml --out {run}");
    let mut dice = Dice(7);
    for _ in 0..4 {
        let mut child = folder
            .judge(&command("killed"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(100 + dice.below(700)));
        // It may be done already: then the kill comes too late to do anything.
        let _ = child.kill();
        child.wait().unwrap();
    }
    folder.judged(&command("killed"));
    folder.judged(&command("quiet"));
    assert!(folder.read("killed/verdicts.csv") == folder.read("quiet/verdicts.csv"));
}
