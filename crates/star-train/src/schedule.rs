//! The learning rate by epoch.

/// Multi-step schedule: `rate * gamma^(number of milestones before this epoch)`.
///
/// Epochs count from 1; with milestone 200, epoch 200 is the last at the full rate (REFERENCE T1).
pub fn learning_rate(rate: f64, gamma: f64, milestones: &[usize], epoch: usize) -> f64 {
    let passed = milestones.iter().filter(|m| epoch > **m).count();
    rate * gamma.powi(passed as i32)
}

/// EMA decay for one step: half of the past is forgotten after `half_life` faces (REFERENCE T3).
pub fn ema_decay(batch_size: usize, half_life: f64) -> f64 {
    0.5f64.powf(batch_size as f64 / half_life)
}
