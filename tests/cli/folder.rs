//! A folder to run the program in, and what a run has left there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use snapbox::cmd::OutputAssert;

use crate::support::default_model;

/// A working directory.
pub struct Folder {
    path: PathBuf,
    /// Deletes it in the end.
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    /// One that is deleted in the end.
    pub fn new() -> Self {
        let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = temporary.path().to_owned();
        std::fs::create_dir(path.join("home")).unwrap();
        Self {
            path,
            _temporary: Some(temporary),
        }
    }

    /// One that stays until the tests are run again, for a static, which is never dropped.
    pub fn lasting(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        std::fs::create_dir_all(path.join("home")).unwrap();
        Self { path, _temporary: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The program in this folder, in an environment that the tests know, without any model pulled.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_widedeep"));
        command
            .args(arguments.split_whitespace())
            .current_dir(&self.path)
            .env("COLUMNS", "100")
            .env("WIDEDEEP_HOME", self.path("home"))
            .env_remove("WIDEDEEP_DATA_URL")
            .env_remove("RUST_LOG")
            .env("RUST_BACKTRACE", "0")
            .stdin(std::process::Stdio::null());
        command
    }

    /// Runs the program; the arguments are split at white space.
    pub fn widedeep(&self, arguments: &str) -> OutputAssert {
        OutputAssert::new(self.output(arguments))
    }

    pub fn output(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// [`command`](Self::command), judging with the default model.
    pub fn judge(&self, arguments: &str) -> Command {
        let mut command = self.command(arguments);
        command.arg("--threads").arg("1").arg("--model").arg(default_model());
        command
    }

    /// Runs [`judge`](Self::judge) to a good end.
    pub fn judged(&self, arguments: &str) -> Output {
        let output = self.judge(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        output
    }

    /// The lines of a run's `opinions.jsonl`.
    pub fn opinions(&self, run: &str) -> Vec<Value> {
        let lines = self.read(&format!("{run}/opinions.jsonl"));
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &Value| line["kind"] == "opinion").collect()
    }

    pub fn metrics(&self, run: &str) -> Value {
        serde_json::from_str(&self.read(&format!("{run}/metrics.json"))).unwrap()
    }

    /// Name and content of every file below a folder.
    pub fn files(&self, run: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.path(run))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

/// A copy of a figure tree without wall-clock times.
pub fn without_seconds(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| !key.contains("seconds"))
            .map(|(key, value)| (key.clone(), without_seconds(value)))
            .collect(),
        Value::Array(values) => values.iter().map(without_seconds).collect(),
        other => other.clone(),
    }
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Two pairs that take few tokens.
pub const SHORT_PAIRS: &str = r#"{"query":"What is 2 + 2?","response1":"4","response2":"5","label":"1","dataset":"eli5","id":"sum"}
{"query":"Name a colour.","response1":"Seven.","response2":"Blue.","label":"2","dataset":"webgpt","id":"colour"}
"#;

/// Two neurons that discuss, in as few tokens as that takes: two calls in either layer.
pub const SHORT_NETWORK: &str = r#"name = "short"
summary = "two roles, two layers, little evidence"

[roles]
source = "fixed"
names = ["Accuracy", "Clarity"]

[calls]
orders = "one"

[reply]
evidence_tokens = 2

[[layers]]

[[layers]]
"#;
