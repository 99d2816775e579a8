//! Only this machine's own page may ask.
//!
//! The server listens at loopback, but a browser on this machine runs pages of strangers too. One of them can send requests here (and a
//! name that suddenly means 127.0.0.1 makes it look like the same site), so names and origins are checked before anything else.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::Problem;

/// Names of this machine. The port may be another than ours: `ssh -L` has one of its own.
const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Scripts, styles and images from here alone, nothing to or from anywhere else, and no other page may frame this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// On every answer.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), microphone=(), geolocation=()",
    ),
];

/// Refuses who is not of this machine and this page; sets the headers of all answers.
pub async fn guard(request: Request, next: Next) -> Response {
    let mut response = match check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    for (name, value) in HEADERS {
        let headers = response.headers_mut();
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let host = the_one(headers, &header::HOST).unwrap_or_default();
    if !is_own(host) {
        return Err(Problem::Elsewhere(format!(
            "this server answers to http://127.0.0.1 and http://localhost, not to `{}`",
            host.chars().take(100).collect::<String>()
        )));
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        // Whatever a page of strangers fetches so, its browser does not let it read.
        return Ok(());
    }
    // Programs send neither; browsers send at least one of them.
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let of_this_page = match headers.get(header::ORIGIN) {
        Some(origin) => origin.as_bytes() == format!("http://{host}").as_bytes(),
        None => true,
    };
    if of_this_page && matches!(site, None | Some(b"same-origin" | b"none")) {
        Ok(())
    } else {
        Err(Problem::Elsewhere(
            "pages of other sites may not send images here".into(),
        ))
    }
}

/// The value of a header that is there once.
fn the_one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn is_own(host: &str) -> bool {
    OWN_NAMES.iter().any(|name| {
        let Some(rest) = host.get(..name.len()).and_then(|start| {
            start
                .eq_ignore_ascii_case(name)
                .then(|| &host[name.len()..])
        }) else {
            return false;
        };
        match rest.strip_prefix(':') {
            Some(port) => port.parse::<u16>().is_ok(),
            None => rest.is_empty(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_and_no_others() {
        for own in ["127.0.0.1:7827", "localhost", "LocalHost:1", "[::1]:80"] {
            assert!(is_own(own), "{own}");
        }
        for other in [
            "",
            "example.com",
            "127.0.0.1.example.com",
            "localhost.example.com:7827",
            "localhost:7827.example.com",
            "127.0.0.1:",
            "127.0.0.2",
            "0.0.0.0",
            "xlocalhost",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }
}
