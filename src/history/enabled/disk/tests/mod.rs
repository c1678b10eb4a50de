mod fake;
mod segments;
