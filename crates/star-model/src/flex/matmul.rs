//! Matrix products on slices: the `gemm` crate behind checked bounds.

use gemm::{Parallelism, gemm};

/// A matrix in a slice: element (i, j) is at `start + i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub data: &'a [f32],
    pub start: usize,
    pub row_stride: usize,
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows behind one another, `row_stride` apart.
    pub fn rows(data: &'a [f32], row_stride: usize) -> Self {
        Self {
            data,
            start: 0,
            row_stride,
            column_stride: 1,
        }
    }

    /// The same from element `start` on.
    pub fn from(self, start: usize) -> Self {
        Self { start, ..self }
    }

    pub fn transposed(self) -> Self {
        Self {
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Whether a `rows` x `columns` matrix lies within the slice.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        let last = self.start + (rows - 1) * self.row_stride + (columns - 1) * self.column_stride;
        last < self.data.len()
    }
}

/// `out += a b`, in this thread. `out` is `[m, n]` with its rows `out_stride` apart, `a` is `[m, k]`, `b` is `[k, n]`.
///
/// # Panics
/// When one of them does not lie within its slice, or rows of `out` overlap.
pub(super) fn add_product(
    sizes: [usize; 3],
    out: &mut [f32],
    out_stride: usize,
    a: Matrix,
    b: Matrix,
) {
    product(sizes, out, out_stride, a, b, true);
}

/// `out = a b`, as [`add_product`].
pub(super) fn set_product(
    sizes: [usize; 3],
    out: &mut [f32],
    out_stride: usize,
    a: Matrix,
    b: Matrix,
) {
    product(sizes, out, out_stride, a, b, false);
}

fn product(
    [m, n, k]: [usize; 3],
    out: &mut [f32],
    out_stride: usize,
    a: Matrix,
    b: Matrix,
    add: bool,
) {
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    assert!(n <= out_stride && (m - 1) * out_stride + n <= out.len());
    assert!(a.holds(m, k) && b.holds(k, n));
    // SAFETY: all elements that are read or written lie within their slices, which was just checked; `out` is borrowed alone.
    // Strides are indices into slices, so they fit an isize.
    unsafe {
        gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            add,
            a.data.as_ptr().add(a.start),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr().add(b.start),
            b.column_stride as isize,
            b.row_stride as isize,
            if add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
