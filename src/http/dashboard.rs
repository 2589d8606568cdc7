//! The dashboard: the files of `dashboard/dist`, which the binary carries, under `/dashboard`.
//!
//! Every answer allows the page nothing but what it needs: scripts and styles of our own files, requests to ourselves,
//! no frames, no inline script, no text that becomes code. Names with a digest are kept for ever by browsers, everything
//! else is asked for again and compared by its ETag. A path that is no file is a page of the dashboard, which has its own
//! router. Without a built dashboard the server runs, and one page says how to get it.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::answer::with_status;
use super::page;

/// No inline script or style, nothing from another host; and no string becomes HTML or code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
/// A year, in seconds: as long as browsers keep anything.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Kept, but asked for every time.
const REVALIDATED: &str = "no-cache";
/// Their names change with their content.
const HASHED: &str = "assets/";
const INDEX: &str = "index.html";
const COMPRESSED: &str = ".br";
const MISSING: &str = "<p>This server was built without the dashboard. To get it: <code>make dashboard</code> (Node 20 or \
                       newer), then build the server again.</p><p>The admin API is at <code>/graphql</code>.</p>";

/// Empty where the dashboard was not built before the server.
#[derive(RustEmbed)]
#[folder = "dashboard/dist"]
#[allow_missing = true]
struct Built;

pub(crate) async fn dashboard(request: Request) -> Response {
    let (parts, _) = request.into_parts();
    answer(parts.uri.path(), &parts.headers, Built::get)
}

/// `files` finds a file of the built dashboard by its path.
fn answer(path: &str, asked: &HeaderMap, files: impl Fn(&str) -> Option<EmbeddedFile>) -> Response {
    let Some(index) = files(INDEX) else { return page::page(200, "Roundtrip", MISSING) };
    let path = path.strip_prefix("/dashboard").unwrap_or(path).trim_start_matches('/');
    let (name, file) = match files(path).filter(|_| is_public(path)) {
        Some(file) => (path, file),
        // Never the page in place of a script: a browser would keep it under the script's name.
        None if path.starts_with(HASHED) => return guarded(with_status(404, Body::empty())),
        None => (INDEX, index),
    };
    let etag = etag(&file);
    if is_known(asked, &etag) {
        return described(with_status(304, Body::empty()), name, etag);
    }
    let compressed = if takes_brotli(asked) { files(&format!("{name}{COMPRESSED}")) } else { None };
    let is_compressed = compressed.is_some();
    let body = Bytes::from(compressed.unwrap_or(file).data.into_owned());
    let mut response = described(with_status(200, body), name, etag);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    if is_compressed {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

/// The compressed forms and hidden files are no pages.
fn is_public(path: &str) -> bool {
    !path.ends_with(COMPRESSED) && !path.starts_with('.')
}

fn etag(file: &EmbeddedFile) -> HeaderValue {
    let digest = hex::encode(&file.metadata.sha256_hash()[..16]);
    // Hexadecimal digits are always a header value. Weak, because the compressed form has the same one.
    HeaderValue::try_from(format!("W/\"{digest}\"")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn is_known(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let Ok(etag) = etag.to_str().map(bare) else { return false };
    let lists = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(bare).any(|tag| tag == etag || tag == "*")
}

fn takes_brotli(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("br") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn described(mut response: Response, name: &str, etag: HeaderValue) -> Response {
    let kept = if name.starts_with(HASHED) { FOREVER } else { REVALIDATED };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::ETAG, etag);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    guarded(response)
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Ids of conversions stand in our URLs.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use http_body_util::BodyExt;
    use rust_embed::Metadata;

    use super::*;

    fn file(text: &'static str) -> EmbeddedFile {
        let mut hash = [0; 32];
        hash[0] = u8::try_from(text.len()).unwrap();
        let metadata = Metadata::__rust_embed_new(hash, None, None);
        EmbeddedFile { data: Cow::Borrowed(text.as_bytes()), metadata }
    }

    fn built(path: &str) -> Option<EmbeddedFile> {
        Some(match path {
            "index.html" => file("<!doctype html>"),
            "index.html.br" => file("compressed page"),
            "assets/main-abc.js" => file("import"),
            "assets/main-abc.js.br" => file("compressed"),
            "theme.js" => file("theme"),
            ".keep" => file(""),
            _ => return None,
        })
    }

    async fn asked(path: &str, headers: &[(header::HeaderName, &str)]) -> (u16, HeaderMap, String) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let (parts, body) = answer(path, &headers, built).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_path_that_is_no_file_is_the_page_but_no_missing_script() {
        for path in
            ["/dashboard", "/dashboard/", "/dashboard/offers/offer_42", "/dashboard/.keep", "/dashboard/theme.js.br"]
        {
            let (status, headers, body) = asked(path, &[]).await;
            assert_eq!((status, body.as_str()), (200, "<!doctype html>"), "{path}");
            assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
            assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
        }
        let (status, headers, _) = asked("/dashboard/assets/main-old.js", &[]).await;
        assert_eq!((status, headers.get(header::CACHE_CONTROL)), (404, None));
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], POLICY);
    }

    #[tokio::test]
    async fn what_has_a_digest_in_its_name_is_kept_for_ever_and_nothing_else() {
        let (_, headers, body) = asked("/dashboard/assets/main-abc.js", &[]).await;
        assert_eq!((headers[header::CACHE_CONTROL].to_str().unwrap(), body.as_str()), (FOREVER, "import"));
        assert_eq!(headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        let (_, headers, body) = asked("/dashboard/theme.js", &[]).await;
        assert_eq!((headers[header::CACHE_CONTROL].to_str().unwrap(), body.as_str()), (REVALIDATED, "theme"));
    }

    #[tokio::test]
    async fn only_who_takes_brotli_gets_it() {
        let path = "/dashboard/assets/main-abc.js";
        for (takes, encoding, body) in [
            ("gzip, br", Some("br"), "compressed"),
            ("BR;q=0.5", Some("br"), "compressed"),
            ("gzip, br;q=0", None, "import"),
            ("gzip", None, "import"),
        ] {
            let (_, headers, found) = asked(path, &[(header::ACCEPT_ENCODING, takes)]).await;
            let told = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!((told, found.as_str()), (encoding, body), "{takes}");
            assert_eq!(headers[header::VARY], "accept-encoding");
        }
        let (_, headers, _) = asked("/dashboard/theme.js", &[(header::ACCEPT_ENCODING, "br")]).await;
        assert_eq!(headers.get(header::CONTENT_ENCODING), None, "it has no compressed form");
    }

    #[tokio::test]
    async fn a_page_that_is_known_is_not_sent_again() {
        let (_, headers, _) = asked("/dashboard", &[]).await;
        let etag = headers[header::ETAG].to_str().unwrap().to_owned();
        let strong = etag.trim_start_matches("W/").to_owned();
        for known in [etag.clone(), strong, format!("\"other\", {etag}"), "*".to_owned()] {
            let (status, headers, body) = asked("/dashboard/x", &[(header::IF_NONE_MATCH, &known)]).await;
            assert_eq!((status, body.as_str()), (304, ""), "{known}");
            assert_eq!(headers[header::ETAG].to_str().unwrap(), etag);
        }
        let (status, ..) = asked("/dashboard", &[(header::IF_NONE_MATCH, "\"other\"")]).await;
        assert_eq!(status, 200);
    }

    #[tokio::test]
    async fn without_a_built_dashboard_one_page_says_how_to_get_it() {
        for path in ["/dashboard", "/dashboard/offers", "/dashboard/assets/main.js"] {
            let (parts, body) = answer(path, &HeaderMap::new(), |_| None).into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(parts.status.is_success() && text.contains("make dashboard"), "{text}");
        }
    }
}
