//! Reads a body into memory, within a size and a time.
//!
//! Both bounds are the caller's: a tracking door takes 64 KiB, and what a client is slow with it may not hold for
//! ever. A length that is announced too large is refused before a byte is read.

use std::time::Duration;

use axum::body::HttpBody;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

/// What the tracking doors and `/graphql` accept, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyProblem {
    /// More than the limit: 413.
    TooLarge,
    /// Not complete in time: 408.
    TooSlow,
    /// The client went away, or its chunks are not well formed: 400, if anybody is left to read it.
    Broken,
}

/// All bytes of `body`: at most `limit` of them, within `deadline` from now.
///
/// # Errors
/// See [`BodyProblem`]; none of them is our fault.
pub async fn read_body<B>(body: B, limit: usize, deadline: Duration) -> Result<Bytes, BodyProblem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > limit) {
        return Err(BodyProblem::TooLarge);
    }
    match timeout(deadline, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyProblem::TooLarge),
        Ok(Err(_)) => Err(BodyProblem::Broken),
        Err(_) => Err(BodyProblem::TooSlow),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;

    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A body whose length is not announced.
    fn chunks(parts: Vec<&'static [u8]>) -> Body {
        Body::from_stream(stream::iter(parts.into_iter().map(|part| Ok::<_, Infallible>(Bytes::from_static(part)))))
    }

    #[tokio::test]
    async fn the_limit_itself_is_read_and_one_byte_more_is_not() {
        for (length, fits) in [(0, true), (3, true), (4, true), (5, false)] {
            let announced = read_body(Body::from("x".repeat(length)), 4, SECOND).await;
            assert_eq!(announced.is_ok(), fits, "{length} announced");
            let body = chunks((0..length).map(|_| b"x".as_slice()).collect());
            let found = read_body(body, 4, SECOND).await;
            assert_eq!(found.is_ok(), fits, "{length} in chunks");
            assert!(fits || found == Err(BodyProblem::TooLarge));
        }
    }

    #[tokio::test]
    async fn chunks_are_joined_in_order() {
        assert_eq!(read_body(chunks(vec![b"a=", b"", b"1"]), 8, SECOND).await, Ok(Bytes::from_static(b"a=1")));
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_too_slow() {
        let endless = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(read_body(endless, 8, Duration::from_millis(20)).await, Err(BodyProblem::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_broken() {
        let parts = [Ok(Bytes::from_static(b"a")), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
        let broken = Body::from_stream(stream::iter(parts));
        assert_eq!(read_body(broken, 8, SECOND).await, Err(BodyProblem::Broken));
    }
}
