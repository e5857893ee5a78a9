//! How hard a value is to guess, by its length and alphabet.

/// Length times the bits of a character of the smallest usual alphabet that holds them all. A UUID counts its hex digits without
/// the six fixed bits; one character repeated counts nothing.
pub(super) fn bits(value: &str) -> u32 {
    let Some(first) = value.chars().next() else { return 0 };
    if value.chars().all(|c| c == first) {
        return 0;
    }
    let fixed = if is_uuid(value) { 6.0 } else { 0.0 };
    let digits: Vec<char> = if is_uuid(value) { value.chars().filter(|c| *c != '-').collect() } else { value.chars().collect() };
    let length = f64::from(u32::try_from(digits.len()).unwrap_or(u32::MAX));
    let bits = (length * f64::from(alphabet(&digits)).log2() - fixed).floor();
    // In range: a length in memory times at most 7.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let bits = bits.max(0.0) as u32;
    bits
}

fn alphabet(characters: &[char]) -> u32 {
    let all = |belongs: fn(char) -> bool| characters.iter().all(|c| belongs(*c));
    if all(|c| c.is_ascii_digit()) {
        10
    } else if all(|c| matches!(c, '0'..='9' | 'a'..='f')) || all(|c| matches!(c, '0'..='9' | 'A'..='F')) {
        16
    } else if all(|c| c.is_ascii_lowercase()) || all(|c| c.is_ascii_uppercase()) {
        26
    } else if all(|c| matches!(c, '2'..='7' | 'A'..='Z')) || all(|c| matches!(c, '2'..='7' | 'a'..='z')) {
        32
    } else if all(|c| matches!(c, '0'..='9' | 'A'..='Z')) || all(|c| matches!(c, '0'..='9' | 'a'..='z')) {
        36
    } else if all(|c| c.is_ascii_alphabetic()) {
        52
    } else if all(|c| c.is_ascii_alphanumeric()) {
        62
    } else if all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/' | '=')) {
        64
    } else {
        94
    }
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.chars().enumerate().all(|(i, c)| if matches!(i, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_goes_by_length_and_alphabet() {
        for (value, expected) in [
            ("", 0),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0),
            ("12345678", 26),
            ("0123456789abcdef", 64),
            ("0123456789ABCDEF", 64),
            ("MFRGGZDFMZTWQ2LK", 80),
            ("abcdefghijkl", 56),
            ("1db3c5e2-9a47-4f6b-8c0d-2e1f3a4b5c6d", 122),
            ("Zk8pQ2mX7rLt9VwYbN4cDf", 130),
            ("Zk8pQ2mX7rLt9VwYbN4c-f", 132),
        ] {
            assert_eq!(bits(value), expected, "{value}");
        }
    }
}
