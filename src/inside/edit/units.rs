//! Units from files.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::inside::bricks::{Unit, UnitSet};
use crate::llama::Ffn;

/// Files from which no units can be read.
#[derive(Debug, thiserror::Error)]
pub enum UnitsError {
    /// The file cannot be read.
    #[error("failed to read units from `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else, or units that the model does not have.
    #[error(
        "failed to read units from `{path}:{line}`: {problem}; a file is a JSON list of `{{\"layer\": 3, \"unit\": 7}}` or `[3, 7]`, or an object \
         with such a list as `units`"
    )]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// There is none.
    #[error("`{0}` names no unit; give at least one")]
    Empty(PathBuf),
}

/// Reads the units of a file, for a model of this shape. The file is a JSON list, or an object that holds one as `units` (detectors, the files of the analyses) or as `units` of its
/// `members` (brick records). A unit is an object with `layer` and `unit` (or `index`), or a list that begins with these two numbers; whatever else it says is not read.
pub fn read_units(path: &Path, ffn: &Ffn) -> Result<UnitSet, UnitsError> {
    let text = fs::read_to_string(path).map_err(|source| UnitsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let parsed = parse(&text, ffn).map_err(|error| {
        let line = error.line();
        let said = error.to_string();
        // serde_json says the place again.
        let problem = said.split(" at line ").next().unwrap_or(&said).to_owned();
        UnitsError::Parse {
            path: path.to_owned(),
            line,
            problem,
        }
    })?;
    if parsed.is_empty() {
        return Err(UnitsError::Empty(path.to_owned()));
    }
    Ok(parsed)
}

fn parse(text: &str, ffn: &Ffn) -> serde_json::Result<UnitSet> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = Holder(ffn).deserialize(&mut deserializer)?;
    deserializer.end()?;
    found.ok_or_else(|| serde_json::Error::custom("there is no `units`"))
}

/// A list of units, or an object that holds one.
struct Holder<'f>(&'f Ffn);

impl<'de> DeserializeSeed<'de> for Holder<'_> {
    type Value = Option<UnitSet>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Holder<'_> {
    type Value = Option<UnitSet>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of units, or an object with `units`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut units = UnitSet::default();
        while let Some(unit) = list.next_element_seed(One(self.0))? {
            units.extend([unit]);
        }
        Ok(Some(units))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = object.next_key::<String>()? {
            match key.as_str() {
                "units" | "members" if found.is_none() => found = object.next_value_seed(Holder(self.0))?,
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// One unit.
struct One<'f>(&'f Ffn);

impl One<'_> {
    fn check<E: Error>(&self, layer: Option<u64>, index: Option<u64>) -> Result<Unit, E> {
        let layer = layer.ok_or_else(|| E::custom("a unit has no `layer`"))?;
        let index = index.ok_or_else(|| E::custom("a unit has no `unit`"))?;
        let Ffn { layers, units, .. } = *self.0;
        let fits = |number: u64, count: usize| usize::try_from(number).ok().filter(|&number| number < count);
        match (fits(layer, layers), fits(index, units)) {
            (Some(layer), Some(index)) => Ok(Unit { layer, index }),
            _ => Err(E::custom(format!(
                "there is no unit {index} in layer {layer}: the model has {layers} layers of {units} units, both counted from 0"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Unit;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Unit, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Unit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a unit")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unit, A::Error> {
        let layer = list.next_element()?;
        let index = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.check(layer, index)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Unit, A::Error> {
        let (mut layer, mut index) = (None, None);
        while let Some(key) = object.next_key::<String>()? {
            match key.as_str() {
                "layer" => layer = Some(object.next_value()?),
                "unit" | "index" => index = Some(object.next_value()?),
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        self.check(layer, index)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::llama::Gate;

    const FFN: Ffn = Ffn {
        layers: 2,
        units: 8,
        width: 4,
        gate: Gate::Separate,
    };

    fn pairs(text: &str) -> Vec<(usize, usize)> {
        let units = parse(text, &FFN).unwrap();
        units.iter().map(|unit| (unit.layer, unit.index)).collect()
    }

    #[test]
    fn lists_and_files_that_hold_one_are_read() {
        let expected = [(0, 3), (1, 7)];
        assert_eq!(
            pairs(r#"[{"layer": 1, "unit": 7}, {"unit": 3, "layer": 0, "weight": -0.5}]"#),
            expected
        );
        assert_eq!(pairs("[[1, 7, 0.25], [0, 3], [1, 7]]"), expected);
        assert_eq!(
            pairs(r#"{"bias": 1, "units": [{"layer": 0, "index": 3}, {"layer": 1, "unit": 7}]}"#),
            expected
        );
        assert_eq!(
            pairs(r#"{"id": "x", "members": {"kind": "unit_set", "units": [[0, 3], [1, 7]]}}"#),
            expected
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, problem) in [
            ("[\n[0, 1],\n[0, 8]]", 3, "no unit 8 in layer 0"),
            ("[\n{\"layer\": 2, \"unit\": 0}]", 2, "no unit 0 in layer 2"),
            ("[\n{\"layer\": 1}\n]", 2, "no `unit`"),
            ("{\"a\": 1}", 0, "no `units`"),
            ("[[0, 1]", 1, "EOF"),
            ("[\n\n\"x\"]", 3, "invalid type"),
            ("[[0, -1]]", 1, "invalid value"),
        ] {
            let error = parse(text, &FFN).unwrap_err();
            assert!(error.to_string().contains(problem), "{text}: {error}");
            assert_eq!(error.line(), line, "{text}: {error}");
        }
    }
}
