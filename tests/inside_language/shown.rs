//! Tables and figures.

use std::path::Path;

use widedeep::inside::language::{
    Aligned, Bar, Counts, Identified, Lambda, LanguageCounts, Matrix, Method, Origin, Overlap, Rate, Shape, compare,
    figures, files, identify, tables, transfer,
};

/// Three languages, one of them with a name that means something in SVG; two layers of three units.
fn model() -> Identified {
    let languages = [
        ("en", [0, 0, 900, 900, 0, 0]),
        ("a<b&$c$", [900, 0, 900, 900, 0, 0]),
        ("sw", [0, 900, 0, 900, 900, 0]),
    ];
    let languages = languages.map(|(name, active)| LanguageCounts::new(name, 1000, active.into()).unwrap());
    let counts = Counts::new(Shape { layers: 2, width: 3 }, languages.into(), Origin::default()).unwrap();
    let method = Method::Aligned(Aligned {
        top: Rate::new(0.7).unwrap(),
        bar: Bar::Value(0.5),
        lambda: Lambda::Fixed(0.0),
    });
    identify(&counts, method).unwrap()
}

fn matrix() -> Matrix {
    Matrix {
        languages: vec!["en".into(), "a<b&$c$".into(), "sw".into()],
        units: vec![1, 2, 2],
        nll: vec![vec![0.5, -0.25, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 0.125]],
        perplexity: vec![vec![2.0; 3]; 3],
        controls: vec![vec![vec![0.0, 0.5, 0.0], vec![0.0, 0.25, 0.0]], vec![], vec![]],
    }
}

fn written(write: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    write(&path);
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn units_are_listed_with_class_and_languages_and_agnostic_ones_too() {
    let table = written(|path| tables::units(path, &model()).unwrap());
    let expected = [
        "layer,index,class,number,languages",
        "0,0,specific,1,a<b&$c$",
        "0,1,specific,1,sw",
        "0,2,related,2,en a<b&$c$",
        "1,0,agnostic,3,en a<b&$c$ sw",
        "1,1,specific,1,sw",
    ];
    assert_eq!(table.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn layers_and_languages_have_tables() {
    let model = model();
    let classes = model.tally();
    let layers = written(|path| tables::layers(path, &classes, classes.parts().as_ref()).unwrap());
    let expected = [
        "layer,part,specific,related,agnostic,en,a<b&$c$,sw",
        "0,undivided,2,1,0,1,2,1",
        "1,vocabulary output,1,0,1,0,0,1",
    ];
    assert_eq!(layers.lines().collect::<Vec<_>>(), expected);
    let languages = written(|path| tables::languages(path, &classes).unwrap());
    assert_eq!(languages.lines().nth(2), Some("a<b&$c$,1000,1,1"));
    let overlap = written(|path| tables::overlap(path, &Overlap::within(&model)).unwrap());
    assert_eq!(overlap.lines().nth(2), Some("a<b&$c$,2,1,2,0"));
}

#[test]
fn the_matrix_has_a_row_per_pair_of_languages() {
    let table = written(|path| tables::matrix(path, &matrix()).unwrap());
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[2], "en,a<b&$c$,1,-0.25,2,0.375,2");
    assert_eq!(lines[5], "a<b&$c$,a<b&$c$,2,1,2,,0");
}

#[test]
fn comparisons_have_tables() {
    let model = model();
    let comparison = compare(&model, &model).unwrap();
    let changes = written(|path| tables::changes(path, &comparison).unwrap());
    assert_eq!(changes.lines().nth(1), Some("all,specific,3,3,3,0,0,1"));
    assert_eq!(changes.lines().count(), 1 + 3 + 9);
    let transitions = written(|path| tables::transitions(path, &comparison).unwrap());
    let expected = [
        "before,specific,related,agnostic,none",
        "specific,3,0,0,0",
        "related,0,1,0,0",
        "agnostic,0,0,1,0",
        "none,0,0,0,1",
    ];
    assert_eq!(transitions.lines().collect::<Vec<_>>(), expected);
    let layers = written(|path| tables::layer_changes(path, &comparison).unwrap());
    assert_eq!(layers.lines().nth(1), Some("0,2,2,1,1,0,0"));
    let numbers = written(|path| tables::number_changes(path, &comparison).unwrap());
    assert_eq!(numbers.lines().nth(3), Some("3,1,1"));
    let gained = transfer(&model, &model, &["sw"], Some("en")).unwrap();
    let gained = written(|path| tables::transfer(path, &gained).unwrap());
    assert_eq!(gained.lines().nth(3), Some("sw,trained,0,0,0"));
}

#[test]
fn figures_are_drawn_with_every_language_in_the_order_of_reading() {
    let model = model();
    let classes = model.tally();
    let drawn = [
        figures::layers_by_language(&classes).unwrap(),
        figures::overlap(&Overlap::within(&model)).unwrap(),
        figures::matrix(&matrix()).unwrap(),
    ];
    for svg in &drawn {
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("a<b"), "a name is not escaped");
        assert!(svg.contains("a&lt;b&amp;"));
    }
    let bars = figures::layers(&classes, classes.parts().as_ref()).unwrap();
    for word in ["specific", "related", "agnostic", "no shared semantic space found"] {
        assert!(bars.contains(word), "{word}");
    }
}

#[test]
fn a_matrix_figure_has_white_at_zero_red_for_harm_and_blue_for_gain() {
    let svg = figures::matrix(&matrix()).unwrap();
    for color in ["#ffffff", "#e26a5c"] {
        assert!(svg.contains(color), "{color}");
    }
    // −0.25 of at most 1: a quarter of the way from white to blue.
    assert!(svg.contains("#d6e6f5"));
}

#[test]
fn a_matrix_figure_of_small_changes_is_in_thousandths() {
    let mut small = matrix();
    small.nll.iter_mut().flatten().for_each(|change| *change /= 100.0);
    let svg = figures::matrix(&small).unwrap();
    assert!(svg.contains("thousandths of a nat") && svg.contains(">-2.50<") && svg.contains(">10.00<"));
    assert!(!figures::matrix(&matrix()).unwrap().contains("thousandths"));
}

#[test]
fn results_are_written_as_json_too() {
    let table = written(|path| files::json(path, &model().tally()).unwrap());
    let value: serde_json::Value = serde_json::from_str(&table).unwrap();
    assert_eq!(value["languages"][2]["specific"], 2);
    assert_eq!(value["layers"][1]["agnostic"], 1);
}

#[test]
fn nothing_is_drawn_of_nothing() {
    let empty = Matrix {
        languages: vec![],
        units: vec![],
        nll: vec![],
        perplexity: vec![],
        controls: vec![],
    };
    assert_eq!(figures::matrix(&empty), None);
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let missing = Path::new("no-such-folder/figure.svg");
    let error = figures::write(missing, "<svg/>").unwrap_err();
    assert!(error.to_string().contains("no-such-folder/figure.svg"), "{error}");
}
