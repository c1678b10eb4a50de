//! Who may see a page: tokens, compared in constant time, deny by default.
