//! Judges without a model over whole benchmarks, against the figures of the method specification (10.4, 11.3).

use snapbox::str;

use crate::folder::Folder;
use crate::support::shared;

fn eval(folder: &Folder, data: &str, baseline: &str) -> snapbox::cmd::OutputAssert {
    let mut command = folder.command(&format!("eval --network {baseline} --out run"));
    command.arg(shared(data));
    snapbox::cmd::OutputAssert::new(command.output().unwrap()).success()
}

#[test]
fn the_longer_response_agrees_as_the_specification_says() {
    let folder = Folder::new();
    eval(&folder, "llmeval2/LLMEval2_benchmark.json", "longer").stdout_eq(str![[r#"
...
seed 0, started by widedeep [..]

Agreement with the human labels
 measure                                   value    95 % interval      N
─────────────────────────────────────────────────────────────────────────
 accuracy                                  0.451   [0.431, 0.470]   2553
 macro-F1 (all three classes)              0.337   [0.322, 0.352]   2553
 Cohen's kappa                             0.078   [0.048, 0.107]   2553
...
 human model1               572               471              7   1050
 human model2               440               575              6   1021
 human tie                  237               241              4    482
...
"#]]);
    let overall = &folder.metrics("run")["overall"];
    for (measure, value) in [
        ("accuracy", 0.450_842),
        ("macro_f1_all", 0.337_302),
        ("kappa", 0.078_481),
    ] {
        assert!((overall[measure].as_f64().unwrap() - value).abs() < 5e-7, "{measure}");
    }
    let verdicts = folder.read("run/verdicts.csv");
    assert_eq!(verdicts.lines().count(), 2554);
}

#[test]
fn the_first_response_agrees_as_the_specification_says() {
    let folder = Folder::new();
    eval(&folder, "llmeval2/LLMEval2_benchmark.json", "always-model1").stdout_eq(str![[r#"
...
 accuracy                                  0.411   [..]   2553
 macro-F1 (all three classes)              0.194   [..]   2553
 Cohen's kappa                             0.000   [0.000, 0.000]   2553
...
 human model1              1050                 0              0   1050
 human model2              1021                 0              0   1021
 human tie                  482                 0              0    482
...
"#]]);
    let overall = &folder.metrics("run")["overall"];
    for (measure, value) in [("accuracy", 0.411_281), ("macro_f1_all", 0.194_283), ("kappa", 0.0)] {
        assert!((overall[measure].as_f64().unwrap() - value).abs() < 5e-7, "{measure}");
    }
}

#[test]
fn faireval_is_read_from_its_folder() {
    let folder = Folder::new();
    eval(&folder, "faireval", "longer").stderr_eq(str![[r#"
wrote run/verdicts.csv, run/metrics.json

"#]]);
    let metrics = folder.metrics("run");
    let overall = &metrics["overall"];
    for (measure, value) in [("accuracy", 0.4875), ("macro_f1_all", 0.354_583), ("kappa", 0.192_913)] {
        assert!((overall[measure].as_f64().unwrap() - value).abs() < 5e-7, "{measure}");
    }
    assert_eq!(metrics["run"]["data"]["format"], "faireval");
}
