//! A folder to run the program in, and the counts and units that several tests begin with.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::default_model;
use crate::texts::{ENGLISH, FRENCH, SWAHILI};

pub struct Folder {
    path: PathBuf,
    /// Deletes it in the end.
    _temporary: Option<tempfile::TempDir>,
}

/// What a command ended with.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    /// One with texts of three languages in `texts`, which is deleted in the end.
    pub fn new() -> Self {
        let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self {
            path: temporary.path().to_owned(),
            _temporary: Some(temporary),
        }
        .filled()
    }

    /// One that stays until the tests are run again, for a static, which is never dropped.
    fn lasting(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        std::fs::create_dir_all(&path).unwrap();
        Self { path, _temporary: None }.filled()
    }

    fn filled(self) -> Self {
        std::fs::create_dir_all(self.path("home")).unwrap();
        std::fs::create_dir(self.path("texts")).unwrap();
        for (name, lines) in [("en", ENGLISH), ("fr", FRENCH), ("sw", SWAHILI)] {
            self.write(&format!("texts/{name}.txt"), lines.join("\n"));
        }
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Runs `widedeep inside language`; the arguments are split at white space.
    pub fn run(&self, arguments: &str) -> Ended {
        let output: Output = std::process::Command::new(env!("CARGO_BIN_EXE_widedeep"))
            .args(["inside", "language"])
            .args(arguments.split_whitespace())
            .current_dir(&self.path)
            .env("COLUMNS", "100")
            .env("WIDEDEEP_HOME", self.path("home"))
            .env_remove("RUST_LOG")
            .env("RUST_BACKTRACE", "0")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// [`run`](Self::run) with the default model on one thread, to a good end.
    pub fn with_model(&self, arguments: &str) -> Ended {
        self.good(&model(arguments))
    }

    /// [`run`](Self::run) to a good end.
    pub fn good(&self, arguments: &str) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments}\n{}", ended.stderr);
        ended
    }

    /// [`run`](Self::run) to an end that is the input's fault; returns the message.
    pub fn wrong(&self, arguments: &str) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments}\n{}", ended.stderr);
        assert_eq!(ended.stdout, "");
        ended.stderr
    }
}

/// Arguments with the default model on one thread.
pub fn model(arguments: &str) -> String {
    format!("{arguments} --threads 1 --model {}", default_model().display())
}

/// Counts of the three languages and units identified from them: `counts`, `units`.
pub fn counted() -> &'static Folder {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Folder::lasting("language-counted");
        folder.with_model("count texts --halves --out counts");
        folder.good("identify counts/counts.npy --halves counts/even.npy counts/odd.npy --out units");
        folder
    })
}
