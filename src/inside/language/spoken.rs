//! In which language a text is, as the trigram detector `whatlang` hears it.
//!
//! It knows 70 languages, not all: Swahili is not among them, and what is Swahili it takes for something else. Scripts tell many languages apart for certain;
//! languages that share one need a sentence or two.

use serde::Serialize;
use whatlang::{Detector, Lang};

/// ISO 639-1 codes for the detector's languages that have one, beside the ISO 639-3 codes by which it knows them.
const TWO_LETTERS: [(&str, &str); 69] = [
    ("eo", "epo"),
    ("en", "eng"),
    ("ru", "rus"),
    ("zh", "cmn"),
    ("es", "spa"),
    ("pt", "por"),
    ("it", "ita"),
    ("bn", "ben"),
    ("fr", "fra"),
    ("de", "deu"),
    ("uk", "ukr"),
    ("ka", "kat"),
    ("ar", "ara"),
    ("hi", "hin"),
    ("ja", "jpn"),
    ("he", "heb"),
    ("yi", "yid"),
    ("pl", "pol"),
    ("am", "amh"),
    ("jv", "jav"),
    ("ko", "kor"),
    ("nb", "nob"),
    ("da", "dan"),
    ("sv", "swe"),
    ("fi", "fin"),
    ("tr", "tur"),
    ("nl", "nld"),
    ("hu", "hun"),
    ("cs", "ces"),
    ("el", "ell"),
    ("bg", "bul"),
    ("be", "bel"),
    ("mr", "mar"),
    ("kn", "kan"),
    ("ro", "ron"),
    ("sl", "slv"),
    ("hr", "hrv"),
    ("sr", "srp"),
    ("mk", "mkd"),
    ("lt", "lit"),
    ("lv", "lav"),
    ("et", "est"),
    ("ta", "tam"),
    ("vi", "vie"),
    ("ur", "urd"),
    ("th", "tha"),
    ("gu", "guj"),
    ("uz", "uzb"),
    ("pa", "pan"),
    ("az", "aze"),
    ("id", "ind"),
    ("te", "tel"),
    ("fa", "pes"),
    ("ml", "mal"),
    ("or", "ori"),
    ("my", "mya"),
    ("ne", "nep"),
    ("si", "sin"),
    ("km", "khm"),
    ("tk", "tuk"),
    ("ak", "aka"),
    ("zu", "zul"),
    ("sn", "sna"),
    ("af", "afr"),
    ("la", "lat"),
    ("sk", "slk"),
    ("ca", "cat"),
    ("hy", "hye"),
    ("cy", "cym"),
];

/// What the detector heard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heard {
    /// The language, by the name that it was asked for under, or else its ISO 639-1 or 639-3 code.
    pub language: String,
    /// The detector's confidence, from 0 to 1.
    pub confidence: f64,
    /// Whether the confidence is above the detector's own bar, 0.9.
    pub reliable: bool,
}

/// Tells languages apart.
#[derive(Debug, Clone)]
pub struct Ear {
    detector: Detector,
    names: Vec<(String, Lang)>,
}

impl Ear {
    /// Tells the languages named apart and hears no others; languages that the detector does not know are ignored. Without any, all that it knows.
    pub fn new<S: AsRef<str>>(among: &[S]) -> Self {
        let names: Vec<(String, Lang)> = among
            .iter()
            .filter_map(|name| Some((name.as_ref().to_owned(), known(name.as_ref())?)))
            .collect();
        let detector = if names.is_empty() {
            Detector::new()
        } else {
            Detector::with_allowlist(names.iter().map(|(_, lang)| *lang).collect())
        };
        Self { detector, names }
    }

    /// The language of a text; nothing where no letter tells.
    pub fn hear(&self, text: &str) -> Option<Heard> {
        let info = self.detector.detect(text)?;
        let lang = info.lang();
        let asked = self.names.iter().find(|(_, own)| *own == lang);
        Some(Heard {
            language: asked.map_or_else(|| code(lang), |(name, _)| name.clone()),
            confidence: info.confidence(),
            reliable: info.is_reliable(),
        })
    }
}

/// Whether the detector knows a language, by its ISO 639-1 or 639-3 code; what follows a `-` does not matter (`zh-Hans`).
pub fn is_known(name: &str) -> bool {
    known(name).is_some()
}

fn known(name: &str) -> Option<Lang> {
    let name = name.split(['-', '_']).next()?.to_ascii_lowercase();
    let three = TWO_LETTERS.iter().find(|(two, _)| *two == name);
    Lang::from_code(three.map_or(name.as_str(), |(_, three)| three))
}

fn code(lang: Lang) -> String {
    let two = TWO_LETTERS.iter().find(|(_, three)| *three == lang.code());
    two.map_or(lang.code(), |(two, _)| two).to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_code_is_the_detectors() {
        for (two, three) in TWO_LETTERS {
            assert_eq!(code(Lang::from_code(three).unwrap()), two);
            assert!(is_known(two) && is_known(three));
        }
        assert!(is_known("zh-Hans") && is_known("tgl") && !is_known("sw"));
    }

    #[test]
    fn languages_are_heard_by_the_names_asked_for() {
        let ear = Ear::new(&["eng", "sw", "de"]);
        let heard = ear
            .hear("The river rises in the hills above the old town and reaches the sea.")
            .unwrap();
        assert_eq!(heard.language, "eng");
        let heard = ear
            .hear("Der Fluss entspringt in den Hügeln über der alten Stadt und mündet ins Meer.")
            .unwrap();
        assert_eq!(heard.language, "de");
        assert_eq!(ear.hear("1 + 1 = 2"), None);
        let all = Ear::new::<&str>(&[]);
        assert_eq!(all.hear("แม่น้ำไหลลงสู่ทะเล").unwrap().language, "th");
    }
}
