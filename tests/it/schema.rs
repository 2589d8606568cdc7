//! The admin contract: `schema.graphql` is what the code prints.

use roundtrip::graphql::schema::sdl;

#[test]
fn the_contract_is_what_the_code_prints() {
    let printed = sdl();
    let kept = include_str!("../../schema.graphql");
    let differs = printed.lines().zip(kept.lines()).position(|(printed, kept)| printed != kept);
    let line = differs.unwrap_or(printed.lines().count().min(kept.lines().count())) + 1;
    assert!(printed == kept, "schema.graphql differs from line {line} on: cargo run -- schema > schema.graphql");
}
