//! Units made by hand.

use widedeep::inside::language::{
    Aligned, Bar, Counts, IdentifyError, Lambda, LanguageCounts, Lape, Method, Origin, Rate, Shape, Unit, identify,
};

const TOKENS: u64 = 1000;

/// Counts of one layer from `[unit][language]`.
fn counts(units: &[[u32; 3]]) -> Counts {
    let shape = Shape {
        layers: 1,
        width: units.len(),
    };
    let languages = ["a", "b", "c"].iter().enumerate();
    let languages = languages
        .map(|(k, name)| LanguageCounts::new(*name, TOKENS, units.iter().map(|unit| unit[k]).collect()).unwrap());
    Counts::new(shape, languages.collect(), Origin::default()).unwrap()
}

fn aligned(top: f64, bar: f64, lambda: f64) -> Method {
    Method::Aligned(Aligned {
        top: Rate::new(top).unwrap(),
        bar: Bar::Value(bar),
        lambda: Lambda::Fixed(lambda),
    })
}

fn indices(units: Vec<Unit>) -> Vec<usize> {
    units.into_iter().map(|unit| unit.index).collect()
}

#[test]
fn a_unit_of_one_language_goes_before_one_of_two_and_that_before_one_of_all() {
    let counts = counts(&[[500, 500, 500], [500, 500, 0], [500, 0, 0], [0, 0, 0]]);
    for (top, expected) in [(0.25, vec![2]), (0.5, vec![1, 2]), (0.75, vec![0, 1, 2])] {
        let found = identify(&counts, aligned(top, 0.4, 0.0)).unwrap();
        assert_eq!(indices(found.set(0)), expected);
    }
}

#[test]
fn a_unit_that_is_never_active_counts_as_equally_active_everywhere_and_belongs_to_no_language() {
    let counts = counts(&[[0, 0, 0], [500, 500, 500]]);
    // Both have the largest entropy; the weight on probability puts the dead unit last.
    let found = identify(&counts, aligned(0.5, 0.4, 0.1)).unwrap();
    assert_eq!(found.selected()[0].unit.index, 1);
    let all = identify(&counts, aligned(1.0, 0.4, 0.1)).unwrap();
    assert!(all.selected()[0].languages.is_empty());
    assert_eq!(all.tally().by_number, [1, 0, 0, 1]);
}

#[test]
fn of_equal_scores_the_lower_index_is_selected() {
    let counts = counts(&[[0, 0, 300], [300, 0, 0], [300, 0, 0], [0, 300, 0]]);
    for (top, expected) in [(0.25, 1), (0.5, 2), (0.75, 3)] {
        let found = identify(&counts, aligned(top, 0.1, 0.0)).unwrap();
        let selected: Vec<usize> = found.selected().iter().map(|assigned| assigned.unit.index).collect();
        assert_eq!(selected, (0..expected).collect::<Vec<_>>());
    }
}

#[test]
fn the_search_keeps_out_units_of_all_languages_whatever_their_number() {
    // With three languages the third column decides, not the tenth.
    let units: Vec<[u32; 3]> = (0..100)
        .map(|unit| match unit {
            0..5 => [400, 0, 0],
            5..10 => [950, 940, 930],
            _ => [100 + unit, 120, 90],
        })
        .collect();
    let method = Method::Aligned(Aligned {
        top: Rate::new(0.05).unwrap(),
        bar: Bar::Value(0.3),
        ..Aligned::default()
    });
    let found = identify(&counts(&units), method).unwrap();
    assert!(found.sweep().iter().all(|step| step.appear.len() == 3));
    assert_eq!(indices(found.set(0)), [0, 1, 2, 3, 4]);
    assert_eq!(found.agnostic().len(), 5);
    let heavy = identify(&counts(&units), aligned(0.05, 0.3, 5.0)).unwrap();
    assert_eq!(heavy.tally().by_number, [0, 0, 0, 5]);
}

#[test]
fn a_search_that_finds_nothing_says_what_to_change() {
    let counts = counts(&[[900, 900, 900], [900, 900, 900]]);
    let method = Method::Aligned(Aligned {
        top: Rate::new(1.0).unwrap(),
        bar: Bar::Value(0.5),
        ..Aligned::default()
    });
    let error = identify(&counts, method).unwrap_err();
    assert!(
        matches!(&error, IdentifyError::NoLambda { sweep } if sweep.len() == 10),
        "{error}"
    );
    assert!(error.to_string().contains("lower the top rate"), "{error}");
}

#[test]
fn lape_stops_at_the_units_that_pass_its_filter_and_keeps_languages_without_any() {
    let counts = counts(&[[500, 0, 0], [0, 500, 0], [10, 10, 10], [0, 0, 0]]);
    let method = Method::Lape(Lape {
        top: Rate::new(1.0).unwrap(),
        filter: Bar::Value(0.2),
        bar: Bar::Value(0.2),
    });
    let found = identify(&counts, method).unwrap();
    assert_eq!(found.selected().len(), 2);
    assert_eq!(found.filter(), Some((0.2, 2)));
    assert_eq!(found.languages().len(), 3);
    assert!(found.set(2).is_empty());
    assert_eq!(found.cut().1, None);
}

#[test]
fn rates_are_checked_and_small_models_are_refused_when_nothing_would_be_selected() {
    for rate in [0.0, -0.1, 1.1, f64::NAN] {
        assert!(Rate::new(rate).is_err());
    }
    let error = identify(&counts(&[[1, 2, 3]]), Method::default()).unwrap_err();
    assert!(matches!(error, IdentifyError::NothingSelected { units: 1, .. }));
    let one = counts(&[[1, 2, 3]]).only(&["b"]).unwrap();
    assert_eq!(
        identify(&one, Method::default()).unwrap_err(),
        IdentifyError::OneLanguage { found: 1 }
    );
}
