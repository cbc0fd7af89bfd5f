//! A folder to run the program in.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

pub struct Folder(tempfile::TempDir);

/// How a command ended.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `widedeep inside emergence` here; the arguments are split at white space.
    pub fn run(&self, arguments: &str) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_widedeep"))
            .args(["inside", "emergence"])
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env("WIDEDEEP_HOME", self.path("home"))
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that works.
    #[track_caller]
    pub fn works(&self, arguments: &str) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended
    }

    /// Runs a command that does not, and returns what it says.
    #[track_caller]
    pub fn fails(&self, code: i32, arguments: &str) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{}", ended.err);
        ended.err
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// A CSV as its columns' names and rows.
    pub fn csv(&self, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let mut reader = csv::Reader::from_path(self.path(name)).unwrap();
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<String>>();
        let header = cells(reader.headers().unwrap());
        (header, reader.records().map(|row| cells(&row.unwrap())).collect())
    }
}
