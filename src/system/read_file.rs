use std::path::Path;

/// Returns the text of a file; `None` if it cannot be read. In tests it stands for the files of another machine.
pub(super) type ReadFile<'a> = &'a dyn Fn(&Path) -> Option<String>;
