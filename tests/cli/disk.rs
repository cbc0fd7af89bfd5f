//! Disks that are full, folders that cannot be written to, stores of a later program.

use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use crate::folder::{Folder, text};
use crate::loopback::{Loopback, judge, pairs};

/// The program with files limited to so many kilobytes: what is beyond cannot be written, as on a full disk.
fn cramped(folder: &Folder, kilobytes: usize, arguments: &str) -> std::process::Output {
    let program = folder.command(arguments);
    let mut shell = Command::new("bash");
    shell
        .arg("-c")
        // Ignored, so that writes fail instead of killing the process.
        .arg(format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" \"$@\""))
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(program.get_current_dir().unwrap());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().unwrap()
}

#[test]
fn a_full_disk_stops_the_run_with_everything_finished_kept() {
    let folder = Folder::new();
    folder.write("pairs.jsonl", pairs(60));
    let server = Loopback::start(Duration::ZERO, |text, _| judge(text));
    let command = |run: &str| format!("eval pairs.jsonl --network single --out {run} {}", server.flags());
    let output = cramped(&folder, 160, &command("run"));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(
        said.contains("run.sqlite") && said.contains("everything that was finished is kept"),
        "{said}"
    );
    let store = Connection::open(folder.path("run/run.sqlite")).unwrap();
    let count = |table: &str| -> i64 {
        store
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    };
    let finished = count("judged");
    assert!(finished > 0 && finished < 60, "{finished} pairs were finished");
    let (before, asked) = (count("calls"), server.arrivals().len());
    drop(store);

    let output = folder.output(&command("run"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("going on with a run of 60 pairs of which {finished} are done")),
        "{said}"
    );
    let again = server.arrivals().len() - asked;
    assert_eq!(
        i64::try_from(again).unwrap(),
        120 - before,
        "only what was not committed is asked"
    );
    folder.widedeep(&command("quiet")).success();
    assert_eq!(folder.read("run/verdicts.csv"), folder.read("quiet/verdicts.csv"));
}

#[test]
fn a_place_that_cannot_be_written_to_is_named_before_anything_is_asked() {
    let folder = Folder::new();
    folder.write("pairs.jsonl", pairs(1));
    let server = Loopback::start(Duration::ZERO, |text, _| judge(text));
    // Not even the administrator can make a folder there.
    let output = folder.output(&format!(
        "eval pairs.jsonl --network single --out /proc/widedeep-run {}",
        server.flags()
    ));
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("failed to make the folder `/proc/widedeep-run`"),
        "{said}"
    );
    assert!(server.arrivals().is_empty());
}

#[test]
fn a_run_of_a_later_program_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let command = "eval demo --network longer --out run";
    folder.widedeep(command).success();
    let store = Connection::open(folder.path("run/run.sqlite")).unwrap();
    store
        .execute_batch("UPDATE meta SET value = 99 WHERE key = 'format'")
        .unwrap();
    drop(store);
    let before = folder.read("run/verdicts.csv");
    for command in [command, "score run"] {
        folder.widedeep(command).code(2).stderr_eq(
            "error: the run in `run` has format 99, this program reads up to 2; use the newer widedeep that wrote it\n",
        );
    }
    assert_eq!(folder.read("run/verdicts.csv"), before);
}
