//! How long a server asks to wait, in the several ways in which servers say so.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The wait that the headers of a refusal ask for, if they do.
///
/// In this order: `retry-after-ms` (OpenAI, Azure), `Retry-After` in seconds or as a date, the reset time of whichever of OpenAI's limits
/// (`x-ratelimit-reset-requests` and `-tokens`) has nothing remaining, and `x-ratelimit-reset` or `ratelimit-reset`.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|text| duration(&format!("{text}ms")));
    let retry_after = || {
        let text = text(RETRY_AFTER.as_str())?;
        seconds(text).or_else(|| {
            let date = httpdate::parse_http_date(text).ok()?;
            // A date that has passed asks for no wait.
            Some(date.duration_since(now).unwrap_or_default())
        })
    };
    let exhausted = || {
        ["requests", "tokens"]
            .into_iter()
            .filter(|kind| text(&format!("x-ratelimit-remaining-{kind}")) == Some("0"))
            .filter_map(|kind| duration(text(&format!("x-ratelimit-reset-{kind}"))?))
            .max()
    };
    let reset = || {
        ["x-ratelimit-reset", "ratelimit-reset"]
            .into_iter()
            .find_map(|name| reset_time(text(name)?, now))
    };
    milliseconds.or_else(retry_after).or_else(exhausted).or_else(reset)
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// Seconds from now, or a moment in seconds or milliseconds since 1970.
fn reset_time(text: &str, now: SystemTime) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    let moment = if number > 1e12 {
        number / 1e3
    } else if number > 1e9 {
        number
    } else {
        return duration(text);
    };
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
    Duration::try_from_secs_f64(moment - now).ok()
}

/// `1h2m3.5s`, `20ms`, or a bare number of seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Some(plain) = seconds(text) {
        return Some(plain);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let value: f64 = rest[..number].parse().ok()?;
        rest = &rest[number..];
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(value * unit).ok()?)?;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn asks(headers: &[(&str, &str)]) -> Option<f64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::try_from(*name).unwrap(),
                    HeaderValue::try_from(*value).unwrap(),
                )
            })
            .collect();
        asked(&headers, now).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn every_way_of_asking_is_understood() {
        assert_eq!(asks(&[("retry-after", "3")]), Some(3.0));
        assert_eq!(asks(&[("retry-after", "0.25")]), Some(0.25));
        // 1,800,000,000 s after 1970 is 2027-01-15 08:00:00.
        assert_eq!(asks(&[("retry-after", "Fri, 15 Jan 2027 08:01:30 GMT")]), Some(90.0));
        assert_eq!(asks(&[("retry-after", "Fri, 15 Jan 2027 07:00:00 GMT")]), Some(0.0));
        assert_eq!(asks(&[("retry-after-ms", "150"), ("retry-after", "1")]), Some(0.15));
        assert_eq!(asks(&[("x-ratelimit-reset", "1800000007")]), Some(7.0));
        assert_eq!(asks(&[("x-ratelimit-reset", "1800000007500")]), Some(7.5));
        assert_eq!(asks(&[("ratelimit-reset", "12")]), Some(12.0));
    }

    #[test]
    fn of_openais_limits_the_exhausted_one_counts() {
        let headers = |requests, tokens| {
            asks(&[
                ("x-ratelimit-remaining-requests", requests),
                ("x-ratelimit-reset-requests", "8.64s"),
                ("x-ratelimit-remaining-tokens", tokens),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ])
        };
        assert_eq!(headers("0", "900"), Some(8.64));
        assert_eq!(headers("4", "0"), Some(360.0));
        assert_eq!(headers("0", "0"), Some(360.0));
        assert_eq!(headers("4", "900"), None);
    }

    #[test]
    fn what_cannot_be_understood_asks_for_nothing() {
        for value in ["", "soon", "-1", "nan", "inf", "3x", "m", "1e400"] {
            assert_eq!(asks(&[("retry-after", value)]), None, "{value}");
            assert_eq!(asks(&[("x-ratelimit-reset", value)]), None, "{value}");
        }
        assert_eq!(duration("1h2m3s"), Some(Duration::from_secs(3723)));
        assert_eq!(duration("20ms"), Some(Duration::from_millis(20)));
    }
}
