//! Where a page comes from that sends a request: `Origin`.
//!
//! It is believed because browsers set it and no page can; whoever is no browser is kept out by other means.

use axum::http::{HeaderMap, header};
use url::Url;

/// Is there no `Origin`, or is it that of `authority` (the `Host` of the request) or of the public URL?
pub(crate) fn is_own_origin(headers: &HeaderMap, authority: &str, public_url: &Url) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some(origin) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else { return false };
    let own = Url::parse(&format!("{}://{authority}", origin.scheme())).ok();
    let web = matches!(origin.scheme(), "http" | "https");
    let known = |other: &Url| other.origin() == origin.origin();
    web && (known(public_url) || own.as_ref().is_some_and(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.extend(origin.map(|origin| (header::ORIGIN, origin.parse().unwrap())));
        is_own_origin(&headers, "admin.example:8443", &"https://track.example".parse().unwrap())
    }

    #[test]
    fn a_page_of_ours_and_no_page_at_all_are_own_and_others_are_not() {
        for ours in
            [None, Some("https://admin.example:8443"), Some("http://admin.example:8443"), Some("https://track.example")]
        {
            assert!(own(ours), "{ours:?}");
        }
        for other in [
            "null",
            "",
            "https://admin.example",
            "https://evil.example",
            "http://track.example",
            "file://track.example",
        ] {
            assert!(!own(Some(other)), "{other}");
        }
    }
}
