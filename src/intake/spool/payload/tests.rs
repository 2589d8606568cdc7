//! Both ways, and every way in which a row can be unreadable.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OfferId, PublisherId, ReceiptId};
use crate::domain::inbound::{Pairs, SecureSlot, read as read_pairs};
use crate::domain::keyring::{Keyring, SeededEntropy};
use crate::domain::privacy::{PersonalHash, PrivateAddress, PrivateEmail};
use crate::domain::receipt::{Arrival, canonical_params, private_extras};
use crate::domain::settings::EmailStorage;
use crate::store::spool::SpoolId;

const ID: &str = "0c0t6yvh2mk3w8q1r5x9zpa4db7ej0fg2hn6stvw";

fn hit(door: Door, query: &str) -> Hit {
    let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
    let inbound = read_pairs(door, Pairs::from_query(query.as_bytes()));
    let address: IpAddr = [203, 0, 113, 9].into();
    Hit {
        replay: None,
        params: canonical_params(&inbound, &keyring),
        kept_params: None,
        address: PrivateAddress::of(&keyring, address),
        conversion_ip: inbound.conversion_ip.map(|ip| PrivateAddress::of(&keyring, ip)),
        email: inbound.user_email.as_deref().and_then(|email| PrivateEmail::of(&keyring, email)),
        extras: private_extras(&inbound, &keyring, EmailStorage::Hashed),
        arrival: Arrival {
            at: Timestamp::from_millis(1_780_315_200_000),
            method: "GET".into(),
            host: "pixel.test".into(),
            path: "/pixel.gif".into(),
            address,
            user_agent: Some("Mozilla/5.0".into()),
            referrer_origin: None,
            is_bot: false,
            request_id: "req_1".into(),
        },
        receipt: ReceiptId::from_uuid(uuid::Uuid::from_u128(9)),
        inbound,
    }
}

fn row(written: NewRow) -> SpoolRow {
    let NewRow { kind, payload } = written;
    SpoolRow { id: SpoolId::default(), kind: kind.to_owned(), payload, kept_at: Timestamp::default() }
}

fn text(item: &Spooled) -> String {
    String::from_utf8(write(item).unwrap().payload).unwrap()
}

fn pixel(query: &str) -> Spooled {
    Spooled::Pixel(Arc::new(hit(Door::Pixel, query)))
}

fn free_text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(".{0,40}")
}

prop_compose! {
    fn click()(
        id in proptest::array::uniform25(any::<u8>()),
        at in any::<i64>(),
        offer in 1..=i32::MAX,
        publisher in 1..=i32::MAX,
        sub_ids in [free_text(), free_text(), free_text(), free_text(), free_text(), free_text()],
        (external_transaction_id, device_id, user_agent, referrer_origin) in
            (free_text(), free_text(), free_text(), free_text()),
        address in proptest::option::of(("[0-9.:/]{0,20}", any::<[u8; 16]>())),
        is_bot in any::<bool>(),
        is_test in any::<bool>(),
    ) -> Click {
        Click {
            transaction_id: TransactionId::from_bytes(&id).unwrap(),
            clicked_at: Timestamp::from_millis(at),
            offer: OfferId::new(offer).unwrap(),
            publisher: PublisherId::new(publisher).unwrap(),
            sub_ids,
            external_transaction_id,
            device_id,
            address: address.map(|(network, hash)| PrivateAddress {
                network,
                hash: PersonalHash::from_bytes(&hash).unwrap(),
            }),
            user_agent,
            referrer_origin,
            is_bot,
            is_test,
        }
    }
}

proptest! {
    #[test]
    fn a_click_comes_back_as_it_was(click in click()) {
        let written = write(&Spooled::Click(Arc::new(click.clone()))).unwrap();
        let Spooled::Click(back) = read(&row(written)).unwrap() else { panic!("no click") };
        prop_assert_eq!(&*back, &click);
    }

    #[test]
    fn a_damaged_payload_is_an_error_and_never_a_panic(payload in any::<Vec<u8>>(), at in 0_usize..2000, byte in any::<u8>()) {
        let _whatever = read(&SpoolRow { payload, ..row(write(&pixel(&format!("transaction_id={ID}"))).unwrap()) });
        let mut almost = row(write(&pixel(&format!("transaction_id={ID}"))).unwrap());
        let at = at % almost.payload.len();
        almost.payload[at] = byte;
        let _whatever = read(&almost);
        almost.payload.truncate(at);
        prop_assert!(read(&almost).is_err());
    }
}

/// What was written before an update is read after it: whoever breaks this test makes the version rise, and goes on
/// reading the old one.
#[test]
fn a_payload_of_today_is_read_for_ever() {
    let click = r#"{"v":1,"item":{"transaction_id":"0c0t6yvh2mk3w8q1r5x9zpa4db7ej0fg2hn6stvw","clicked_at":1780315200000,"offer":42,"publisher":7,"sub_ids":["news",null,null,null,null,null],"external_transaction_id":"ext-1","device_id":null,"address":{"network":"203.0.113.0/24","hash":"000102030405060708090a0b0c0d0e0f"},"user_agent":null,"referrer_origin":null,"is_bot":false,"is_test":false}}"#;
    let kept = SpoolRow {
        kind: CLICK.into(),
        payload: click.into(),
        ..row(write(&pixel(&format!("transaction_id={ID}"))).unwrap())
    };
    assert_eq!(text(&read(&kept).unwrap()), click);

    let pixel = r#"{"v":1,"item":{"inbound":{"door":"pixel","transaction_id":{"value":"0c0t6yvh2mk3w8q1r5x9zpa4db7ej0fg2hn6stvw"},"offer":{"value":42},"publisher":"absent","order_id":{"value":"A-1"},"external_transaction_id":"absent","event_id":"absent","event_name":"absent","conversion_id":"absent","status":{"value":"approved"},"revenue":{"value":12500000},"payout":{"unreadable":"x"},"purchase_value":"absent","currency":{"known":"EUR"},"sub_ids":[null,null,null,null,null,null],"adv_sub_ids":["spring",null,null,null,null,null],"session_time_seconds":750,"user_agent":null,"device_id":"d","rejected_reason":null,"third_party_rejected_reason":null,"dry_run":false,"text_answer":false,"warnings":[{"code":"unknown_parameter","field":"own","hint":null}]},"arrival":{"at":1780315200000,"method":"GET","host":"pixel.test","path":"/pixel.gif","user_agent":"Mozilla/5.0","referrer_origin":null,"is_bot":false,"request_id":"req_1"},"receipt":"rcp_00000000000000000000000000000009","params":"order_id=A-1","address":{"network":"203.0.113.0/24","hash":"000102030405060708090a0b0c0d0e0f"},"conversion_ip":null,"email":{"masked":"j***@shop.example","hash":"000102030405060708090a0b0c0d0e0f"},"extras":[["own","1"]]}}"#;
    let kept = SpoolRow { kind: PIXEL.into(), payload: pixel.into(), ..kept };
    assert_eq!(text(&read(&kept).unwrap()), pixel);
}

#[test]
fn only_a_pixel_with_an_id_that_reads_is_written() {
    assert!(write(&pixel(&format!("transaction_id={ID}"))).is_ok());
    for query in
        ["", "transaction_id=ann@shop.example", "transaction_id={tid}", &format!("transaction_id={}", &ID[1..])]
    {
        assert!(matches!(write(&pixel(query)), Err(NoPayload::WouldBeRefused)), "{query}");
    }
    for door in Door::ALL.into_iter().filter(|door| *door != Door::Pixel) {
        let other = Spooled::Pixel(Arc::new(hit(door, &format!("transaction_id={ID}"))));
        assert!(matches!(write(&other), Err(NoPayload::WouldBeRefused)), "{door:?}");
    }
    let mut unreadable = hit(Door::Pixel, &format!("transaction_id={ID}"));
    unreadable.inbound.unreadable = hit(Door::Postback, &"a=1&".repeat(65)).inbound.unreadable;
    assert!(unreadable.inbound.unreadable.is_some());
    assert!(matches!(write(&Spooled::Pixel(Arc::new(unreadable))), Err(NoPayload::WouldBeRefused)));
}

/// A value that cannot be used has no form on paper, so it can only be an error.
#[test]
fn a_bad_identity_is_never_written_as_an_absent_one() {
    let mut hit = hit(Door::Pixel, &format!("transaction_id={ID}"));
    hit.inbound.order_id = self::hit(Door::Postback, "order_id={order}").inbound.order_id;
    assert!(matches!(hit.inbound.order_id, Slot::Bad(_)));
    assert!(matches!(write(&Spooled::Pixel(Arc::new(hit))), Err(NoPayload::Json(_))));
}

#[test]
fn what_comes_back_has_no_secret_and_nobody_in_clear() {
    let query = format!("transaction_id={ID}&secure=s3cret&user_email=john@shop.example&conversion_ip=198.51.100.77");
    let sent = pixel(&format!("{query}&mail=jane@shop.example&own=1"));
    let Spooled::Pixel(back) = read(&row(write(&sent).unwrap())).unwrap() else { panic!("no pixel") };
    assert!(matches!(back.inbound.secure, SecureSlot::Absent));
    assert_eq!((&back.inbound.user_email, back.inbound.conversion_ip, back.inbound.extras.len()), (&None, None, 0));
    assert!(back.arrival.address.is_unspecified());
    assert_eq!(back.email.as_ref().map(|email| email.masked.as_str()), Some("j***@shop.example"));
    assert_eq!(back.extras, [("mail".to_owned(), "j***@shop.example".to_owned()), ("own".to_owned(), "1".to_owned())]);
    // Written again it is the same: nothing else was lost on the way.
    assert_eq!(text(&Spooled::Pixel(back)), text(&sent));
}

#[test]
fn another_version_or_kind_is_said_so_and_nothing_of_it_is_quoted() {
    let good = row(write(&pixel(&format!("transaction_id={ID}"))).unwrap());
    let with = |payload: &str| SpoolRow { payload: payload.into(), ..good.clone() };
    assert_eq!(read(&with(r#"{"v":2,"item":{"secret":1}}"#)).unwrap_err(), Unreadable::Version(2));
    assert_eq!(read(&SpoolRow { kind: "postback".into(), ..good.clone() }).unwrap_err(), Unreadable::Kind);
    let said = read(&with(r#"{"v":1,"item":"ann@shop.example"}"#)).unwrap_err().to_string();
    assert!(said.contains("line 1") && !said.contains("ann"), "{said}");
}
