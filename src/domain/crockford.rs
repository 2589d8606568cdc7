//! Base32 in Crockford's alphabet, for the short texts that travel in URLs and through other people's systems.
//!
//! Five bytes are eight characters; nothing that is not a multiple of five bytes is ever written, so there is
//! no padding and one spelling of each value. Reading takes either case, ignores `-`, and takes the letters
//! that people mistake for digits as those digits (`I` and `L` are 1, `O` is 0), as Crockford asks. `U` is
//! no character of it. Printing is always lower case. Without the fixed length, a cut text would read as
//! another, shorter value.

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// No digit has this value.
const NO_DIGIT: u8 = 0xff;

const VALUES: [u8; 256] = values();

/// The value of one character, 0..=31; `None` when the alphabet does not have it.
pub(super) const fn digit(character: u8) -> Option<u8> {
    match VALUES[character as usize] {
        NO_DIGIT => None,
        value => Some(value),
    }
}

/// Writes `bytes` as characters. `TEXT` is eight fifths of `BYTES`.
pub(super) fn encode<const BYTES: usize, const TEXT: usize>(bytes: &[u8; BYTES]) -> [u8; TEXT] {
    const { assert!(BYTES.is_multiple_of(5) && TEXT == BYTES / 5 * 8) };
    let mut text = [0; TEXT];
    let groups = bytes.as_chunks::<5>().0;
    for ([a, b, c, d, e], out) in groups.iter().copied().zip(text.as_chunks_mut::<8>().0) {
        let digits = [a >> 3, a << 2 | b >> 6, b >> 1, b << 4 | c >> 4, c << 1 | d >> 7, d >> 2, d << 3 | e >> 5, e];
        *out = digits.map(|digit| ALPHABET[usize::from(digit & 31)]);
    }
    text
}

/// Reads `text`; `None` unless it is exactly as many characters of the alphabet as `BYTES` bytes need.
pub(super) fn decode<const BYTES: usize, const TEXT: usize>(text: &str) -> Option<[u8; BYTES]> {
    const { assert!(BYTES.is_multiple_of(5) && TEXT == BYTES / 5 * 8) };
    let mut digits = [0; TEXT];
    let mut filled = 0;
    for character in text.bytes().filter(|&byte| byte != b'-') {
        *digits.get_mut(filled)? = digit(character)?;
        filled += 1;
    }
    (filled == TEXT).then(|| join(&digits))
}

fn join<const BYTES: usize, const TEXT: usize>(digits: &[u8; TEXT]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let groups = digits.as_chunks::<8>().0;
    for ([a, b, c, d, e, f, g, h], out) in groups.iter().copied().zip(bytes.as_chunks_mut::<5>().0) {
        *out = [a << 3 | b >> 2, b << 6 | c << 1 | d >> 4, d << 4 | e >> 1, e << 7 | f << 2 | g >> 3, g << 5 | h];
    }
    bytes
}

const fn values() -> [u8; 256] {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 32 {
        let character = ALPHABET[value as usize];
        table[character as usize] = value;
        table[character.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    let mistaken = [(b'i', 1), (b'I', 1), (b'l', 1), (b'L', 1), (b'o', 0), (b'O', 0)];
    let mut place = 0;
    while place < mistaken.len() {
        table[mistaken[place].0 as usize] = mistaken[place].1;
        place += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values_have_their_known_text() {
        assert_eq!(&encode::<5, 8>(&[0; 5]), b"00000000");
        assert_eq!(&encode::<5, 8>(&[0xff; 5]), b"zzzzzzzz");
        assert_eq!(&encode::<5, 8>(&[0, 0, 0, 0, 33]), b"00000011");
        assert_eq!(&encode::<5, 8>(b"hello"), b"d1jprv3f");
    }

    #[test]
    fn mistaken_letters_read_as_their_digits_and_a_wrong_length_as_nothing() {
        assert_eq!(decode::<5, 8>("OoIiLl-0z"), decode::<5, 8>("0011110z"));
        assert_eq!(decode::<5, 8>("0000000"), None);
        assert_eq!(decode::<5, 8>("000000000"), None);
        for stranger in ["0000000u", "0000000U", "0000000_", "000000é"] {
            assert_eq!(decode::<5, 8>(stranger), None, "{stranger}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back_in_either_case(bytes: [u8; 15]) {
            let text = encode::<15, 24>(&bytes);
            let lower = str::from_utf8(&text).unwrap();
            prop_assert_eq!(decode::<15, 24>(lower), Some(bytes));
            prop_assert_eq!(decode::<15, 24>(&lower.to_uppercase()), Some(bytes));
        }
    }
}
