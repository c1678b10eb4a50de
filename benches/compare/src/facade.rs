//! Counters of the `metrics` facade, looked up by name and labels on each call.

/// A counter with a label that has `keys` values in turn.
pub fn label_sets(keys: usize, n: u64, measure: &mut dyn FnMut(&mut dyn FnMut())) {
    let values: Vec<&'static str> = (0..keys).map(|key| &*format!("job-{key}").leak()).collect();
    let count = |value: &&'static str| metrics::counter!("facade", "job" => *value).increment(1);
    values.iter().for_each(count);
    measure(&mut || values.iter().cycle().take(n as usize).for_each(count));
}
