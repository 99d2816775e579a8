//! The checksum of zip archives.

/// CRC-32 (ISO 3309).
pub(super) fn crc32(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0u32; 256];
        let mut i = 0;
        while i < 256 {
            let mut value = i as u32;
            let mut bit = 0;
            while bit < 8 {
                let carry = value & 1;
                value >>= 1;
                if carry == 1 {
                    value ^= 0xEDB8_8320;
                }
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    let step = |crc: u32, byte: &u8| TABLE[usize::from((crc as u8) ^ byte)] ^ (crc >> 8);
    !data.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    #[test]
    fn checksum_of_the_standard_example() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
