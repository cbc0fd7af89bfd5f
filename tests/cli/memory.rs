//! Memory does not grow with the number of pairs.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::folder::{Folder, text};
use crate::loopback::{Loopback, judge};

/// Kilobytes that a process may have for itself. The stacks of its threads count in full, used or not.
const MOST: usize = 60 << 10;

/// Runs the program with that much memory.
fn confined(folder: &Folder, arguments: &str) {
    let program = folder.command(arguments);
    let output = Command::new("bash")
        .arg("-c")
        .arg(format!("ulimit -d {MOST}; exec \"$0\" \"$@\""))
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(folder.path(""))
        .env("WIDEDEEP_HOME", folder.path("home"))
        // Otherwise every thread may take an arena of its own, in pieces that depend on the machine.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments}: {}", text(&output.stderr));
}

#[test]
fn a_run_needs_less_memory_than_its_pairs_their_prompts_or_its_files_have() {
    let folder = Folder::new();
    let mut pairs = String::new();
    for i in 0..1500 {
        let words = |word: &str| format!("{i}: {}", format!("{word} ").repeat(6000));
        let (one, two) = (words("one"), words("two"));
        writeln!(
            pairs,
            r#"{{"query":"{i}?","response1":"{one}","response2":"{two}","label":"1","dataset":"eli5"}}"#
        )
        .unwrap();
    }
    assert!(pairs.len() > MOST << 10, "{} bytes", pairs.len());
    folder.write("pairs.jsonl", pairs);
    let server = Loopback::start(Duration::ZERO, |text, _| judge(text));
    let eval = format!(
        "eval pairs.jsonl --network single --concurrency 4 --out run {}",
        server.flags()
    );
    for command in [eval.as_str(), "score run", eval.as_str()] {
        confined(&folder, command);
    }
    let opinions = std::fs::metadata(folder.path("run/opinions.jsonl")).unwrap();
    assert!(opinions.len() > 2 * (MOST << 10) as u64);
    assert_eq!(folder.read("run/verdicts.csv").lines().count(), 1501);
}
