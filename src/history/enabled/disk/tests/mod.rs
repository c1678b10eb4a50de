mod fake;
mod journals;
mod segments;
mod stores;
