//! Values to blocks and back, for the formats whose rounding is simple; byte for byte what gguf-py, ggml's Python reference, writes.

use half::{bf16, f16};

use super::{BlockFormat, RowError, rows::check_bytes};

const VALUES: usize = 32;

/// A row of values as blocks.
pub fn quantise(format: BlockFormat, row: &[f32]) -> Result<Vec<u8>, RowError> {
    let bytes = format.row_bytes(row.len())?;
    if let Some(place) = row.iter().position(|value| !value.is_finite()) {
        return Err(RowError::NotFinite(place));
    }
    let mut out = Vec::with_capacity(bytes);
    match format {
        BlockFormat::F32 => row.iter().for_each(|value| out.extend(value.to_le_bytes())),
        BlockFormat::F16 => row
            .iter()
            .for_each(|&value| out.extend(f16::from_f32(value).to_le_bytes())),
        BlockFormat::BF16 => row
            .iter()
            .for_each(|&value| out.extend(bf16::from_f32(value).to_le_bytes())),
        BlockFormat::Q4_0 => each_block(row, |block| symmetric::<4>(block, &mut out)),
        BlockFormat::Q5_0 => each_block(row, |block| symmetric::<5>(block, &mut out)),
        BlockFormat::Q4_1 => each_block(row, |block| from_minimum::<4>(block, &mut out)),
        BlockFormat::Q5_1 => each_block(row, |block| from_minimum::<5>(block, &mut out)),
        BlockFormat::Q8_0 => each_block(row, |block| eight_bits(block, &mut out)),
        _ => return Err(RowError::Unsupported(format.name())),
    }
    let is_half = |block: &[u8], at: usize| f16::from_le_bytes([block[at], block[at + 1]]).is_finite();
    let halves: &[usize] = if format == BlockFormat::F16 {
        &[0]
    } else {
        format.scales()
    };
    let mut blocks = out.chunks_exact(format.block_bytes());
    if blocks.all(|block| halves.iter().all(|&at| is_half(block, at))) {
        return Ok(out);
    }
    Err(RowError::TooLarge(format.name()))
}

/// A row of blocks as values.
pub fn dequantise(format: BlockFormat, row: &[u8]) -> Result<Vec<f32>, RowError> {
    check_bytes(format, row)?;
    let blocks = row.chunks_exact(format.block_bytes());
    let half = |block: &[u8], at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    let mut out = Vec::with_capacity(blocks.len() * format.block_values());
    for block in blocks {
        match format {
            BlockFormat::F32 => out.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
            BlockFormat::F16 => out.push(half(block, 0)),
            BlockFormat::BF16 => out.push(bf16::from_le_bytes([block[0], block[1]]).to_f32()),
            BlockFormat::Q4_0 => {
                let quants = unpack(&block[2..], None);
                out.extend(quants.map(|quant| half(block, 0) * (f32::from(quant) - 8.0)));
            }
            BlockFormat::Q5_0 => {
                let quants = unpack(&block[6..], Some(&block[2..6]));
                out.extend(quants.map(|quant| half(block, 0) * (f32::from(quant) - 16.0)));
            }
            BlockFormat::Q4_1 => {
                let quants = unpack(&block[4..], None);
                out.extend(quants.map(|quant| half(block, 0) * f32::from(quant) + half(block, 2)));
            }
            BlockFormat::Q5_1 => {
                let quants = unpack(&block[8..], Some(&block[4..8]));
                out.extend(quants.map(|quant| half(block, 0) * f32::from(quant) + half(block, 2)));
            }
            BlockFormat::Q8_0 => {
                let quants = block[2..].iter().map(|&quant| f32::from(quant.cast_signed()));
                out.extend(quants.map(|quant| half(block, 0) * quant));
            }
            _ => return Err(RowError::Unsupported(format.name())),
        }
    }
    Ok(out)
}

fn each_block(row: &[f32], mut write: impl FnMut(&[f32])) {
    for block in row.chunks_exact(VALUES) {
        write(block);
    }
}

/// Quants from −2^(bits−1) on; the value of largest magnitude (the first of equal ones) takes the lowest.
fn symmetric<const BITS: u32>(block: &[f32], out: &mut Vec<u8>) {
    let mut largest = 0.0_f32;
    for &value in block {
        if value.abs() > largest.abs() {
            largest = value;
        }
    }
    let half = f32::from(1_u8 << (BITS - 1));
    let scale = largest / -half;
    let inverse = f64::from(if scale == 0.0 { 0.0 } else { 1.0 / scale });
    let quants = block
        .iter()
        .map(|&value| code::<BITS>(f64::from(value) * inverse + f64::from(half) + 0.5));
    out.extend(f16::from_f32(scale).to_le_bytes());
    pack::<BITS>(&quants.collect::<Vec<u8>>(), out);
}

/// Quants from 0 on, which is the smallest value.
fn from_minimum<const BITS: u32>(block: &[f32], out: &mut Vec<u8>) {
    let (mut low, mut high) = (block[0], block[0]);
    for &value in block {
        low = if value < low { value } else { low };
        high = if value > high { value } else { high };
    }
    let scale = (high - low) / f32::from((1_u8 << BITS) - 1);
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let quants = block
        .iter()
        .map(|&value| code::<BITS>(f64::from((value - low) * inverse + 0.5)));
    out.extend(f16::from_f32(scale).to_le_bytes());
    out.extend(f16::from_f32(low).to_le_bytes());
    pack::<BITS>(&quants.collect::<Vec<u8>>(), out);
}

fn eight_bits(block: &[f32], out: &mut Vec<u8>) {
    let magnitudes = block.iter().map(|value| value.abs());
    let scale = magnitudes.max_by(f32::total_cmp).unwrap_or(0.0) / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    out.extend(f16::from_f32(scale).to_le_bytes());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within ±127 by the scale; the cast saturates"
    )]
    out.extend(
        block
            .iter()
            .map(|&value| ((value * inverse).round() as i8).cast_unsigned()),
    );
}

/// Towards zero, into the range of the format.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the limit follows"
)]
fn code<const BITS: u32>(value: f64) -> u8 {
    (value as u8).min((1 << BITS) - 1)
}

/// Fifth bits first, one per value; then the lower four, the first half of the values in the lower nibbles.
fn pack<const BITS: u32>(quants: &[u8], out: &mut Vec<u8>) {
    if BITS == 5 {
        let high = quants
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (nth, quant)| bits | (u32::from(quant >> 4) << nth));
        out.extend(high.to_le_bytes());
    }
    let (first, second) = quants.split_at(VALUES / 2);
    out.extend(first.iter().zip(second).map(|(low, high)| (low & 15) | (high << 4)));
}

/// The quants of a block in order, with their fifth bits where the format has them.
fn unpack<'a>(nibbles: &'a [u8], high: Option<&'a [u8]>) -> impl Iterator<Item = u8> + 'a {
    (0..VALUES).map(move |nth| {
        let byte = nibbles[nth % (VALUES / 2)];
        let low = if nth < VALUES / 2 { byte & 15 } else { byte >> 4 };
        let fifth = high.map_or(0, |bits| (bits[nth / 8] >> (nth % 8)) & 1);
        low | (fifth << 4)
    })
}
