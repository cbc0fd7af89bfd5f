//! A folder to run the program in, files of tensors to put there, and tables to read back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use npyz::WriterBuilder;
use serde_json::Value;
use zip::write::SimpleFileOptions;

pub type Tensors = Vec<(String, Vec<usize>, Vec<f64>)>;

/// A working directory that is deleted in the end.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    pub fn json(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_str(&text).unwrap()
    }

    /// The rows of a CSV file, by the names of its columns.
    pub fn csv(&self, name: &str) -> Vec<BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_path(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        reader.deserialize().collect::<Result<_, _>>().unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_widedeep"))
            .args(["inside", "topology"])
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("RUST_LOG")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// Standard output of a run that ends well.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Standard error of a run that ends with this code and says nothing else.
    pub fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (said, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(
            (output.status.code(), said.as_str()),
            (Some(code), ""),
            "{arguments:?}: {told}"
        );
        told
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes tensors as `numpy.savez` does.
pub fn npz(path: &Path, tensors: &Tensors) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, shape, values) in tensors {
        let mut bytes = Vec::new();
        let shape: Vec<u64> = shape.iter().map(|&axis| axis as u64).collect();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Writes tensors as safetensors of one kind of number.
pub fn safetensors(path: &Path, kind: safetensors::Dtype, tensors: &Tensors) {
    #[expect(clippy::cast_possible_truncation, reason = "the file holds f32, or half of it")]
    let bytes = |values: &[f64]| -> Vec<u8> {
        let values = values.iter().map(|&value| value as f32);
        match kind {
            safetensors::Dtype::F64 => values.flat_map(|value| f64::from(value).to_le_bytes()).collect(),
            safetensors::Dtype::BF16 => values
                .flat_map(|value| half::bf16::from_f32(value).to_le_bytes())
                .collect(),
            safetensors::Dtype::F16 => values
                .flat_map(|value| half::f16::from_f32(value).to_le_bytes())
                .collect(),
            _ => values.flat_map(f32::to_le_bytes).collect(),
        }
    };
    let data: Vec<_> = tensors
        .iter()
        .map(|(name, shape, values)| (name, shape.clone(), bytes(values)))
        .collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        let view = safetensors::tensor::TensorView::new(kind, shape.clone(), bytes);
        (name.as_str(), view.unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// An oracle file of `../shared/data/topology`.
pub fn oracle(name: &str) -> Value {
    let text = std::fs::read_to_string(crate::support::shared(&format!("topology/{name}"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// All numbers below a value, in order.
pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        Value::Null => Vec::new(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// Lengths along each axis.
pub fn shape(value: &Value) -> Vec<usize> {
    value.as_array().map_or_else(Vec::new, |values| {
        std::iter::once(values.len())
            .chain(values.first().map(shape).unwrap_or_default())
            .collect()
    })
}

/// Fails unless numbers agree within a relative and an absolute tolerance.
#[track_caller]
pub fn near(what: &str, found: &[f64], expected: &[f64], relative: f64, absolute: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    assert!(!expected.is_empty(), "{what}: nothing to compare");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= relative * expected.abs() + absolute,
            "{what}[{at}]: {found} where {expected} is expected"
        );
    }
}
