//! The two codecs of the telephone network, A-law and µ-law, as G.711 defines them.

/// Encodes a sample in A-law.
pub fn to_alaw(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0x00 };
    // One's complement, so that the most negative sample has a magnitude too.
    let magnitude = if sample >= 0 { sample } else { !sample } >> 4;
    let code = if magnitude < 16 {
        magnitude
    } else {
        let segment = 12 - magnitude.leading_zeros() as i16;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0f)
    };
    (code as u8 | sign) ^ 0x55
}

/// Decodes a byte of A-law.
pub fn from_alaw(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let segment = (code >> 4) & 0x07;
    let step = i16::from(code & 0x0f);
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// Encodes a sample in µ-law.
pub fn to_ulaw(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    let sign = if sample < 0 { 0x80 } else { 0x00 };
    let magnitude = (i32::from(sample).abs().min(32_635)) + BIAS;
    let segment = 24 - magnitude.leading_zeros() as i32;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !((segment << 4 | step) as u8 | sign)
}

/// Decodes a byte of µ-law.
pub fn from_ulaw(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code >> 4) & 0x07;
    let magnitude = (((i32::from(code & 0x0f) << 3) + 0x84) << segment) - 0x84;
    (if code & 0x80 != 0 {
        -magnitude
    } else {
        magnitude
    }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_bytes_of_the_standard() {
        assert_eq!(to_alaw(0), 0xd5);
        assert_eq!(to_ulaw(0), 0xff);
        assert_eq!(from_alaw(0xd5), 8);
        assert_eq!(from_ulaw(0xff), 0);
        assert_eq!(from_alaw(0xaa), 32_256);
        assert_eq!(from_ulaw(0x80), 32_124);
    }

    #[test]
    fn every_byte_comes_back_and_every_sample_stays_close() {
        for byte in 0..=255u8 {
            assert_eq!(to_alaw(from_alaw(byte)), byte);
            let again = to_ulaw(from_ulaw(byte));
            assert_eq!(from_ulaw(again), from_ulaw(byte));
        }
        for sample in i16::MIN..=i16::MAX {
            let allowed = i32::from(sample).abs() / 16 + 16;
            let clipped = i32::from(sample).clamp(-32_635, 32_635);
            assert!(
                (i32::from(from_alaw(to_alaw(sample))) - i32::from(sample)).abs()
                    <= allowed.max(512),
                "{sample}"
            );
            assert!(
                (i32::from(from_ulaw(to_ulaw(sample))) - clipped).abs() <= allowed,
                "{sample}"
            );
        }
    }
}
