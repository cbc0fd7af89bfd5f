//! `widedeep edit`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::folder;
use super::support::default_model;

fn edit(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_widedeep"))
        .arg("edit")
        .arg(default_model())
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_form_is_made_and_compared_with_the_live_edit() {
    let folder = folder();
    let units = r#"{"kind": "detector", "units": [{"layer": 12, "unit": 5, "weight": 0.1}, [20, 700, -3.5]]}"#;
    std::fs::write(folder.path().join("units.json"), units).unwrap();
    let base = ["--units", "units.json", "--tokens", "48", "--json", "--scale"];
    let live = json(&edit(folder.path(), &[&base[..], &["0", "--form", "live"]].concat()));
    assert_eq!((live["units"].as_u64(), live["layers"].as_u64()), (Some(2), Some(2)));
    assert!(live["file"].is_null() && live["effect"]["largest_logit"].as_f64().unwrap() > 0.0);
    for form in ["lora", "gguf"] {
        let out = format!("{form}.gguf");
        let found = json(&edit(
            folder.path(),
            &[&base[..], &["2", "--form", form, "--out", &out]].concat(),
        ));
        assert!(folder.path().join(&out).is_file());
        assert!(found["file"]["largest_likely"].as_f64().unwrap() < 0.4, "{found}");
        assert_eq!(found["effect"]["tokens"], 48);
    }
    let same = json(&edit(
        folder.path(),
        &[&base[..], &["1", "--form", "gguf", "--out", "same.gguf"]].concat(),
    ));
    assert_eq!(same["effect"]["largest_logit"], 0.0);
    assert_eq!(same["file"]["largest_logit"], 0.0);
    assert!(std::fs::read(folder.path().join("same.gguf")).unwrap() == std::fs::read(default_model()).unwrap());
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let folder = folder();
    std::fs::write(folder.path().join("units.json"), "[\n  [3, 7],\n  [30, 7]\n]").unwrap();
    for (arguments, said) in [
        (
            &["--units", "units.json", "--scale", "0", "--form", "live"][..],
            "`units.json:3`: there is no unit 7 in layer 30: the model has 30 layers of 1536 units",
        ),
        (
            &["--units", "absent.json", "--scale", "0", "--form", "live"],
            "failed to read units from `absent.json`",
        ),
        (
            &[
                "--units",
                "units.json",
                "--scale",
                "0",
                "--form",
                "gguf",
                "--out",
                "x",
                "--store",
                "q9",
            ],
            "`q9` is no number format",
        ),
        (&["--units", "units.json", "--scale", "0", "--form", "lora"], "--out"),
    ] {
        let output = edit(folder.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}
