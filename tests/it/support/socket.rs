//! A client of the socket of subscriptions, which can be as wrong as a test needs it to be.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use roundtrip::app::setup::ensure_setup_code;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::server::{TestServer, told};

/// Nothing that a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The access token of the first administrator.
pub(crate) async fn signed_in(server: &TestServer) -> String {
    let code = ensure_setup_code(&server.app).await.unwrap().unwrap();
    let first = json!({
        "code": code.reveal(), "email": "ada@shop.example", "name": "Ada", "password": "correct horse battery",
    });
    let (status, welcome) = told(server.post_json("/api/setup", first.to_string()).await).await;
    assert_eq!(status, 200, "{welcome}");
    welcome["access_token"].as_str().unwrap().to_owned()
}

/// What came.
#[derive(Debug, PartialEq)]
pub(crate) enum Came {
    Message(Value),
    Closed(u16),
}

pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens one with these headers beside those of the protocol.
    pub(crate) async fn open(
        server: &TestServer,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<Response<Option<Vec<u8>>>>> {
        let url = server.url("/graphql/ws");
        let authority = url.strip_prefix("http://").unwrap().strip_suffix("/graphql/ws").unwrap().to_owned();
        let mut request = format!("ws://{authority}/graphql/ws").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(authority).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens one and says who it is.
    pub(crate) async fn signed_in(server: &TestServer, bearer: &str) -> Self {
        let mut socket = Self::open(server, &[]).await.unwrap();
        socket.init(bearer).await;
        assert_eq!(socket.next().await, Came::Message(json!({ "type": "connection_ack" })));
        socket
    }

    pub(crate) async fn init(&mut self, bearer: &str) {
        let payload = json!({ "authorization": format!("Bearer {bearer}") });
        self.send(&json!({ "type": "connection_init", "payload": payload })).await;
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(&json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Came {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("nothing came") {
                Some(Ok(Message::Text(text))) => return Came::Message(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => return Came::Closed(frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Came::Closed(1006),
            }
        }
    }

    /// The payload of the next `next`.
    pub(crate) async fn item(&mut self) -> Value {
        match self.next().await {
            Came::Message(mut message) if message["type"] == "next" => message["payload"].take(),
            other @ (Came::Message(_) | Came::Closed(_)) => panic!("{other:?}"),
        }
    }

    /// The code that it is closed with, whatever comes before.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Came::Closed(code) = self.next().await {
                return code;
            }
        }
    }
}
