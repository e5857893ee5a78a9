//! Numbers as letters and digits, in base 62.

/// The digits.
pub(super) const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const BASE: u64 = LETTERS.len() as u64;
/// A number takes eight digits, which are good for 47 bits.
const WIDTH: usize = 8;
/// From eight bytes nine digits are taken: what is left over keeps their bias below a thousandth.
const TAKEN: usize = 9;

/// Digits that are all alike, from bytes that are all alike.
pub(super) fn uniform<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    let mut digits = [0; N];
    let (words, _) = bytes.as_chunks::<8>();
    for (part, word) in digits.chunks_mut(TAKEN).zip(words) {
        let mut rest = u64::from_le_bytes(*word);
        for digit in part {
            *digit = low(rest);
            rest /= BASE;
        }
    }
    digits
}

/// Writes two numbers under a mask.
pub(super) fn put(numbers: [u64; 2], mask: &[u8], into: &mut [u8]) {
    for ((part, mask), number) in into.chunks_mut(WIDTH).zip(mask.chunks(WIDTH)).zip(numbers) {
        let mut rest = number;
        for (digit, mask) in part.iter_mut().zip(mask) {
            *digit = low(rest % BASE + u64::from(*mask));
            rest /= BASE;
        }
    }
}

/// Reads two numbers under a mask.
pub(super) fn pull(from: &[u8], mask: &[u8]) -> Option<[u64; 2]> {
    let mut numbers = from.chunks(WIDTH).zip(mask.chunks(WIDTH)).map(|(part, mask)| {
        let digits = part.iter().zip(mask).rev();
        digits.fold(0, |number, (digit, mask)| number * BASE + (u64::from(*digit) + BASE - u64::from(*mask)) % BASE)
    });
    Some([numbers.next()?, numbers.next()?])
}

/// The values of letters; `None` if one is no digit.
pub(super) fn values<const N: usize>(letters: [u8; N]) -> Option<[u8; N]> {
    let mut values = letters;
    for value in &mut values {
        *value = match *value {
            letter @ b'A'..=b'Z' => letter - b'A',
            letter @ b'a'..=b'z' => letter - b'a' + 26,
            letter @ b'0'..=b'9' => letter - b'0' + 52,
            _ => return None,
        };
    }
    Some(values)
}

fn low(number: u64) -> u8 {
    u8::try_from(number % BASE).unwrap_or_default()
}
