//! Transposing matrices in squares that stay in registers.

/// Side of the squares that are transposed together.
const SQUARE: usize = 4;

/// Rows of `from`, `stride` apart and one for each of `columns`, become the columns of `to`.
///
/// In small squares, which stay in registers.
pub(super) fn transpose(from: &[f32], stride: usize, to: &mut [f32], columns: usize) {
    let rows = to.len() / columns;
    for column in (0..columns).step_by(SQUARE) {
        for row in (0..rows).step_by(SQUARE) {
            if column + SQUARE <= columns && row + SQUARE <= rows {
                let mut square = [[0.0; SQUARE]; SQUARE];
                for (i, line) in square.iter_mut().enumerate() {
                    line.copy_from_slice(&from[(column + i) * stride + row..][..SQUARE]);
                }
                for i in 0..SQUARE {
                    let line = square.map(|line| line[i]);
                    to[(row + i) * columns + column..][..SQUARE].copy_from_slice(&line);
                }
            } else {
                for column in column..columns.min(column + SQUARE) {
                    for row in row..rows.min(row + SQUARE) {
                        to[row * columns + column] = from[column * stride + row];
                    }
                }
            }
        }
    }
}
