//! A DNS server whose answers a test makes up, each question anew.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What a name has, and how often its IPv4 addresses were asked for before.
pub(crate) type Zone = fn(name: &str, asked: usize) -> Vec<IpAddr>;

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    pub(crate) async fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let book = Arc::clone(&asked);
        #[expect(clippy::disallowed_methods, reason = "ends with the runtime of the test")]
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let answer = answer(&buffer[..length], zone, &book);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        Self { address, asked }
    }

    /// How often the IPv4 addresses of a name were asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == name).count()
    }
}

fn answer(question: &[u8], zone: Zone, book: &Mutex<Vec<String>>) -> Vec<u8> {
    let asked = Message::from_vec(question).unwrap();
    let query = asked.queries[0].clone();
    let name = query.name().to_ascii().to_lowercase().trim_end_matches('.').to_owned();
    let before = {
        let mut book = book.lock().unwrap();
        let before = book.iter().filter(|known| **known == name).count();
        if query.query_type() == RecordType::A {
            book.push(name.clone());
        }
        before
    };
    let of_kind = |address: IpAddr| match (address, query.query_type()) {
        (IpAddr::V4(address), RecordType::A) => Some(RData::A(A(address))),
        (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA(AAAA(address))),
        _ => None,
    };
    let found: Vec<RData> = zone(&name, before).into_iter().filter_map(of_kind).collect();
    let mut message = Message::response(asked.metadata.id, asked.metadata.op_code);
    message.metadata.recursion_desired = true;
    message.metadata.recursion_available = true;
    message.metadata.response_code = ResponseCode::NoError;
    for data in found {
        message.add_answer(Record::from_rdata(query.name().clone(), 0, data));
    }
    message.add_query(query);
    message.to_vec().unwrap()
}
